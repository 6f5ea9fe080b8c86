"""One vector for a text, from the vectors of its tokens."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_choice
from keras_lm.layers.attention_pooling import AttentionPooling

KINDS = ("mean", "first", "attention")


@keras.saving.register_keras_serializable(package="keras_lm")
class TextPooling(keras.layers.Layer):
    """The mean of the real tokens, the first one, or a mean whose weights are learned.

        mean:       sum_t hidden_t / T                    over the real tokens
        first:      tanh(W hidden_0 + b)                  of the first real token
        attention:  `AttentionPooling` of one head

    "mean" is Sentence-BERT's and has no weights; "first" is BERT's, whose first token
    stands for the text.

    Shapes: `B` batch, `T` steps, `D` width.

    Args:
        kind: "mean", "first" or "attention".

    Call arguments:
        hidden: float `(B, T, D)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real.

    Returns:
        float `(B, D)`. Of a text that is all padding: 0, or `tanh(b)` for "first".

    Raises:
        ValueError: `kind` is unknown.

    Example:
        >>> pool = TextPooling("first")
        >>> tuple(pool(keras.random.normal((2, 7, 8))).shape)
        (2, 8)

    Source: https://arxiv.org/abs/1908.10084, section 3; https://arxiv.org/abs/1810.04805,
        section 3; https://arxiv.org/abs/1703.03130.
    """

    def __init__(self, kind="mean", **kwargs):
        check_choice("kind", kind, KINDS)
        super().__init__(**kwargs)
        self.kind = kind

    def build(self, hidden_shape):
        policy, width = self.dtype_policy, hidden_shape[-1]
        if self.kind == "first":
            self.dense = keras.layers.Dense(width, "tanh", dtype=policy, name="dense")
            self.dense.build((None, width))
        elif self.kind == "attention":
            self.attention = AttentionPooling(dtype=policy, name="attention")
            self.attention.build(hidden_shape)

    def call(self, hidden, padding_mask=None):
        if self.kind == "attention":
            return self.attention(hidden, padding_mask)
        if padding_mask is None:
            padding_mask = ops.ones(ops.shape(hidden)[:2], "bool")
        real = ops.cast(padding_mask, "int32")
        if self.kind == "first":  # up to here there is one real token
            real = real * ops.cast(ops.equal(ops.cumsum(real, axis=1), 1), "int32")
        count = ops.maximum(ops.sum(real, axis=1, keepdims=True), 1)  # (B, 1)
        weights = ops.cast(real, hidden.dtype) / ops.cast(count, hidden.dtype)
        pooled = ops.einsum("bt,btd->bd", weights, hidden)
        return self.dense(pooled) if self.kind == "first" else pooled

    def compute_output_shape(self, hidden_shape, padding_mask_shape=None):
        return (hidden_shape[0], hidden_shape[-1])

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}
