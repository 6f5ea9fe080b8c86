"""Fusion through a few latents that the streams write and read (Nagrani, 2021)."""

import keras
from keras import ops

from keras_lm.layers.masks import causal_mask
from keras_lm.layers.multi_head_attention import MultiHeadAttention


class BottleneckFusion(keras.layers.Layer):
    """Streams meet in `b` latent vectors: the cost grows with streams, not with pairs.

    With `s_m` the steps of stream `m`, `z` the learned latents, and `p_m` 1 where the
    stream has a visible step and 0 elsewhere:

        w_m = attention_m(z ; [s_m, z])                 what the latents take from m
        z'  = z + sum_m p_m w_m / sum_m p_m             their mean; z where nobody is
        r_m = attention'_m(s_m ; [s_m, z'])             what m reads

    Latents are normalised wherever they are attended with or to. A causal stream does
    not write (latents have no time: its future would be in them), and sees its own
    steps causally.

    Shapes: `B` batch, `H` heads, `T` steps of a stream, `b` latents, `D` inner width.

    Args:
        widths: dict of int. Width of what each stream reads, by its name.
        num_latents: int, `b`.
        causal_modalities: names of the streams that only read.
        arguments: dict, of the attention layers, without `seed`; `D` is
            `num_heads * key_dim`.
        seed: int or `None`. Of the dropout.

    Call arguments:
        streams: dict of float `(B, T, D)`.
        visible: dict of bool `(B, T)`. `True` = a real step of a present stream.
        training: bool. Whether dropout applies.

    Returns:
        `(read, scores)`: dict of float `(B, T, width)`; and `{"write": {m: (B, H, b,
        T + b)}, "read": {m: (B, H, T, T + b)}}`, latents last among the keys, with
        `None` for each when no scores were asked for.
    """

    def __init__(
        self, widths, num_latents, causal_modalities, arguments, seed=None, **kwargs
    ):
        super().__init__(**kwargs)
        self.num_latents = num_latents
        self.width = arguments["num_heads"] * arguments["key_dim"]
        self.causal_modalities = tuple(causal_modalities)
        self.latent_norm = keras.layers.LayerNormalization(
            epsilon=1e-5, dtype=self.dtype_policy, name="latent_norm"
        )
        self.writers, self.readers = {}, {}
        for place, (name, width) in enumerate(widths.items()):
            arguments = {**arguments, "dtype": self.dtype_policy}
            write, read = (
                None if seed is None else seed + 2 * place + i for i in range(2)
            )
            if name not in self.causal_modalities:
                self.writers[name] = MultiHeadAttention(
                    **arguments, output_dim=self.width, seed=write, name=f"write_{name}"
                )
            self.readers[name] = MultiHeadAttention(
                **arguments, output_dim=width, seed=read, name=f"read_{name}"
            )

    def build(self, streams_shape):
        self.latents = self.add_weight(
            shape=(self.num_latents, self.width),
            initializer=keras.initializers.RandomNormal(stddev=1.0),
            name="latents",
        )
        inner = (None, None, self.width)
        self.latent_norm.build(inner)
        for attention in (*self.writers.values(), *self.readers.values()):
            attention.build(inner, inner)

    def call(self, streams, visible, return_attention_scores=False, training=None):
        first = next(iter(visible.values()))
        shape = (ops.shape(first)[0], self.num_latents, self.width)
        latents = ops.cast(self.latents, self.compute_dtype)
        latents = ops.broadcast_to(ops.expand_dims(latents, 0), shape)  # (B, b, D)
        always = ops.ones(shape[:2], "bool")

        def attend(attention, query, name, latents, mask=None):
            output = attention(
                query,
                ops.concatenate([streams[name], latents], axis=1),  # (B, T + b, D)
                value_mask=ops.concatenate([visible[name], always], axis=1),
                attention_mask=mask,
                return_attention_scores=return_attention_scores,
                training=training,
            )
            return output if return_attention_scores else (output, None)

        scores = {"write": {}, "read": {}}
        read, written, shares = {}, 0.0, self.shares(visible)
        normal = self.latent_norm(latents)
        for name, share in shares.items():
            taken, scores["write"][name] = attend(
                self.writers[name], normal, name, normal
            )
            share = ops.cast(ops.reshape(share, (-1, 1, 1)), taken.dtype)
            written = written + share * taken
        normal = self.latent_norm(latents + written)
        for name, stream in streams.items():
            mask = None
            if name in self.causal_modalities:
                mask = self._causal(ops.shape(stream)[1])
            read[name], scores["read"][name] = attend(
                self.readers[name], stream, name, normal, mask
            )
        return read, scores

    def shares(self, visible):
        """Each writer's part in the mean, `p_m / sum_n p_n`: dict of float32 `(B,)`."""
        here = {
            name: ops.cast(ops.any(visible[name], axis=1), "float32")
            for name in self.writers
            if name in visible
        }
        total = ops.maximum(sum(here.values()), 1.0)
        return {name: present / total for name, present in here.items()}

    def relations(self, scores, visible):
        """Where each stream's reading comes from: by itself, and by way of the latents.

        Args:
            scores: as `call` gives them.
            visible: as `call` takes it.

        Returns:
            dict of reader to dict of source to float32 `(B, T, S)`, heads averaged.
            What is missing to 1 in a row of all sources together comes from the
            latents' own vectors.
        """
        read = {name: _mean_head(array) for name, array in scores["read"].items()}
        write = {name: _mean_head(array) for name, array in scores["write"].items()}
        shares = self.shares(visible)
        found = {}
        for reader, weights in read.items():
            own = ops.shape(weights)[1]
            found[reader] = {
                source: ops.matmul(
                    weights[:, :, own:],  # (B, T, b)
                    taken[:, :, : ops.shape(visible[source])[1]]  # (B, b, S)
                    * ops.reshape(shares[source], (-1, 1, 1)),
                )
                for source, taken in write.items()
            }
            itself = found[reader].get(reader, 0.0)
            found[reader][reader] = itself + weights[:, :, :own]
        return found

    def _causal(self, num_steps):
        """A step sees those up to its own, and all latents: bool `(T, T + b)`."""
        latents = ops.ones((num_steps, self.num_latents), "bool")
        return ops.concatenate([causal_mask(num_steps, num_steps), latents], axis=1)


def _mean_head(weights):
    return ops.mean(ops.cast(weights, "float32"), axis=1)
