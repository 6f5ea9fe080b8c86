"""Text generation: samplers, the decoding loop, and the protocol it rests on."""

from keras_lm.generation import samplers
from keras_lm.generation.generate import generate, stream

__all__ = ["generate", "samplers", "stream"]
