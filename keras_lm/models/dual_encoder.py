"""One encoder for both sides of a pair: how alike are texts, by their vectors?"""

import keras
from keras import ops

_NEEDED = ("token_ids", "other_token_ids")
_INPUTS = (*_NEEDED, "padding_mask", "other_padding_mask", "pooling_mask")


@keras.saving.register_keras_serializable(package="keras_lm")
class DualEncoder(keras.Model):
    """Cosines of each text of a batch with all others beside the texts.

    Text and other pass one encoder, and meet as vectors only:

        vector = pool(encoder(tokens)) / |pool(encoder(tokens))|
        cosine of i with j = vector_i . vector_j

    Trained with `text.contrastive_dataset` and `training.ContrastiveCrossEntropy`,
    where the others of a batch are negatives, or with `text.similarity_dataset` and
    `training.SimilarityError`, for judged pairs; then `encoder` is what is kept, for a
    `pipelines.TextEmbedder`. With `text.sense_dataset` a text is a word in its context,
    for `pipelines.WordSense`.

    Shapes: `B` texts, `T` steps, `C` others of each, `S` steps, `D` width.

    Args:
        encoder: `models.TransformerEncoder`, or another model that is called as it is
            and has its `pool` and `hidden_dim`. It is trained, unless
            `encoder.trainable` is false.

    Call arguments:
        inputs: dict. `"token_ids"`, int `(B, T)`; `"other_token_ids"`, int
            `(B, C, S)`: matches and negatives of each text; `"padding_mask"`, bool
            `(B, T)`, and `"other_padding_mask"`, bool `(B, C, S)`, `True` = real, may
            be left out. `"pooling_mask"`, bool `(B, T)`: `True` for the tokens that a
            text's vector is of, as those of one word; all when left out.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, C B)`: cosines, -1 to 1. The columns are the first others of all
        texts in order, then the second, and so on: column `i` is text `i`'s first.

    Raises:
        TypeError: `encoder` is no such model.
        ValueError: a call has no token ids of one side, or an unknown key.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=1, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> model = DualEncoder(encoder)
        >>> tuple(model({"token_ids": ops.ones((3, 7), "int32"),
        ...     "other_token_ids": ops.ones((3, 2, 9), "int32")}).shape)
        (3, 6)

    Source: https://arxiv.org/abs/1908.10084, section 3.
    """

    def __init__(self, encoder, **kwargs):
        if not (isinstance(encoder, keras.Model) and hasattr(encoder, "pool")):
            raise TypeError(
                "`encoder` must be a model with `pool`, as `models.TransformerEncoder`."
                f" Received: encoder={encoder!r:.80}"
            )
        super().__init__(**kwargs)
        self.encoder = encoder
        self.build({"token_ids": (None, None)})

    def build(self, inputs_shape):
        if self.built:
            return
        if not self.encoder.built:
            self.encoder.build(inputs_shape["token_ids"])
        self.built = True

    def call(self, inputs, training=None):
        _check_inputs(inputs)
        vectors = self.encode(
            inputs["token_ids"],
            inputs.get("padding_mask"),
            training,
            inputs.get("pooling_mask"),
        )  # (B, D)
        others = self.encode(
            _by_column(inputs["other_token_ids"]),
            _by_column(inputs.get("other_padding_mask")),
            training,
        )  # (C B, D)
        return ops.matmul(vectors, ops.transpose(others))

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        encoder.pop("compile_config", None)  # how it was trained before is no setting
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})

    def encode(self, token_ids, padding_mask=None, training=None, pooling_mask=None):
        """The vector of each text.

        Args:
            token_ids: int `(B, T)`.
            padding_mask: bool `(B, T)` or `None`. `True` = real.
            training: bool. Whether dropout applies.
            pooling_mask: bool `(B, T)`, `True` for the tokens that the vector is of;
                `None` for all that are real.

        Returns:
            float32 `(B, D)`; each row has length 1, or 0 where nothing is pooled and
            the encoder makes 0 of it.
        """
        hidden = self.encoder(token_ids, padding_mask=padding_mask, training=training)
        if pooling_mask is None:
            pooling_mask = padding_mask
        pooled = ops.cast(self.encoder.pool(hidden, pooling_mask), "float32")
        squares = ops.sum(ops.square(pooled), axis=-1, keepdims=True)
        return pooled * ops.rsqrt(ops.maximum(squares, 1e-24))


def _by_column(array):
    """`(B, C, S)` to `(C B, S)`: the first of all texts, then the second."""
    if array is None:
        return None
    return ops.reshape(ops.transpose(array, (1, 0, 2)), (-1, ops.shape(array)[2]))


def _check_inputs(inputs):
    given = sorted(inputs) if isinstance(inputs, dict) else f"{inputs!r:.80}"
    if not isinstance(inputs, dict) or not set(_NEEDED) <= set(inputs):
        raise ValueError(
            '`inputs` must be a dictionary with "token_ids" and "other_token_ids". '
            f"Received: {given}"
        )
    unknown = sorted(set(inputs) - set(_INPUTS))
    if unknown:
        raise ValueError(
            f"`inputs` must have keys among {list(_INPUTS)}. Received: {unknown}"
        )
