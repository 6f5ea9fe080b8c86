"""Which pipelines can be exported, and where each kind says how.

A kind is a module with

    CHECKER                               the script for `run_check` that judges its
                                          exports, a path
    reference(pipeline, work)             what the model answers here: a dict for the
                                          script, with whatever `refuse` needs besides
    refuse(checked, expected)             raises `ExportError` where the SavedModel's
                                          answers are not these; gives the share of
                                          equal ones
    saved_model_signatures(pipeline)      `(signatures, kept)`: TensorFlow graphs, and
                                          what of theirs is to be kept besides weights
    litert_signatures(pipeline)           TensorFlow graphs
    litert_description(pipeline)          the dict that lies beside the file

of which the first three are used in the process that trained, where TensorFlow may not
be imported, and the others in the worker's. LiteRT files of every kind give numbers,
logits or a vector, so `export_litert.refuse_difference` judges them all.
"""

import importlib
from types import ModuleType

from keras_lm.pipelines import (
    ChatGenerator,
    QuestionAnswerer,
    StreamClassifier,
    TextClassifier,
    TextEmbedder,
    TextGenerator,
    TextToText,
    TokenTagger,
    WordSense,
)

KINDS = {
    TextGenerator: "text_generator_kind",
    ChatGenerator: "chat_generator_kind",
    TextToText: "text_to_text_kind",
    TextEmbedder: "text_embedder_kind",
    TextClassifier: "text_classifier_kind",
    QuestionAnswerer: "question_answerer_kind",
    TokenTagger: "token_tagger_kind",
    WordSense: "word_sense_kind",
    StreamClassifier: "stream_classifier_kind",
}


def kind_of(pipeline) -> ModuleType:
    """The module that says how a pipeline is exported.

    Args:
        pipeline: anything.

    Returns:
        module, see the top of this file.

    Raises:
        TypeError: it is no pipeline of `KINDS`.
    """
    for pipeline_class, name in KINDS.items():
        if isinstance(pipeline, pipeline_class):
            return importlib.import_module(f"keras_lm.export.{name}")
    *names, last = [pipeline_class.__name__ for pipeline_class in KINDS]
    raise TypeError(
        f"`pipeline` must be a `keras_lm.pipelines` object, {', '.join(names)} or "
        f"{last} (for a directory, `keras_lm.pipelines.load` gives it). "
        f"Received: {pipeline!r} of type {type(pipeline).__name__}"
    )
