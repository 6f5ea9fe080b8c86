"""How many tokens a language model hesitates between."""

import keras
from keras import ops

from keras_lm.training.masked_cross_entropy import counted_tokens, nats_per_token


@keras.saving.register_keras_serializable(package="keras_lm")
class Perplexity(keras.metrics.MeanMetricWrapper):
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
        super().__init__(nats_per_token, name=name, dtype="float32")

    def update_state(self, next_token_ids, logits, sample_weight=None):
        next_token_ids, weights = counted_tokens(next_token_ids, logits, sample_weight)
        super().update_state(next_token_ids, logits, sample_weight=weights)

    def result(self):
        return ops.exp(super().result())

    def get_config(self):
        return {"name": self.name}
