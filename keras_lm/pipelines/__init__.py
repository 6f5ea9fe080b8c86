"""Tokenizer and model: strings in, answer out. What people call and export."""

from keras_lm.pipelines.chat_generator import ChatGenerator
from keras_lm.pipelines.load import load
from keras_lm.pipelines.question_answerer import QuestionAnswerer
from keras_lm.pipelines.stream_classifier import StreamClassifier
from keras_lm.pipelines.text_classifier import TextClassifier
from keras_lm.pipelines.text_embedder import TextEmbedder
from keras_lm.pipelines.text_generator import TextGenerator
from keras_lm.pipelines.text_index import TextIndex
from keras_lm.pipelines.text_to_text import TextToText
from keras_lm.pipelines.token_tagger import TokenTagger
from keras_lm.pipelines.word_sense import WordSense

__all__ = [
    "ChatGenerator",
    "QuestionAnswerer",
    "StreamClassifier",
    "TextClassifier",
    "TextEmbedder",
    "TextGenerator",
    "TextIndex",
    "TextToText",
    "TokenTagger",
    "WordSense",
    "load",
]
