"""How many tokens a language model hesitates between."""

import keras
from keras import ops

from keras_lm.training.masked_cross_entropy import (
    counted_ids,
    nats_per_token,
    token_weights,
)


@keras.saving.register_keras_serializable(package="keras_lm")
class Perplexity(keras.metrics.Metric):
    """Perplexity: exp of the mean nats per token, over all tokens seen.

        perplexity = exp(sum(weight loss) / sum(weight))

    The sums run over a whole epoch, so a short last batch or a batch with much
    padding counts for its tokens and no more; the mean of the batches'
    perplexities would be another, larger number. A model that spreads its
    guess evenly over `n` tokens has perplexity `n`.

    Keras gives weights only to `compile(weighted_metrics=[...])`: put it there
    when the data has padding. A Keras mask on the logits is honoured in both.

    Shapes: `B` batch, `T` steps, `V` vocabulary.

    Args:
        name: string. The name shown in logs.
    Call arguments:
        next_token_ids: int `(B, T)`. The true next token of each position.
        logits: float `(B, T, V)`. Scores before softmax.
        sample_weight: float or bool `(B, T)`, or `(B,)` for whole rows. `None`
            counts every token once.

    Returns:
        float32 `()`, per token; at least 1, and 1 before the first token.

    Raises:
        ValueError: the shape of the token ids is not that of the logits without
            their last axis.

    Example:
        >>> perplexity = Perplexity()
        >>> perplexity.update_state(ops.array([[3, 1]]), ops.zeros((1, 2, 5)))
        >>> ops.shape(perplexity.result())
        ()

    Source: https://aclanthology.org/J92-4003/, section 2.
    """

    def __init__(self, name="perplexity"):
        super().__init__(name=name, dtype="float32")
        self.nats = self.add_variable((), initializer="zeros", name="nats")
        self.tokens = self.add_variable((), initializer="zeros", name="tokens")

    def update_state(self, next_token_ids, logits, sample_weight=None):
        """Adds one batch; the call arguments above."""
        next_token_ids = ops.convert_to_tensor(next_token_ids)
        weights = token_weights(next_token_ids, logits, sample_weight)
        losses = nats_per_token(counted_ids(next_token_ids, weights), logits)
        self.nats.assign_add(ops.sum(losses * weights))
        self.tokens.assign_add(ops.sum(weights))

    def result(self):
        """Computes the perplexity of all batches since the last reset."""
        return ops.exp(ops.divide_no_nan(self.nats, self.tokens))

    def get_config(self):
        return {"name": self.name}
