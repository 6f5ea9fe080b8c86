"""One block of a multimodal model: each stream to itself, to the others, onward."""

import keras

from keras_lm.layers.dropout import Dropout
from keras_lm.layers.feed_forward import FeedForward
from keras_lm.layers.multi_head_attention import MultiHeadAttention
from keras_lm.layers.multimodal_attention import MultimodalAttention


@keras.saving.register_keras_serializable(package="keras_lm")
class MultimodalBlock(keras.layers.Layer):
    """Self-attention in each stream, attention between them, a feed-forward network.

        x_m = x_m + attention_m(normalize(x_m))
        x   = MultimodalAttention(x)
        x_m = x_m + feed_forward_m(normalize(x_m))

    Shapes: `B` batch, `T` steps of a stream, `D` hidden width.

    Args:
        modalities: list of str. Names of the streams.
        num_heads: int, at least 1, divides `hidden_dim`.
        hidden_dim: int, `D`, of all streams.
        intermediate_dim: int, at least 1. Width inside the feed-forward networks.
        fusion: "bottleneck" or "cross".
        num_latents: int, at least 1. Of a bottleneck.
        dropout: float, 0 to 1. Fraction of attention weights and of each sub-layer's
            output dropped in training.
        seed: int or `None`. Of the dropout.

    Call arguments:
        streams: dict of float `(B, T, D)`, by name.
        masks: dict of bool `(B, T)`. `True` = a real step of a present stream; a stream
            without any is absent from the example.
        training: bool. Whether dropout applies.

    Returns:
        dict of float `(B, T, D)`.

    Raises:
        ValueError: `hidden_dim` is no multiple of `num_heads`.

    Example:
        >>> block = MultimodalBlock(["image", "text"], 2, 16, 32)
        >>> streams = {"image": ops.ones((3, 4, 16)), "text": ops.ones((3, 5, 16))}
        >>> streams = block(streams, masks={"text": ops.ones((3, 5), "bool")})
        >>> tuple(streams["text"].shape)
        (3, 5, 16)

    Source: https://arxiv.org/abs/2107.00135, section 3.
    """

    def __init__(
        self,
        modalities,
        num_heads,
        hidden_dim,
        intermediate_dim,
        fusion="bottleneck",
        num_latents=4,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        if num_heads < 1 or hidden_dim % num_heads:
            raise ValueError(
                "`hidden_dim` must be a multiple of `num_heads`. Received: "
                f"hidden_dim={hidden_dim}, num_heads={num_heads}"
            )
        super().__init__(**kwargs)
        self.modalities = list(modalities)
        self.num_heads = num_heads
        self.hidden_dim = hidden_dim
        self.intermediate_dim = intermediate_dim
        self.dropout = dropout
        self.seed = seed
        policy, key_dim = self.dtype_policy, hidden_dim // num_heads
        self.fusion = MultimodalAttention(
            num_heads,
            key_dim,
            self.modalities,
            fusion,
            num_latents,
            gate_init=1.0,
            modality_dropout=0.0,  # a model drops once, before its first block
            dropout=dropout,
            seed=seed,
            dtype=policy,
            name="fusion",
        )
        self.attentions, self.feed_forwards, self.norms = {}, {}, {}
        for place, name in enumerate(self.modalities):
            # Their own seeds, away from those that the fusion counts up.
            own = None if seed is None else seed + 1000 + place
            self.attentions[name] = MultiHeadAttention(
                num_heads,
                key_dim,
                dropout=dropout,
                seed=own,
                dtype=policy,
                name=f"attention_{name}",
            )
            self.feed_forwards[name] = FeedForward(
                intermediate_dim, dtype=policy, name=f"feed_forward_{name}"
            )
            for kind in ("attention", "feed_forward"):
                self.norms[f"{kind}_{name}"] = keras.layers.LayerNormalization(
                    epsilon=1e-5, dtype=policy, name=f"{kind}_norm_{name}"
                )
        self.dropout_layer = Dropout(
            dropout,
            seed=None if seed is None else seed + 999,
            dtype=policy,
            name="dropout",
        )

    def build(self, streams_shape):
        hidden_shape = (None, None, self.hidden_dim)
        self.fusion.build({name: hidden_shape for name in self.modalities})
        layers = (self.attentions, self.feed_forwards, self.norms)
        for layer in (layer for group in layers for layer in group.values()):
            layer.build(hidden_shape)

    def call(self, streams, masks=None, training=None):
        masks = masks or {}
        streams = dict(streams)
        for name, stream in streams.items():
            attended = self.attentions[name](
                self.norms[f"attention_{name}"](stream),
                value_mask=masks.get(name),
                training=training,
            )
            streams[name] = stream + self.dropout_layer(attended, training=training)
        streams = self.fusion(streams, masks=masks, training=training)
        for name, stream in streams.items():
            fed = self.feed_forwards[name](self.norms[f"feed_forward_{name}"](stream))
            streams[name] = stream + self.dropout_layer(fed, training=training)
        return streams

    def get_config(self):
        return {
            **super().get_config(),
            "modalities": list(self.modalities),
            "num_heads": self.num_heads,
            "hidden_dim": self.hidden_dim,
            "intermediate_dim": self.intermediate_dim,
            "fusion": self.fusion.fusion,
            "num_latents": self.fusion.num_latents,
            "dropout": self.dropout,
            "seed": self.seed,
        }
