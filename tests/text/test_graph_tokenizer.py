"""GraphTokenizer: the Python tokenizer's answers, also from a SavedModel."""

import json
import subprocess
import sys

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lm.text import GraphTokenizer, train_tokenizer
from tests.text.samples import (
    BYTES,
    CORPUS,
    HARD_TEXTS,
    INVALID_PARTS,
    TEXTS,
    TOKEN_IDS,
    TOKENIZER,
)

pytestmark = pytest.mark.once
GRAPH_TOKENIZER = encode = encode_with_offsets = decode = None


def setup_module():
    """Made here and not when pytest reads the file: to seed ends a GraphTokenizer."""
    global GRAPH_TOKENIZER, encode, encode_with_offsets, decode
    GRAPH_TOKENIZER = GraphTokenizer(TOKENIZER)
    encode = tf.function(
        GRAPH_TOKENIZER.encode, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    encode_with_offsets = tf.function(
        GRAPH_TOKENIZER.encode_with_offsets,
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    decode = tf.function(
        GRAPH_TOKENIZER.decode,
        input_signature=[tf.RaggedTensorSpec([None, None], tf.int32)],
    )


# A process that knows TensorFlow and nothing of ours.
READER = """
import json, sys
import tensorflow as tf
import tensorflow_text
module = tf.saved_model.load(sys.argv[1])
texts = [bytes.fromhex(text) for text in json.loads(sys.argv[2])]
others = module.encode_other(tf.constant(texts)).to_list()
rows = module.encode(tf.constant(texts))
texts = [text.decode("utf-8") for text in module.decode(rows).numpy()]
assert not any(name.startswith("keras_lm") for name in sys.modules)
print(json.dumps([rows.to_list(), texts, others]))
"""


def ragged(rows):
    return tf.ragged.constant(rows, tf.int32, ragged_rank=1)


def texts_of(answer):
    return [text.decode("utf-8") for text in answer.numpy()]


def test_hard_texts_survive():
    rows = encode(tf.constant(HARD_TEXTS))

    assert rows.dtype == tf.int32
    assert rows.to_list() == TOKENIZER.encode(HARD_TEXTS)
    assert texts_of(decode(rows)) == HARD_TEXTS


@settings(max_examples=200)
@given(st.lists(TEXTS | BYTES, min_size=1, max_size=3))
def test_encode_is_that_of_python(texts):
    assert encode(tf.constant(texts)).to_list() == TOKENIZER.encode(texts)


@settings(max_examples=200)
@given(st.lists(TOKEN_IDS, min_size=1, max_size=3))
def test_decode_is_that_of_python(rows):
    assert texts_of(decode(ragged(rows))) == TOKENIZER.decode(rows)


@pytest.mark.parametrize("part", INVALID_PARTS)
@pytest.mark.parametrize("around", [b"%s", "中%s文".encode(), b"\xe4\xb8%sa", b"%s%%s"])
def test_invalid_bytes_give_pythons_ids_and_text(part, around):
    data = around.replace(b"%s", part)

    rows = encode(tf.constant([data]))

    assert rows.to_list() == [TOKENIZER.encode(data)]
    assert texts_of(decode(rows)) == [data.decode("utf-8", "replace")]


def test_no_texts_and_no_tokens():
    assert encode(tf.constant([], tf.string)).to_list() == []
    assert texts_of(decode(ragged([[], []]))) == ["", ""]
    assert texts_of(GRAPH_TOKENIZER.decode(tf.zeros([2, 0], tf.int32))) == ["", ""]
    assert texts_of(GRAPH_TOKENIZER.decode(tf.constant([[0, 100], [100, 1]]))) == [
        "a",
        "a",
    ]


@pytest.mark.parametrize("token_id", [-1, TOKENIZER.vocabulary_size])
def test_an_id_out_of_range_is_refused(token_id):
    with pytest.raises(tf.errors.InvalidArgumentError, match="not in"):
        decode(ragged([[5, token_id]]))


def test_a_saved_model_of_two_gives_the_same_in_a_fresh_process(tmp_path):
    other = train_tokenizer(CORPUS, TOKENIZER.vocabulary_size - 40)
    module = tf.Module()
    module.tokenizers = [GRAPH_TOKENIZER, GraphTokenizer(other)]
    module.encode, module.decode = encode, decode
    module.encode_other = tf.function(
        module.tokenizers[1].encode, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(tmp_path / "tokenizers"))
    texts = [text.encode("utf-8") for text in HARD_TEXTS] + INVALID_PARTS

    process = subprocess.run(
        [sys.executable, "-c", READER, str(tmp_path / "tokenizers")]
        + [json.dumps([text.hex() for text in texts])],
        capture_output=True,
        cwd=tmp_path,
        text=True,
    )

    assert process.returncode == 0, process.stderr
    rows, decoded, others = json.loads(process.stdout.splitlines()[-1])
    assert rows == TOKENIZER.encode(texts)
    assert decoded == [text.decode("utf-8", "replace") for text in texts]
    assert others == other.encode(texts) != rows


@settings(max_examples=200)
@given(st.lists(TEXTS | BYTES, min_size=1, max_size=3))
def test_offsets_are_those_of_python(texts):
    found = offsets_of(texts)

    for text, *row in zip(texts, *found, strict=True):
        token_ids, offsets = TOKENIZER.encode_with_offsets(text)
        assert row == [token_ids, *(offsets.T.tolist() or [[], []])]


def test_hard_texts_and_none_have_offsets():
    starts = [TOKENIZER.encode_with_offsets(text)[1][:, 0] for text in HARD_TEXTS]

    assert offsets_of(HARD_TEXTS)[1] == [row.tolist() for row in starts]
    assert offsets_of([]) == [[], [], []]
    assert offsets_of([""]) == [[[]], [[]], [[]]]


def offsets_of(texts):
    found = encode_with_offsets(tf.constant(texts, tf.string))
    assert all(one.dtype == tf.int32 for one in found)
    return [one.to_list() for one in found]
