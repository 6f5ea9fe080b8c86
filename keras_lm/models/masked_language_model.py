"""An encoder that guesses hidden words (Devlin et al., 2018)."""

import keras

from keras_lm.models.token_head import TokenHead, at_positions


@keras.saving.register_keras_serializable(package="keras_lm")
class MaskedLanguageModel(keras.Model):
    """Logits of what was there, where words are hidden from an encoder.

    The encoder's states pass a dense layer and a normalisation; their products with the
    encoder's own token embeddings, and a bias for each token, are the logits. Only the
    positions that are asked for get any: with a seventh of the tokens hidden, that
    saves most of the cost of a large vocabulary.

    Trained with `text.masked_dataset` and `training.MaskedCrossEntropy`; then `encoder`
    is what is kept. With `judges_pairs` it is BERT's pretraining, or ALBERT's, whole:
    from the pooled states a dense layer says, too, whether the second segment belongs
    behind the first. Trained with `text.sentence_pair_dataset(masking=..)` and

        loss={
            "tokens": training.MaskedCrossEntropy(),
            "pairs": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        }

    Shapes: `B` batch, `T` steps, `P` positions, `V` vocabulary.

    Args:
        encoder: `TransformerEncoder` or `LSTMEncoder`. The dense layer has its
            `activation` and the normalisation its `epsilon`; of an LSTM, those that
            `TransformerEncoder` has by default.
        judges_pairs: bool. Whether there are logits of the pair too.

    Call arguments:
        token_ids: int `(B, T)`; or a dictionary of all arrays, as in a dataset.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        masked_positions: int `(B, P)`, below `T`; `None` for all, in their order.
        segment_ids: int `(B, T)` or `None`.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, P, V)`; with `judges_pairs` a dictionary of these, `tokens`, and of
        `pairs`, float32 `(B, 2)`: logits of a pair that is wrong, and right.

    Raises:
        TypeError: `encoder` is none of these.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> model = MaskedLanguageModel(encoder)
        >>> positions = np.array([[2, 5], [3, 0]])
        >>> logits = model(ops.ones((2, 7), "int32"), masked_positions=positions)
        >>> tuple(logits.shape)
        (2, 2, 100)

    Source: https://arxiv.org/abs/1810.04805, section 3.1; for pairs in order,
        https://arxiv.org/abs/1909.11942, section 3.1.
    """

    def __init__(self, encoder, judges_pairs=False, **kwargs):
        needs = ["token_embedding", "hidden_dim", *["pool"] * judges_pairs]
        if not all(hasattr(encoder, name) for name in needs):
            raise TypeError(
                "`encoder` must be a `models.TransformerEncoder` or "
                f"`models.LSTMEncoder`. Received: encoder={encoder!r:.80}"
            )
        super().__init__(**kwargs)
        self.encoder = encoder
        self.judges_pairs = judges_pairs
        self.pair_head = None
        if judges_pairs:
            self.pair_head = keras.layers.Dense(2, dtype="float32", name="pair_head")
        self.head = TokenHead(
            encoder.vocabulary_size,
            encoder.embedding_dim,
            getattr(encoder, "activation", "gelu"),
            getattr(encoder, "epsilon", 1e-5),
            dtype=self.dtype_policy,
            name="head",
        )
        self.build((None, None))

    def build(self, token_ids_shape):
        self.head.build((None, None, self.encoder.hidden_dim))
        if self.pair_head is not None:
            self.pair_head.build((None, self.encoder.hidden_dim))
        self.built = True

    def call(
        self,
        token_ids,
        padding_mask=None,
        masked_positions=None,
        segment_ids=None,
        training=None,
    ):
        if isinstance(token_ids, dict):
            return self.call(**token_ids, training=training)
        hidden = self.encoder(
            token_ids, padding_mask, segment_ids=segment_ids, training=training
        )
        there = at_positions(hidden, masked_positions)  # (B, P, D)
        tokens = self.head(there, token_embedding=self.encoder.token_embedding)
        if self.pair_head is None:
            return tokens
        pooled = self.encoder.pool(hidden, padding_mask)  # (B, D)
        return {"tokens": tokens, "pairs": self.pair_head(pooled)}

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "judges_pairs": self.judges_pairs,
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
