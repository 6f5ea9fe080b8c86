"""What goes into `compile()` and `fit()`: losses, metrics, schedules, callbacks."""

from keras_lm.training.anneal_kl import AnnealKL
from keras_lm.training.average_checkpoints import AverageCheckpoints
from keras_lm.training.average_gradients import AverageGradients
from keras_lm.training.bleu_callback import BleuCallback
from keras_lm.training.classification_report import classification_report
from keras_lm.training.compare_texts import compare_texts
from keras_lm.training.consecutive_segments import ConsecutiveSegments
from keras_lm.training.contrastive_cross_entropy import ContrastiveCrossEntropy
from keras_lm.training.distinct_n import distinct_n
from keras_lm.training.distribute import distribute
from keras_lm.training.enable_lora import enable_lora
from keras_lm.training.freeze import freeze
from keras_lm.training.gradual_unfreezing import GradualUnfreezing
from keras_lm.training.inverse_square_root import InverseSquareRoot
from keras_lm.training.layerwise_rates import LayerwiseRates
from keras_lm.training.layout_map import layout_map
from keras_lm.training.load_adapters import load_adapters
from keras_lm.training.masked_cross_entropy import MaskedCrossEntropy
from keras_lm.training.merge_adapters import merge_adapters
from keras_lm.training.model_parallel import ModelParallel
from keras_lm.training.multi_label_report import multi_label_report
from keras_lm.training.n_gram_model import NGramModel
from keras_lm.training.perplexity import Perplexity
from keras_lm.training.predict_mc import predict_mc
from keras_lm.training.question_answering_report import (
    question_answering_report,
)
from keras_lm.training.replaced_token_cross_entropy import (
    ReplacedTokenCrossEntropy,
)
from keras_lm.training.resumable_checkpoint import ResumableCheckpoint
from keras_lm.training.retain_memory import retain_memory
from keras_lm.training.retrieval_report import retrieval_report
from keras_lm.training.save_adapters import save_adapters
from keras_lm.training.sense_report import sense_report
from keras_lm.training.similarity_error import SimilarityError
from keras_lm.training.similarity_report import similarity_report
from keras_lm.training.span_cross_entropy import SpanCrossEntropy
from keras_lm.training.span_report import span_report
from keras_lm.training.unfreeze import unfreeze
from keras_lm.training.warmup_cosine import WarmupCosine

__all__ = [
    "AnnealKL",
    "AverageCheckpoints",
    "AverageGradients",
    "BleuCallback",
    "ConsecutiveSegments",
    "ContrastiveCrossEntropy",
    "GradualUnfreezing",
    "InverseSquareRoot",
    "LayerwiseRates",
    "MaskedCrossEntropy",
    "ModelParallel",
    "NGramModel",
    "Perplexity",
    "ReplacedTokenCrossEntropy",
    "ResumableCheckpoint",
    "SimilarityError",
    "SpanCrossEntropy",
    "WarmupCosine",
    "classification_report",
    "compare_texts",
    "distinct_n",
    "distribute",
    "enable_lora",
    "freeze",
    "layout_map",
    "load_adapters",
    "merge_adapters",
    "multi_label_report",
    "predict_mc",
    "question_answering_report",
    "retain_memory",
    "retrieval_report",
    "save_adapters",
    "sense_report",
    "similarity_report",
    "span_report",
    "unfreeze",
]
