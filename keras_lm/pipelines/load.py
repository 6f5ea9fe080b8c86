"""Reads a pipeline back from its directory."""

import json
from pathlib import Path

import keras

from keras_lm.pipelines.chat_generator import ChatGenerator
from keras_lm.pipelines.question_answerer import QuestionAnswerer
from keras_lm.pipelines.save_pipeline import tokenizer_names
from keras_lm.pipelines.stream_classifier import StreamClassifier
from keras_lm.pipelines.text_classifier import TextClassifier
from keras_lm.pipelines.text_embedder import TextEmbedder
from keras_lm.pipelines.text_generator import TextGenerator
from keras_lm.pipelines.text_to_text import TextToText
from keras_lm.pipelines.token_tagger import TokenTagger
from keras_lm.pipelines.word_sense import WordSense
from keras_lm.text import HuggingFaceTokenizer, SentencePieceTokenizer

# By the names that `save` writes.
PIPELINES = {
    "ChatGenerator": ChatGenerator,
    "QuestionAnswerer": QuestionAnswerer,
    "StreamClassifier": StreamClassifier,
    "TextClassifier": TextClassifier,
    "TextEmbedder": TextEmbedder,
    "TextGenerator": TextGenerator,
    "TextToText": TextToText,
    "TokenTagger": TokenTagger,
    "WordSense": WordSense,
}


def load(directory):
    """The pipeline that `save` wrote, on whatever backend Keras runs now.

    Nothing in the directory is run as code: the model is one of keras_lm's classes,
    made from its configuration and its numbers.

    Args:
        directory: str or path.

    Returns:
        The pipeline: a `TextGenerator`, a `ChatGenerator`, a `TextToText`, a
        `TextClassifier`, a `TokenTagger`, a `QuestionAnswerer`, a `TextEmbedder`, a
        `WordSense` or a `StreamClassifier`.

    Raises:
        FileNotFoundError: the directory, or a file in it, is not there.
        ValueError: it is not a pipeline's, or a file in it is cut off or another's.
    """
    directory = Path(directory)
    description = _read_description(directory)
    name = description.get("pipeline")
    if name not in PIPELINES:
        raise ValueError(
            f"`pipeline.json` must name a pipeline of keras_lm, {sorted(PIPELINES)}. "
            f"Received: {name!r} in {directory}"
        )
    tokenizers = dict.fromkeys(tokenizer_names(PIPELINES[name]))
    if description.get("has_tokenizer", True):
        for part in tokenizers:
            tokenizers[part] = _load_tokenizer(directory, part)
    model = _load_model(_present(directory / "model.keras"))
    settings = description["settings"]
    try:
        return PIPELINES[name](model, **tokenizers, **settings)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "The files of a pipeline must fit together. "
            f"Received: {directory}, where they do not ({error})"
        ) from error


def _read_description(directory):
    path = directory / "pipeline.json"
    if not path.is_file():
        raise FileNotFoundError(
            "A pipeline's directory must hold `pipeline.json`. "
            f"Received: {directory}, which does not"
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(description.get("settings"), dict):
            raise ValueError("no settings")
    except (ValueError, AttributeError) as error:
        raise ValueError(
            f"`pipeline.json` must be what `save` wrote. Received: {path}, which is "
            f"cut off or another's ({error})"
        ) from error
    return description


def _present(path):
    if not path.is_file():
        raise FileNotFoundError(
            f"A pipeline's directory must hold `{path.name}`. "
            f"Received: {path.parent}, which does not"
        )
    return path


def _load_tokenizer(directory, part):
    path = directory / f"{part}{HuggingFaceTokenizer.FILE_SUFFIX}"
    if path.is_file():
        return HuggingFaceTokenizer.load(path)
    path = directory / f"{part}{SentencePieceTokenizer.FILE_SUFFIX}"
    return SentencePieceTokenizer.load(_present(path))


def _load_model(path):
    import keras_lm.models  # noqa: F401, makes the classes known to Keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a cut-off archive can fail in any way
        raise ValueError(
            f"`model.keras` must be a whole model of keras_lm. Received: {path}, which "
            f"cannot be read ({type(error).__name__}: {error})"
        ) from error
