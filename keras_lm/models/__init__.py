"""Language models, one a file, all with the same inner order."""

from keras_lm.models.transformer_decoder import TransformerDecoder

__all__ = ["TransformerDecoder"]
