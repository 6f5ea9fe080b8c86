"""The skeleton of heads: an encoder, and a dense layer on the vectors it gives."""

import keras

from keras_lm.layers.arguments import check_dropout
from keras_lm.layers.dropout import Dropout
from keras_lm.models.quantized_layers import made_from, quantized_layers


class EncoderHead(keras.Model):
    """Logits of a text or of its tokens, by a dense layer on an encoder's vectors.

    A final class says what it is called with, `INPUTS`, and what it needs of an
    encoder, `NEEDS`; it defines `call`, by `hidden` and `head`. It is called with one
    dictionary, as `fit` and `predict` do.

    Shapes: `B` batch, `T` steps, `D` width of the encoder, `L` logits.

    Args:
        encoder: model. It is trained with the head.
        num_logits: int, at least 1, `L`.
        dropout: float, 0 to 1. Fraction dropped of the vectors before the head.
        seed: int or `None`. Of the dropout.

    Raises:
        TypeError: `encoder` is no model of that kind.
        ValueError: `dropout` is not a fraction.
    """

    INPUTS = ("token_ids", "padding_mask", "segment_ids")
    NEEDS = ("hidden_dim", "num_segments", "vocabulary_size", "max_sequence_length")

    def __init__(self, encoder, num_logits, dropout, seed, **kwargs):
        known = all(hasattr(encoder, name) for name in self.NEEDS)
        if not (isinstance(encoder, keras.Model) and known):
            needs = ", ".join(f"`{name}`" for name in self.NEEDS)
            raise TypeError(
                f"`encoder` must be a model with {needs}, as "
                "`models.TransformerEncoder` or `models.LSTMEncoder`. Received: "
                f"encoder={encoder!r:.80}"
            )
        check_dropout(dropout)
        super().__init__(**kwargs)
        self.encoder = encoder
        self.dropout = dropout
        self.seed = seed
        self.dropout_layer = Dropout(
            dropout, seed=seed, dtype=self.dtype_policy, name="dropout"
        )
        self.head = keras.layers.Dense(num_logits, dtype="float32", name="head")
        self.build({"token_ids": (None, None)})

    def build(self, inputs_shape):
        if self.built:
            return
        if not self.encoder.built:
            self.encoder.build(inputs_shape["token_ids"])
        self.head.build((None, self.encoder.hidden_dim))
        self.built = True

    def hidden(self, inputs, segment_ids, training):
        """The encoder's vectors.

        Args:
            inputs: dict, as `call` takes it.
            segment_ids: int `(B, T)` or `None`; an encoder without segments gets none.
            training: bool.

        Returns:
            float `(B, T, D)`.

        Raises:
            ValueError: `inputs` is no dictionary with `"token_ids"`, or has a key that
                is not known.
        """
        check_inputs(inputs, self.INPUTS)
        more = {}
        if self.encoder.num_segments > 1 and segment_ids is not None:
            more["segment_ids"] = segment_ids
        return self.encoder(
            inputs["token_ids"],
            padding_mask=inputs.get("padding_mask"),
            training=training,
            **more,
        )

    def get_config(self):
        encoder = keras.saving.serialize_keras_object(self.encoder)
        encoder.pop("compile_config", None)  # how it was trained before is no setting
        return {
            **super().get_config(),
            "encoder": encoder,
            "dropout": self.dropout,
            "seed": self.seed,
            **quantized_layers(self),
        }

    @classmethod
    def from_config(cls, config):
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return made_from(cls, {**config, "encoder": encoder})


def check_inputs(inputs, known):
    """Refuses what is no dictionary of the arrays that a model takes.

    Args:
        inputs: what the model was called with.
        known: names of what it takes, `"token_ids"` among them.

    Raises:
        ValueError: see `EncoderHead.hidden`.
    """
    if not isinstance(inputs, dict) or "token_ids" not in inputs:
        raise ValueError(
            '`inputs` must be a dictionary with "token_ids". Received: '
            + (str(sorted(inputs)) if isinstance(inputs, dict) else f"{inputs!r:.80}")
        )
    unknown = sorted(set(inputs) - set(known))
    if unknown:
        raise ValueError(
            f"`inputs` must have keys among {list(known)}. Received: {unknown}"
        )
