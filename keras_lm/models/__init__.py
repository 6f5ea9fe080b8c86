"""Language models, and classifiers, one a file, all with the same inner order."""

from keras_lm.models.dual_encoder import DualEncoder
from keras_lm.models.encoder_decoder import EncoderDecoder
from keras_lm.models.lstm_encoder import LSTMEncoder
from keras_lm.models.lstm_encoder_decoder import LSTMEncoderDecoder
from keras_lm.models.lstm_language_model import LSTMLanguageModel
from keras_lm.models.masked_language_model import MaskedLanguageModel
from keras_lm.models.multimodal_classifier import MultimodalClassifier
from keras_lm.models.replaced_token_detector import ReplacedTokenDetector
from keras_lm.models.sequence_classifier import SequenceClassifier
from keras_lm.models.span_extractor import SpanExtractor
from keras_lm.models.token_classifier import TokenClassifier
from keras_lm.models.transformer_decoder import TransformerDecoder
from keras_lm.models.transformer_encoder import TransformerEncoder
from keras_lm.models.transformer_encoder_decoder import TransformerEncoderDecoder

__all__ = [
    "DualEncoder",
    "EncoderDecoder",
    "LSTMEncoder",
    "LSTMEncoderDecoder",
    "LSTMLanguageModel",
    "MaskedLanguageModel",
    "MultimodalClassifier",
    "ReplacedTokenDetector",
    "SequenceClassifier",
    "SpanExtractor",
    "TokenClassifier",
    "TransformerDecoder",
    "TransformerEncoder",
    "TransformerEncoderDecoder",
]
