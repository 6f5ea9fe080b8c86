"""Fusion by direct attention from each stream to all others (Tsai, 2019)."""

import keras
from keras import ops

from keras_lm.layers.multi_head_attention import MultiHeadAttention


class CrossFusion(keras.layers.Layer):
    """Each stream attends to the steps of all others, in one softmax.

        r_m = attention_m(s_m ; [s_n for all n but m])

    Exact, and its cost grows with the product of the lengths. A causal stream reads and
    is read by no one (what the others read of its future would come back to it).

    Shapes: `B` batch, `H` heads, `T` steps of a stream, `S` steps of those it reads,
    `D` inner width.

    Args:
        widths: dict of int. Width of what each stream reads, by its name.
        causal_modalities: names of the streams that only read.
        arguments: dict, of the attention layers, without `seed`.
        seed: int or `None`. Of the dropout.

    Call arguments:
        streams: dict of float `(B, T, D)`.
        visible: dict of bool `(B, T)`. `True` = a real step of a present stream.
        training: bool. Whether dropout applies.

    Returns:
        `(read, scores)`: dict of float `(B, T, width)`, 0 where nothing is visible,
        without the streams that have no other to read; and `{"read": {m: (B, H, T,
        S)}}`, with `None` when no scores were asked for.
    """

    def __init__(self, widths, causal_modalities, arguments, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.width = arguments["num_heads"] * arguments["key_dim"]
        written = [name for name in widths if name not in causal_modalities]
        self.sources = {
            reader: [name for name in written if name != reader] for reader in widths
        }
        self.readers = {
            name: MultiHeadAttention(
                **arguments,
                output_dim=width,
                seed=None if seed is None else seed + place,
                dtype=self.dtype_policy,
                name=f"read_{name}",
            )
            for place, (name, width) in enumerate(widths.items())
            if self.sources[name]
        }

    def build(self, streams_shape):
        inner = (None, None, self.width)
        for attention in self.readers.values():
            attention.build(inner, inner)

    def call(self, streams, visible, return_attention_scores=False, training=None):
        read, scores = {}, {}
        for name, stream in streams.items():
            sources = self._sources(name, streams)
            if not sources:
                continue
            keys = ops.concatenate([streams[n] for n in sources], axis=1)  # (B, S, D)
            real = ops.concatenate([visible[n] for n in sources], axis=1)
            output = self.readers[name](
                stream,
                keys,
                value_mask=real,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            if return_attention_scores:
                output, scores[name] = output
            # The output projection has a bias: nothing to read must stay nothing.
            something = ops.reshape(ops.any(real, axis=1), (-1, 1, 1))
            read[name] = ops.where(something, output, ops.cast(0, output.dtype))
        return read, {"read": scores}

    def relations(self, scores, visible):
        """What each stream reads of each other.

        Args:
            scores: as `call` gives them.
            visible: as `call` takes it.

        Returns:
            dict of reader to dict of source to float32 `(B, T, S)`, heads averaged;
            a row of all sources together sums to 1, or to 0 where nothing is visible.
        """
        found = {}
        for reader, weights in scores["read"].items():
            weights = ops.mean(ops.cast(weights, "float32"), axis=1)  # (B, T, S)
            found[reader], start = {}, 0
            for source in self._sources(reader, visible):
                end = start + ops.shape(visible[source])[1]
                found[reader][source] = weights[:, :, start:end]
                start = end
        return found

    def _sources(self, reader, streams):
        return [name for name in self.sources[reader] if name in streams]
