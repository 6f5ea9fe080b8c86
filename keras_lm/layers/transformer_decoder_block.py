"""One block of a Transformer decoder: causal self-attention, a source, feed-forward."""

import keras

from keras_lm.layers.local_attention import LocalAttention
from keras_lm.layers.memory import recall, recall_with_weights, remember
from keras_lm.layers.regional_attention import RegionalAttention
from keras_lm.layers.transformer_block import TransformerBlock


@keras.saving.register_keras_serializable(package="keras_lm")
class TransformerDecoderBlock(TransformerBlock):
    """Causal self-attention and a feed-forward network, each added to its input.

    With normalisation first (the default, as in GPT-2), or last (as in the paper):

        x = x + attention(normalize(x));   x = x + feed_forward(normalize(x))
        x = normalize(x + attention(x));   x = normalize(x + feed_forward(x))

    With `cross_attention`, one more sub-layer between the two attends to a source.

    Shapes: `B` batch, `T` steps, `S` source steps, `D` width of the model's state, `E`
    width of the source, `n` new positions.

    Args:
        attention: an attention layer of `keras_lm.layers`, for this block alone.
        intermediate_dim: int, at least 1. Width inside the feed-forward network.
        activation: name or callable. Of the feed-forward network.
        gated: bool. Whether the feed-forward network is gated.
        normalize_first: bool. Normalisation before or after.
        dropout: float, 0 to 1. Fraction of each sub-layer's output dropped in training.
        epsilon: float, above 0. Of the normalisations.
        seed: int or `None`. Of the dropout.
        cross_attention: an attention layer for the source, for this block alone; `None`
            for a block without.
        **kwargs: of `TransformerBlock`: `normalization`, `use_bias`.

    Call arguments:
        hidden: float `(B, T, D)`.
        padding_mask: bool `(B, T)` or `None`. `True` = real.
        source: float `(B, S, E)`; `None` without `cross_attention`.
        source_mask: bool `(B, S)` or `None`. `True` = real.
        training: bool. Whether dropout applies.

    Returns:
        float `(B, T, D)`.

    Raises:
        ValueError: `cross_attention` is local, regional or rotary, which say nothing of
            two sequences; or there is a source without it, or none with it.

    Example:
        >>> attention = keras_lm.layers.MultiHeadAttention(num_heads=2, key_dim=8)
        >>> block = TransformerDecoderBlock(attention, intermediate_dim=32)
        >>> tuple(block(keras.random.normal((3, 5, 16))).shape)
        (3, 5, 16)

    Source: https://arxiv.org/abs/1706.03762, section 3.1;
        https://arxiv.org/abs/2002.04745 (normalisation first).
    """

    def __init__(
        self,
        attention,
        intermediate_dim,
        activation="gelu",
        gated=False,
        normalize_first=True,
        dropout=0.0,
        epsilon=1e-5,
        seed=None,
        cross_attention=None,
        **kwargs,
    ):
        _check_cross_attention(cross_attention)
        super().__init__(
            attention,
            intermediate_dim,
            activation,
            gated,
            normalize_first,
            dropout,
            epsilon,
            seed,
            **kwargs,
        )
        self.cross_attention = cross_attention
        if cross_attention is not None:
            self.cross_attention_norm = self.norm("cross_attention_norm")

    def build(self, hidden_shape, source_shape=None):
        super().build(hidden_shape)
        if self.cross_attention is None:
            return
        if not self.cross_attention.built:
            self.cross_attention.build(hidden_shape, source_shape or hidden_shape)
        self.cross_attention_norm.build(hidden_shape)

    def call(
        self, hidden, padding_mask=None, source=None, source_mask=None, training=None
    ):
        if (source is None) != (self.cross_attention is None):
            raise ValueError(
                "`source` must be given with `cross_attention`, and only with it. "
                f"Received: cross_attention={self.cross_attention}, source={source}"
            )

        def look(x):
            return self.cross_attention(
                x, source, value_mask=source_mask, training=training
            )

        hidden = self.attend(hidden, padding_mask, True, training)
        if source is not None:
            hidden = self.add(hidden, look, self.cross_attention_norm, training)
        return self.feed(hidden, training)

    def get_config(self):
        config = super().get_config()
        if self.cross_attention is not None:
            config["cross_attention"] = keras.saving.serialize_keras_object(
                self.cross_attention
            )
        return config

    def initial_state(self, batch_size, max_length):
        """What the attention layer keeps, for `max_length` slots."""
        return self.attention.initial_state(batch_size, max_length)

    def remember(self, source):
        """The source's keys and values, which no step changes; see `layers.memory`."""
        return remember(self.cross_attention, source)

    def step(self, hidden, state, now, memory=None, source_mask=None):
        """`n` new positions; see `Attention.step`.

        Args:
            hidden: float `(B, n, D)`.
            state: as `initial_state` gives it; it is used up.
            now: what `clock.advance_clock` says of this step.
            memory: what `remember` says of the source; `None` without
                `cross_attention`.
            source_mask: bool `(B, S)` or `None`. `True` = real.

        Returns:
            `(hidden, state)`: float `(B, n, D)`, and the state after the step.
        """

        def look(x):
            return recall(self.cross_attention, x, memory, source_mask)

        return self._step(hidden, state, now, look)

    def step_with_weights(self, hidden, state, now, memory, source_mask=None):
        """`step`, and where in the source it looked.

        Args:
            hidden: float `(B, n, D)`.
            state: as `initial_state` gives it; it is used up.
            now: what `clock.advance_clock` says of this step.
            memory: what `remember` says of the source.
            source_mask: bool `(B, S)` or `None`. `True` = real.

        Returns:
            `(hidden, state, weights)`, the weights of all heads, float `(B, H, n, S)`.
        """
        weights = None

        def look(x):
            nonlocal weights
            x, weights = recall_with_weights(
                self.cross_attention, x, memory, source_mask
            )
            return x

        hidden, state = self._step(hidden, state, now, look)
        return hidden, state, weights

    def _step(self, hidden, state, now, look):
        def attend(x):
            nonlocal state
            x, state = self.attention.step(x, state, now)
            return x

        hidden = self.add(hidden, attend, self.attention_norm, False)
        if self.cross_attention is not None:
            hidden = self.add(hidden, look, self.cross_attention_norm, False)
        return self.feed(hidden, False), state


def _check_cross_attention(attention):
    of_one_sequence = isinstance(attention, (LocalAttention, RegionalAttention))
    if of_one_sequence or getattr(attention, "rotary", None) is not None:
        raise ValueError(
            "`cross_attention` must be for two sequences: multi-head, dynamic or "
            "Bayesian attention, without `rotary_wavelength`. Received: "
            f"{type(attention).__name__} with "
            f"rotary_wavelength={attention.rotary_wavelength}"
        )
