"""A small generator replaces tokens, an encoder finds them (Clark et al., 2020)."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_heads, check_sizes, seed_of
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.make_norm import make_norm
from keras_lm.layers.transformer_encoder_block import TransformerEncoderBlock
from keras_lm.models.token_head import TokenHead, at_positions
from keras_lm.models.transformer_encoder import TransformerEncoder
from keras_lm.models.transformer_parts import make_attentions, make_blocks


@keras.saving.register_keras_serializable(package="keras_lm")
class ReplacedTokenDetector(keras.Model):
    """Tells of each token of a text whether it was replaced by a plausible other one.

    The generator, a masked language model on the embeddings of the encoder with
    smaller blocks of its own, guesses the masked tokens; one guess of each is drawn
    from its softmax and put there; the encoder reads the text so made, and a head gives
    the logit that a token is not the one that stood there. The draw takes the place in
    the cumulated softmax that `guess_noise` points to, and no gradient passes it.

    Trained with `text.replaced_token_dataset` and the two losses, of which the second
    counts 50 times, as in the paper; then `encoder` is what is kept:

        model.compile(
            optimizer,
            loss={
                "guesses": training.MaskedCrossEntropy(),
                "detections": training.ReplacedTokenCrossEntropy(),
            },
            loss_weights={"guesses": 1.0, "detections": 50.0},
        )

    Shapes: `B` batch, `T` steps, `P` hidden tokens, `V` vocabulary.

    Args:
        encoder: `TransformerEncoder`, the discriminator. The generator has as many
            layers, and its attention, dropout and activation.
        mask_id: int. The token that stands for hidden ones.
        generator_dim: int. Width of the generator; a quarter to a half of the
            encoder's is usual.
        generator_heads: int, at least 1, divides `generator_dim`.
        generator_intermediate_dim: int. Width inside its feed-forward networks.

    Call arguments:
        token_ids: int `(B, T)`, the text with its mask tokens; or a dictionary of all
            arrays, as in a dataset.
        masked_positions: int `(B, P)`: the places of the mask tokens of each row, in
            their order; what is behind the last one is not used.
        guess_noise: float `(B, P)`, 0 to 1 (1 excluded): what each guess is drawn with.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        segment_ids: int `(B, T)` or `None`.
        training: bool. Whether dropout applies.

    Returns:
        dictionary: `guesses`, float32 `(B, P, V)`, logits; and `detections`, float32
        `(B, T, 2)`: the logit of a replaced token, and the token that was shown.

    Raises:
        TypeError: `encoder` is no `TransformerEncoder`.
        ValueError: a size does not fit, or something is missing.

    Example:
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     vocabulary_size=100, num_layers=2, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32, max_sequence_length=20)
        >>> model = ReplacedTokenDetector(encoder, 99, generator_dim=8,
        ...     generator_heads=2, generator_intermediate_dim=16)
        >>> positions, noise = np.array([[1, 0]]), np.zeros((1, 2))
        >>> outputs = model(np.array([[5, 99, 7]]), positions, noise)
        >>> tuple(outputs["guesses"].shape), tuple(outputs["detections"].shape)
        ((1, 2, 100), (1, 3, 2))

    Source: https://arxiv.org/abs/2003.10555, sections 2 and 3.2.
    """

    def __init__(
        self,
        encoder,
        mask_id,
        generator_dim,
        generator_heads,
        generator_intermediate_dim,
        **kwargs,
    ):
        if not isinstance(encoder, TransformerEncoder):
            raise TypeError(
                "`encoder` must be a `models.TransformerEncoder`, whose kind of blocks "
                f"the generator has too. Received: encoder={encoder!r:.80}"
            )
        check_sizes(
            generator_dim=generator_dim,
            generator_intermediate_dim=generator_intermediate_dim,
        )
        check_heads(generator_heads, generator_dim)
        if mask_id is None or not 0 <= mask_id < encoder.vocabulary_size:
            raise ValueError(
                "`mask_id` must be at least 0 and below the encoder's "
                f"`vocabulary_size`, {encoder.vocabulary_size}. "
                f"Received: mask_id={mask_id}"
            )
        # Half precision knows too few numbers for `guess_noise`.
        super().__init__(autocast=False, **kwargs)
        self.encoder = encoder
        self.mask_id = mask_id
        self.generator_dim = generator_dim
        self.generator_heads = generator_heads
        self.generator_intermediate_dim = generator_intermediate_dim

        policy = self.dtype_policy
        self.projection = keras.layers.Dense(
            generator_dim, dtype=policy, name="generator_projection"
        )
        self.dropout_layer = Dropout(
            encoder.dropout, seed=seed_of(encoder.seed, 0), dtype=policy
        )
        self.blocks = self._make_blocks(policy)
        self.norm = None
        if encoder.normalize_first:
            self.norm = make_norm(policy, "generator_norm", encoder.epsilon)
        self.head = TokenHead(
            encoder.vocabulary_size,
            encoder.embedding_dim,
            encoder.activation,
            encoder.epsilon,
            dtype=policy,
            name="generator_head",
        )
        self.dense = keras.layers.Dense(
            encoder.hidden_dim, encoder.activation, dtype=policy, name="detector_dense"
        )
        self.detector = keras.layers.Dense(1, dtype=policy, name="detector")
        self.build((None, None))

    def build(self, token_ids_shape):
        generated, read = self.generator_dim, self.encoder.hidden_dim
        self.projection.build((None, None, self.encoder.embedding_dim))
        for layer in (*self.blocks, self.norm, self.head):
            if layer is not None:
                layer.build((None, None, generated))
        for layer in (self.dense, self.detector):
            layer.build((None, None, read))
        self.built = True

    def call(
        self,
        token_ids,
        masked_positions=None,
        guess_noise=None,
        padding_mask=None,
        segment_ids=None,
        training=None,
    ):
        if isinstance(token_ids, dict):
            return self.call(**token_ids, training=training)
        if masked_positions is None or guess_noise is None:
            raise ValueError(
                "`masked_positions` and `guess_noise` must be given beside "
                "`token_ids`. Received: None"
            )
        guesses = self._guess(
            token_ids, masked_positions, padding_mask, segment_ids, training
        )  # (B, P, V)
        drawn = _draw(ops.stop_gradient(guesses), guess_noise)  # (B, P)
        is_masked = ops.equal(token_ids, self.mask_id)
        # The first mask token of a row takes the first guess, and so on.
        number = ops.cumsum(ops.cast(is_masked, "int32"), axis=1) - 1
        last = ops.shape(drawn)[1] - 1
        number = ops.clip(number, 0, last)  # (B, T)
        filled = ops.take_along_axis(drawn, number, axis=1)
        shown = ops.where(is_masked, filled, ops.cast(token_ids, "int32"))
        hidden = self.encoder(
            shown, padding_mask, segment_ids=segment_ids, training=training
        )
        logits = ops.cast(self.detector(self.dense(hidden)), "float32")  # (B, T, 1)
        shown = ops.expand_dims(ops.cast(shown, "float32"), -1)
        return {
            "guesses": guesses,
            "detections": ops.concatenate([logits, shown], axis=-1),  # (B, T, 2)
        }

    def get_config(self):
        return {
            **super().get_config(),
            "encoder": keras.saving.serialize_keras_object(self.encoder),
            "mask_id": self.mask_id,
            "generator_dim": self.generator_dim,
            "generator_heads": self.generator_heads,
            "generator_intermediate_dim": self.generator_intermediate_dim,
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})

    def _make_blocks(self, policy):
        """The generator's blocks, as the encoder's but for their widths."""
        encoder = self.encoder
        seed = seed_of(encoder.seed, 1 + 2 * encoder.num_layers)
        attentions = make_attentions(
            encoder.attention,
            encoder.num_layers,
            self.generator_heads,
            self.generator_dim,
            encoder.dropout,
            encoder.positions,
            seed=seed,
            dtype=policy,
        )
        return make_blocks(
            TransformerEncoderBlock,
            (
                self.generator_intermediate_dim,
                encoder.activation,
                encoder.gated,
                encoder.normalize_first,
                encoder.dropout,
                encoder.epsilon,
            ),
            attentions,
            "generator_block",
            seed_of(seed, encoder.num_layers),
            policy,
        )

    def _guess(self, token_ids, positions, padding_mask, segment_ids, training):
        if padding_mask is not None:
            padding_mask = ops.cast(padding_mask, "bool")
        hidden = self.encoder.embed(token_ids, padding_mask, segment_ids)
        hidden = self.projection(self.dropout_layer(hidden, training=training))
        for block in self.blocks:
            hidden = block(hidden, padding_mask=padding_mask, training=training)
        if self.norm is not None:
            hidden = self.norm(hidden)
        hidden = at_positions(hidden, positions)
        return self.head(hidden, token_embedding=self.encoder.token_embedding)


def _draw(logits, noise):
    """Tokens drawn from a softmax by the inverse of its cumulated sum."""
    sums = ops.cumsum(ops.softmax(logits, axis=-1), axis=-1)  # (B, P, V)
    point = ops.expand_dims(ops.cast(noise, "float32"), -1) * sums[..., -1:]
    drawn = ops.sum(ops.cast(sums <= point, "int32"), axis=-1)  # (B, P)
    return ops.minimum(drawn, logits.shape[-1] - 1)
