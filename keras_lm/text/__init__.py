"""Text: corpora, tokenizers and datasets, from strings to arrays for `fit`.

TensorFlow is loaded by what is called a dataset, `GraphTokenizer` and `GraphWordPiece`
when they are used, and by nothing else here.
"""

from typing import TYPE_CHECKING

from keras_lm.text.bio_labels import bio_labels
from keras_lm.text.bio_spans import bio_spans
from keras_lm.text.chat_dataset import chat_dataset
from keras_lm.text.classification_dataset import classification_dataset
from keras_lm.text.consecutive_segments import consecutive_segments
from keras_lm.text.contrastive_dataset import contrastive_dataset
from keras_lm.text.denoising_dataset import denoising_dataset
from keras_lm.text.docstring_corpus import docstring_corpus
from keras_lm.text.document import Document
from keras_lm.text.encode_corpus import encode_corpus
from keras_lm.text.hugging_face_tokenizer import HuggingFaceTokenizer
from keras_lm.text.language_model_dataset import language_model_dataset
from keras_lm.text.masked_dataset import masked_dataset
from keras_lm.text.parallel_dataset import parallel_dataset
from keras_lm.text.question_answering_dataset import question_answering_dataset
from keras_lm.text.read_corpus import read_corpus
from keras_lm.text.read_pairs import read_pairs
from keras_lm.text.read_word_vectors import read_word_vectors
from keras_lm.text.replaced_token_dataset import replaced_token_dataset
from keras_lm.text.sense_dataset import sense_dataset
from keras_lm.text.sentence_pair_dataset import sentence_pair_dataset
from keras_lm.text.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_lm.text.similarity_dataset import similarity_dataset
from keras_lm.text.span_denoising import SpanDenoising
from keras_lm.text.split_documents import split_documents
from keras_lm.text.split_sentences import split_sentences
from keras_lm.text.split_words import split_words
from keras_lm.text.stream_decoder import StreamDecoder
from keras_lm.text.tagging_dataset import tagging_dataset
from keras_lm.text.teacher_forcing import teacher_forcing
from keras_lm.text.text_infilling import TextInfilling
from keras_lm.text.train_tokenizer import train_tokenizer
from keras_lm.text.word_masking import WordMasking
from keras_lm.text.word_net import WordNet
from keras_lm.text.word_starts import WordStarts

if TYPE_CHECKING:  # for editors; at run time `__getattr__` does it
    from keras_lm.text.graph_tokenizer import GraphTokenizer
    from keras_lm.text.graph_word_piece import GraphWordPiece

__all__ = [
    "Document",
    "GraphTokenizer",
    "GraphWordPiece",
    "HuggingFaceTokenizer",
    "SentencePieceTokenizer",
    "SpanDenoising",
    "StreamDecoder",
    "TextInfilling",
    "WordMasking",
    "WordNet",
    "WordStarts",
    "bio_labels",
    "bio_spans",
    "chat_dataset",
    "classification_dataset",
    "consecutive_segments",
    "contrastive_dataset",
    "denoising_dataset",
    "docstring_corpus",
    "encode_corpus",
    "language_model_dataset",
    "masked_dataset",
    "parallel_dataset",
    "question_answering_dataset",
    "read_corpus",
    "read_pairs",
    "read_word_vectors",
    "replaced_token_dataset",
    "sense_dataset",
    "sentence_pair_dataset",
    "similarity_dataset",
    "split_documents",
    "split_sentences",
    "split_words",
    "tagging_dataset",
    "teacher_forcing",
    "train_tokenizer",
]


def __getattr__(name: str):
    if name == "GraphTokenizer":  # a tf.Module: its file imports TensorFlow
        from keras_lm.text.graph_tokenizer import GraphTokenizer

        return GraphTokenizer
    if name == "GraphWordPiece":
        from keras_lm.text.graph_word_piece import GraphWordPiece

        return GraphWordPiece
    raise AttributeError(f"module 'keras_lm.text' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
