"""What goes into `compile()` and `fit()`: loss, metric, schedule, checkpoints."""

from keras_lm.training.anneal_kl import AnnealKL
from keras_lm.training.consecutive_segments import ConsecutiveSegments
from keras_lm.training.masked_cross_entropy import MaskedCrossEntropy
from keras_lm.training.n_gram_model import NGramModel
from keras_lm.training.perplexity import Perplexity
from keras_lm.training.predict_mc import predict_mc
from keras_lm.training.resumable_checkpoint import ResumableCheckpoint
from keras_lm.training.warmup_cosine import WarmupCosine

__all__ = [
    "AnnealKL",
    "ConsecutiveSegments",
    "MaskedCrossEntropy",
    "NGramModel",
    "Perplexity",
    "ResumableCheckpoint",
    "WarmupCosine",
    "predict_mc",
]
