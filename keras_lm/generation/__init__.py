"""Text generation: samplers, the decoding loops, and the protocol they rest on."""

from keras_lm.generation import samplers
from keras_lm.generation.batches_by_length import batches_by_length
from keras_lm.generation.beam_search import beam_search
from keras_lm.generation.generate import generate, stream
from keras_lm.generation.hypotheses import Hypotheses
from keras_lm.generation.replace_unknown import replace_unknown

__all__ = [
    "Hypotheses",
    "batches_by_length",
    "beam_search",
    "generate",
    "replace_unknown",
    "samplers",
    "stream",
]
