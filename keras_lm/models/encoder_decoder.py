"""The skeleton of encoder-decoders: how they are called, and how they decode."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_sizes
from keras_lm.layers.clock import advance_clock, start_clock
from keras_lm.models.quantized_layers import made_from, quantized_layers


class EncoderDecoder(keras.Model):
    """Encodes a source once, and predicts each next target token from it.

    A final class defines `encode` and `remember`, of the source; `decode`, of a whole
    target, and `advance`, of its next tokens; and `logits`. It is called with arrays
    by name or, as `fit` does, with one dictionary of them.

    Shapes: `B` batch, `S` source steps, `T` target steps, `n` new target steps, `V`
    vocabulary, `D` width of the decoder's state.

    Call arguments:
        encoder_token_ids: int `(B, S)`, the source; or a dictionary of all arrays.
        decoder_token_ids: int `(B, T)`, the target after its start token.
        encoder_padding_mask: bool `(B, S)` or `None`. `True` = real.
        decoder_padding_mask: bool `(B, T)` or `None`. `True` = real.
        training: bool. Whether dropout applies.

    Returns:
        float32 `(B, T, V)`: logits of the target token after each position.
    """

    @property
    def max_source_length(self):
        """Most tokens of a source: as many as places are learned; `None` for any."""
        has_learned_places = getattr(self, "positions", None) == "learned"
        return self.max_sequence_length if has_learned_places else None

    def call(
        self,
        encoder_token_ids,
        decoder_token_ids=None,
        encoder_padding_mask=None,
        decoder_padding_mask=None,
        training=None,
    ):
        if isinstance(encoder_token_ids, dict):
            return self.call(**encoder_token_ids, training=training)
        if decoder_token_ids is None:
            raise ValueError(
                "`decoder_token_ids` must be given, beside `encoder_token_ids` or in "
                "one dictionary with them. Received: decoder_token_ids=None"
            )
        source_mask = _as_bool(encoder_padding_mask)
        source = self.encode(encoder_token_ids, source_mask, training)
        padding_mask = _as_bool(decoder_padding_mask)
        hidden = self.decode(
            decoder_token_ids, source, source_mask, padding_mask, training
        )
        return self.logits(hidden, training)

    def get_config(self):
        return {**super().get_config(), **quantized_layers(self)}

    @classmethod
    def from_config(cls, config):
        return made_from(cls, config)

    def initial_state(self, inputs, max_length):
        """The state before the first target token: the source is encoded here, once.

        Args:
            inputs: `{"token_ids": int (B, S), "padding_mask": bool (B, S)}`; the mask
                may be left out or `None`. `True` = real.
            max_length: int. Number of target slots, padding included.

        Returns:
            `{"clock": .., "rows": .., "source": ..}`; see `layers.clock`.

        Raises:
            ValueError: `inputs` are no such dictionary.
        """
        if not isinstance(inputs, dict) or "token_ids" not in inputs:
            given = [*inputs] if isinstance(inputs, dict) else "a batch size"
            raise ValueError(
                'An encoder-decoder must begin with a source, `{"token_ids": ..}`; its '
                f"beam search needs `start_token_id`. Received: {given}"
            )
        token_ids = ops.convert_to_tensor(inputs["token_ids"])
        padding_mask = _as_bool(inputs.get("padding_mask"))
        if padding_mask is None:
            padding_mask = ops.ones(ops.shape(token_ids), "bool")
        source = self.encode(token_ids, padding_mask, False)
        rows, memory = self.remember(source, padding_mask, max_length)
        return {
            "clock": start_clock(ops.shape(token_ids)[0], max_length),
            "rows": rows,
            "source": {"padding_mask": padding_mask, **memory},
        }

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        """Logits after `n` more target tokens.

        Args:
            token_ids: int32 `(B, n)`.
            state: as `initial_state` or `step` gave it; it is used up.
            padding_mask: bool `(B, n)` or `None`. `True` = real. Padding changes
                nothing that a real token sees.
            last_only: bool. Logits of the last position only, `(B, 1, V)`.

        Returns:
            `(logits, state)`: float32 `(B, n, V)`, and the state after the step.
        """
        return self._step(token_ids, state, padding_mask, last_only, False)[:2]

    def step_with_attention(self, token_ids, state, padding_mask=None, last_only=False):
        """`step`, and where in the source each position looked.

        Args:
            token_ids: int32 `(B, n)`.
            state: as `initial_state` or `step` gave it; it is used up.
            padding_mask: bool `(B, n)` or `None`. `True` = real.
            last_only: bool. Logits of the last position only, `(B, 1, V)`.

        Returns:
            `(logits, state, attention)`; attention is float32 `(B, n, S)`, whose rows
            sum to 1 over the real source steps.
        """
        return self._step(token_ids, state, padding_mask, last_only, True)

    def encode(self, token_ids, padding_mask, training):
        """What is known of a source, arrays with the batch axis first."""
        raise NotImplementedError(f"{type(self).__name__} must define `encode`")

    def remember(self, source, padding_mask, max_length):
        """What a decode needs of a source.

        Args:
            source: as `encode` gives it.
            padding_mask: bool `(B, S)`. `True` = a real step of the source.
            max_length: int. Number of target slots.

        Returns:
            `(rows, memory)`: what steps change, before the first; and a dictionary of
            what they do not.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `remember`")

    def decode(self, token_ids, source, source_mask, padding_mask, training):
        """Reads a whole target.

        Args:
            token_ids: int `(B, T)`.
            source: as `encode` gives it.
            source_mask: bool `(B, S)` or `None`. `True` = real.
            padding_mask: bool `(B, T)` or `None`. `True` = real.
            training: bool. Whether dropout applies.

        Returns:
            float `(B, T, D)`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `decode`")

    def advance(self, token_ids, rows, source, now, with_attention):
        """Reads the next target tokens.

        Args:
            token_ids: int32 `(B, n)`.
            rows: as `remember` or `advance` gave them; they are used up.
            source: the memory, with the `padding_mask` of the source in it.
            now: what `clock.advance_clock` says of this step.
            with_attention: bool. Whether to say where in the source it looked.

        Returns:
            `(hidden, rows, attention)`: float `(B, n, D)`; and float32 `(B, n, S)`, or
            `None`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define `advance`")

    def logits(self, hidden, training):
        """Of the token after each position, float32 `(B, T, V)`."""
        raise NotImplementedError(f"{type(self).__name__} must define `logits`")

    def _step(self, token_ids, state, padding_mask, last_only, with_attention):
        token_ids = ops.convert_to_tensor(token_ids)
        num_positions = ops.shape(token_ids)[1]
        clock, now = advance_clock(state["clock"], num_positions, padding_mask)
        hidden, rows, attention = self.advance(
            token_ids, state["rows"], state["source"], now, with_attention
        )
        if last_only:
            hidden = hidden[:, -1:]
        state = {**state, "clock": clock, "rows": rows}
        return self.logits(hidden, False), state, attention


def source_size(vocabulary_size, source_vocabulary_size, share_embeddings):
    """The number of different source tokens.

    Args:
        vocabulary_size: int, of the target.
        source_vocabulary_size: int, or `None` for the same.
        share_embeddings: bool. Whether source and target have one table of embeddings.

    Returns:
        int.

    Raises:
        ValueError: it is below 1, or another than the target's where they share.
    """
    size = vocabulary_size if source_vocabulary_size is None else source_vocabulary_size
    check_sizes(source_vocabulary_size=size)
    if share_embeddings and size != vocabulary_size:
        raise ValueError(
            "`source_vocabulary_size` must be `vocabulary_size`, or None, unless "
            f"share_embeddings=False. Received: source_vocabulary_size={size}, "
            f"vocabulary_size={vocabulary_size}"
        )
    return size


def _as_bool(mask):
    return None if mask is None else ops.cast(mask, "bool")
