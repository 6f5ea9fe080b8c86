"""Ships a pipeline: a SavedModel, a LiteRT file, a CTranslate2 model."""

from keras_lm.export.export_ctranslate2 import export_ctranslate2
from keras_lm.export.export_error import ExportError
from keras_lm.export.export_litert import export_litert
from keras_lm.export.export_report import ExportReport
from keras_lm.export.export_saved_model import export_saved_model

__all__ = [
    "ExportError",
    "ExportReport",
    "export_ctranslate2",
    "export_litert",
    "export_saved_model",
]
