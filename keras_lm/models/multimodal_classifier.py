"""A classifier of what is seen, heard and read together."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_sizes, seed_of
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.modality_dropout import ModalityDropout
from keras_lm.layers.multimodal_block import MultimodalBlock
from keras_lm.models.stream_spec import check_array, check_specs, embedding, signature


@keras.saving.register_keras_serializable(package="keras_lm")
class MultimodalClassifier(keras.Model):
    """One class for an example of several streams, any of which may be missing.

    Each stream has an embedding of its kind; `num_layers` blocks let every stream
    attend to itself and to the others; the mean over the real steps of each stream, and
    then over the streams that are there, gives the logits.

    Shapes: `B` batch, `N` samples, `T` tokens.

    Args:
        streams: dict of dict, by the stream's name. `{"kind": "image", "shape": [H, W,
            C], "patch_size": P}`; `{"kind": "audio", "num_samples": N, "sampling_rate":
            R}` and, if wanted, `num_mel_bins`, `frame_length`, `frame_step`,
            `frames_per_step` (`AudioEmbedding`); `{"kind": "text", "vocabulary_size":
            V, "max_length": T}`.
        num_classes: int, at least 1.
        num_layers: int, at least 1. Number of blocks.
        num_heads: int, at least 1, divides `hidden_dim`.
        hidden_dim: int. Width of the model's state.
        intermediate_dim: int. Width inside the feed-forward networks.
        dropout: float, 0 to 1. Fraction dropped after the embeddings, in attention
            weights and after each sub-layer, in training.
        fusion: "bottleneck" or "cross" (`MultimodalAttention`).
        num_latents: int, at least 1. Of a bottleneck.
        modality_dropout: float, 0 to 1. Fraction of the examples that lose one of their
            streams in training. 0 where the answer needs them all.
        seed: int or `None`. Of the dropouts.

    Call arguments:
        inputs: dict. Under a stream's name its array: image float `(B, H, W, C)`, audio
            float `(B, N)`, text int `(B, T)`. A stream that is left out is absent from
            the batch. Under `"<name>_present"` bool `(B,)`, `False` where an example
            lacks the stream, whatever its array holds. Under `"<name>_mask"`, of audio
            and text, bool `(B, N)` or `(B, T)`, `True` = a real sample or token.
        training: bool. Whether the dropouts apply.

    Returns:
        float32 `(B, num_classes)`: logits; where nothing is present, the head's bias.

    Raises:
        ValueError: a size, a name or a stream's description is not as above; or a call
            has no stream, an unknown key, or an array of another shape.

    Example:
        >>> model = MultimodalClassifier(
        ...     {"photo": {"kind": "image", "shape": [8, 8, 1], "patch_size": 4},
        ...      "question": {"kind": "text", "vocabulary_size": 50, "max_length": 9}},
        ...     num_classes=3, num_layers=1, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32)
        >>> inputs = {"photo": ops.ones((2, 8, 8, 1)),
        ...           "question": ops.ones((2, 5), "int32"),
        ...           "photo_present": np.array([True, False])}
        >>> tuple(model(inputs).shape)
        (2, 3)

    Source: https://arxiv.org/abs/2107.00135.
    """

    def __init__(
        self,
        streams,
        num_classes,
        num_layers,
        num_heads,
        hidden_dim,
        intermediate_dim,
        dropout=0.0,
        fusion="bottleneck",
        num_latents=4,
        modality_dropout=0.3,
        seed=None,
        **kwargs,
    ):
        check_sizes(num_classes=num_classes, num_layers=num_layers)
        check_specs(streams)
        super().__init__(**kwargs)
        self.autocast = False  # each embedding casts its stream; samples stay float32
        self.streams = {name: dict(spec) for name, spec in streams.items()}
        self.num_classes = num_classes
        self.num_layers = num_layers
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.fusion = fusion
        self.num_latents = num_latents
        self.modality_dropout = modality_dropout
        self.seed = seed

        policy = self.dtype_policy
        self.embeddings = {
            name: embedding(spec, hidden_dim, dtype=policy, name=f"embed_{name}")
            for name, spec in streams.items()
        }
        self.drop_modalities = ModalityDropout(
            modality_dropout, seed, dtype=policy, name="modality_dropout"
        )
        self.dropout_layer = Dropout(
            dropout, seed=seed_of(seed, 1), dtype=policy, name="dropout"
        )
        self.blocks = [
            MultimodalBlock(
                list(streams),
                num_heads,
                hidden_dim,
                intermediate_dim,
                fusion,
                num_latents,
                dropout,
                seed=seed_of(seed, 10_000 * (i + 1)),
                dtype=policy,
                name=f"block_{i}",
            )
            for i in range(num_layers)
        ]
        self.final_norms = {
            name: keras.layers.LayerNormalization(
                epsilon=1e-5, dtype=policy, name=f"final_norm_{name}"
            )
            for name in streams
        }
        self.head = keras.layers.Dense(num_classes, dtype="float32", name="head")
        self.build(
            {name: shape for name, (shape, _) in self.stream_signature().items()}
        )

    def build(self, inputs_shape):
        if self.built:
            return
        hidden_shape = (None, None, self.hidden_dim)
        for name, shape in inputs_shape.items():
            self.embeddings[name].build(shape)
            self.final_norms[name].build(hidden_shape)
        for block in self.blocks:
            block.build({name: hidden_shape for name in self.streams})
        self.head.build((None, self.hidden_dim))
        self.built = True

    def call(self, inputs, training=None):
        self._check_inputs(inputs)
        hidden, masks = self._embed(inputs, training)
        for block in self.blocks:
            hidden = block(hidden, masks=masks, training=training)
        return self.head(self._pool(hidden, masks))

    # With this, Keras does not try out an unknown length with a number of its own.
    def compute_output_spec(self, inputs, training=None):
        self._check_inputs(inputs)
        batch = next(iter(inputs.values())).shape[0]
        return keras.KerasTensor((batch, self.num_classes), dtype="float32")

    def get_config(self):
        return {
            **super().get_config(),
            "streams": {name: dict(spec) for name, spec in self.streams.items()},
            "num_classes": self.num_classes,
            "num_layers": self.num_layers,
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "dropout": self.dropout,
            "fusion": self.fusion,
            "num_latents": self.num_latents,
            "modality_dropout": self.modality_dropout,
            "seed": self.seed,
        }

    def stream_signature(self):
        """Shape and dtype of each stream's array.

        Returns:
            dict of `(shape, dtype)`, by name; the batch, first in the shape, is `None`.
        """
        return {name: signature(spec) for name, spec in self.streams.items()}

    def _check_inputs(self, inputs):
        known = {name: None for name in self.streams}
        known |= {f"{name}_present": None for name in self.streams}
        known |= {
            f"{name}_mask": None
            for name, spec in self.streams.items()
            if spec["kind"] != "image"
        }
        unknown = sorted(set(inputs) - set(known))
        if unknown:
            raise ValueError(
                f"`inputs` must have keys among {sorted(known)}. Received: {unknown}"
            )
        if not set(inputs) & set(self.streams):
            raise ValueError(
                f"`inputs` must have at least one stream of {list(self.streams)}. "
                f"Received: {sorted(inputs)}"
            )
        for name in set(inputs) & set(self.streams):
            check_array(name, inputs[name], self.streams[name])

    def _embed(self, inputs, training):
        """Each stream `(B, T, D)`, and what of it is to be seen, bool `(B, T)`."""
        hidden, real, here = {}, {}, []
        for name in (name for name in self.streams if name in inputs):
            array, mask = inputs[name], inputs.get(f"{name}_mask")
            if self.streams[name]["kind"] == "audio":
                embedded, mask = self.embeddings[name](array, sample_mask=mask)
            else:
                embedded = self.embeddings[name](array)
            if mask is None:
                mask = ops.ones(ops.shape(embedded)[:2], "bool")
            hidden[name] = self.dropout_layer(embedded, training=training)
            real[name] = ops.cast(mask, "bool")
            present = ops.any(real[name], axis=1)
            if inputs.get(f"{name}_present") is not None:
                said = ops.cast(inputs[f"{name}_present"], "bool")
                present = ops.logical_and(present, ops.reshape(said, (-1,)))
            here.append(present)
        present = self.drop_modalities(ops.stack(here, axis=1), training=training)
        for place, name in enumerate(hidden):
            real[name] = ops.logical_and(real[name], present[:, place : place + 1])
        return hidden, real

    def _pool(self, hidden, masks):
        """Mean over the real steps of each stream, then over the present streams."""
        means, here = 0.0, 0.0
        for name, stream in hidden.items():
            real = ops.expand_dims(ops.cast(masks[name], "float32"), -1)  # (B, T, 1)
            count = ops.sum(real, axis=1)  # (B, 1)
            normal = ops.cast(self.final_norms[name](stream), "float32")
            means = means + ops.sum(normal * real, axis=1) / ops.maximum(count, 1.0)
            here = here + ops.cast(count > 0, "float32")
        return means / ops.maximum(here, 1.0)  # (B, D)
