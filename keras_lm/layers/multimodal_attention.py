"""Attention between streams of different kinds, any of which may be missing."""

import keras
from keras import ops

from keras_lm.layers.bottleneck_fusion import BottleneckFusion
from keras_lm.layers.cross_fusion import CrossFusion
from keras_lm.layers.modality_dropout import ModalityDropout
from keras_lm.layers.streams import (
    check_names,
    check_streams,
    keep_present,
    real_steps,
)

FUSIONS = ("bottleneck", "cross")


@keras.saving.register_keras_serializable(package="keras_lm")
class MultimodalAttention(keras.layers.Layer):
    """Lets text, images, sounds, .. read one another; survives a stream that is absent.

    With `x_m` the steps of stream `m` and `e_m` a learned vector that marks its kind:

        s_m  = W_m normalize(x_m) + e_m
        x_m' = x_m + tanh(a_m) read_m(s_1 .. s_M)

    What is read is found by one of two fusions. "bottleneck": all streams write into a
    few latent vectors, and read these and themselves; the cost grows with the sum of
    the lengths. "cross": each stream attends to all steps of all others directly; the
    cost grows with the products. With `a_m` 0 the layer gives its input back, so it may
    be put into a trained model without harm, and learns how far to open the gate.

    An absent stream, or one without a single real step, has exactly no influence: no
    one sees it, it leaves every mean, and its own output is 0.

    Shapes: `B` batch, `M` streams, `T` steps and `E` width of a stream (each its own),
    `H` heads, `b` latents, `S` steps that a stream reads.

    Args:
        num_heads: int, at least 1, `H`.
        key_dim: int, at least 1. Width of a head; inside, all streams have the width
            `num_heads * key_dim`.
        modalities: list of str. Names of the streams.
        fusion: "bottleneck" or "cross".
        num_latents: int, at least 1, `b`. For "bottleneck".
        gated: bool. Whether there are gates; without, all is added as it is.
        gate_init: float. The gates `a_m` at first: 0 to add the layer to a trained
            model, 1 when everything is trained from scratch.
        modality_dropout: float, 0 to 1. Fraction of the examples that lose one of
            their streams in training (`ModalityDropout`). A model of several such
            layers drops once, before the first, and has 0 here.
        causal_modalities: names of streams of which no step may depend on a later one:
            they read, themselves causally, and nobody reads them.
        dropout: float, 0 to 1. Fraction of attention weights dropped in training.
        seed: int or `None`. Of both dropouts.

    Call arguments:
        streams: dict of float `(B, T, E)`, by name. A stream that is left out is absent
            in the whole batch (but the layer must have been built with it).
        masks: dict of bool `(B, T)`, or `None`. `True` = a real step. Streams that are
            not in it are real throughout.
        present: dict of bool `(B,)`, or `None`. `False` = the example lacks the stream,
            whatever stands in its place. Streams that are not in it are present.
        return_attention_scores: bool. Also gives the weights, built whole.
        training: bool. Whether the dropouts apply.

    Returns:
        dict of float `(B, T, E)`, the streams of the call; with
        `return_attention_scores` also a dict of weights: under "read" what each stream
        attends to, `(B, H, T, S)`, and under "write", of a bottleneck, what the latents
        attend to in each stream, `(B, H, b, T + b)`. A bottleneck's keys are the steps
        of the stream and then the latents; those of "cross" are the steps of the others
        in the order of `modalities`. `relations` makes matrices of streams of them.

    Raises:
        ValueError: a size, a name, a fraction or `fusion` is not as above; all streams
            are causal; or a call has no stream, an unknown one, or one that is not of
            rank 3.

    Example:
        >>> attention = MultimodalAttention(2, 8, ["image", "text"])
        >>> streams = {"image": keras.random.normal((3, 4, 6)),
        ...            "text": keras.random.normal((3, 5, 7))}
        >>> fused = attention(streams, present={"image": np.array([True, False, True])})
        >>> tuple(fused["image"].shape), tuple(fused["text"].shape)
        ((3, 4, 6), (3, 5, 7))

    Source: https://arxiv.org/abs/2107.00135 (bottleneck);
        https://arxiv.org/abs/1906.00295 (cross);
        https://arxiv.org/abs/2204.14198 (gate).
    """

    def __init__(
        self,
        num_heads,
        key_dim,
        modalities,
        fusion="bottleneck",
        num_latents=4,
        gated=True,
        gate_init=0.0,
        modality_dropout=0.3,
        causal_modalities=(),
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        sizes = {"num_heads": num_heads, "key_dim": key_dim, "num_latents": num_latents}
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(
                    f"`{name}` must be at least 1. Received: {name}={size}"
                )
        check_names(list(modalities), list(causal_modalities))
        if fusion not in FUSIONS:
            raise ValueError(
                f"`fusion` must be one of {FUSIONS}. Received: fusion={fusion!r}"
            )
        if not 0 <= dropout < 1:
            raise ValueError(
                f"`dropout` must be at least 0 and below 1. Received: dropout={dropout}"
            )
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.key_dim = key_dim
        self.modalities = list(modalities)
        self.fusion = fusion
        self.num_latents = num_latents
        self.gated = gated
        self.gate_init = gate_init
        self.causal_modalities = list(causal_modalities)
        self.dropout = dropout
        self.seed = seed
        self.supports_masking = True
        self.modality_dropout = ModalityDropout(
            modality_dropout, seed, dtype=self.dtype_policy, name="modality_dropout"
        )
        self.norms = {
            name: keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=self.dtype_policy, name=f"norm_{name}"
            )
            for name in self.modalities
        }
        self.projections = {
            name: keras.layers.Dense(
                num_heads * key_dim, dtype=self.dtype_policy, name=f"project_{name}"
            )
            for name in self.modalities
        }

    def build(self, streams_shape):
        given = streams_shape if isinstance(streams_shape, dict) else {}
        missing = [name for name in self.modalities if given.get(name) is None]
        if missing:
            raise ValueError(
                "The first call must have all streams, in a dictionary by name, so "
                f"that their widths are known. Received: streams without {missing}, "
                f"named {sorted(given)}"
            )
        arguments = {
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "dropout": self.dropout,
        }
        options = {
            "widths": {name: streams_shape[name][-1] for name in self.modalities},
            "causal_modalities": self.causal_modalities,
            "arguments": arguments,
            "seed": None if self.seed is None else self.seed + 1,
            "dtype": self.dtype_policy,
            "name": self.fusion,
        }
        if self.fusion == "bottleneck":
            self.fuse = BottleneckFusion(num_latents=self.num_latents, **options)
        else:
            self.fuse = CrossFusion(**options)
        self.fuse.build(None)
        for name in self.modalities:
            self.norms[name].build(streams_shape[name])
            self.projections[name].build(streams_shape[name])
        self.kinds = self.add_weight(
            shape=(len(self.modalities), self.num_heads * self.key_dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02),
            name="kinds",
        )
        if self.gated:
            self.gates = self.add_weight(
                shape=(len(self.modalities),),
                initializer=keras.initializers.Constant(self.gate_init),
                name="gates",
            )

    def call(
        self,
        streams,
        masks=None,
        present=None,
        return_attention_scores=False,
        training=None,
    ):
        visible = self._visible(streams, masks, present, training)
        streams, inner = self._prepare(streams, visible)
        read, scores = self.fuse(
            inner,
            visible,
            return_attention_scores=return_attention_scores,
            training=training,
        )
        fused = {}
        for name, stream in streams.items():
            if name in read:
                stream = stream + self._gate(name) * read[name]
            fused[name] = keep_present(stream, visible[name])
        return (fused, scores) if return_attention_scores else fused

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "key_dim": self.key_dim,
            "modalities": list(self.modalities),
            "fusion": self.fusion,
            "num_latents": self.num_latents,
            "gated": self.gated,
            "gate_init": self.gate_init,
            "modality_dropout": self.modality_dropout.rate,
            "causal_modalities": list(self.causal_modalities),
            "dropout": self.dropout,
            "seed": self.seed,
        }

    def compute_mask(self, inputs, previous_mask):
        return None

    def relations(self, streams, masks=None, present=None):
        """How much each step of each stream takes from each step of each stream.

        Args:
            streams: as `call` takes it.
            masks: the same.
            present: the same.

        Returns:
            dict of reader to dict of source to float32 `(B, T, S)`, at least 0, heads
            averaged. In "cross", the rows of all sources together sum to 1. In
            "bottleneck", where the way leads over the latents (their reading times
            their writing), to 1 but for what the latents' own vectors are given.
        """
        visible = self._visible(streams, masks, present, training=False)
        _, inner = self._prepare(streams, visible)
        _, scores = self.fuse(inner, visible, return_attention_scores=True)
        return self.fuse.relations(scores, visible)

    def _visible(self, streams, masks, present, training):
        """Real steps of present streams: dict of bool `(B, T)`, by name in order."""
        masks, present = masks or {}, present or {}
        check_streams(streams, masks, present, self.modalities)
        names = [name for name in self.modalities if name in streams]
        real = {name: real_steps(streams[name], masks.get(name)) for name in names}
        here = [ops.any(real[name], axis=1) for name in names]
        for place, name in enumerate(names):
            if present.get(name) is not None:
                said = ops.reshape(ops.cast(present[name], "bool"), (-1,))
                here[place] = ops.logical_and(here[place], said)
        here = self.modality_dropout(ops.stack(here, axis=1), training=training)
        return {
            name: ops.logical_and(real[name], here[:, place : place + 1])
            for place, name in enumerate(names)
        }

    def _prepare(self, streams, visible):
        """Absent streams as 0, and all as the fusion takes them."""
        kept, inner = {}, {}
        for place, name in enumerate(self.modalities):
            if name in visible:
                stream = ops.convert_to_tensor(streams[name], self.compute_dtype)
                kept[name] = keep_present(stream, visible[name])
                projected = self.projections[name](self.norms[name](kept[name]))
                inner[name] = projected + ops.cast(self.kinds[place], projected.dtype)
        return kept, inner

    def _gate(self, name):
        if not self.gated:
            return ops.cast(1.0, self.compute_dtype)
        gate = self.gates[self.modalities.index(name)]
        return ops.cast(ops.tanh(gate), self.compute_dtype)
