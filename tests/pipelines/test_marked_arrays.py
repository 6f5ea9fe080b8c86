"""marked_arrays: of a marked text the word, of another one all."""

import pytest

from keras_lm.pipelines.marked_arrays import marked_arrays
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    # "ÿ" is 198 194, and 1 separates.
    arrays = marked_arrays(TOKENIZER, ["ÿ[[ÿ]]", b"\xc3\xbf", "", "[[ÿ]]ÿ"], 9)

    assert arrays["token_ids"].tolist() == [
        [198, 194, 198, 194, 1],
        [198, 194, 1, 0, 0],
        [1, 0, 0, 0, 0],
        [198, 194, 198, 194, 1],
    ]
    assert arrays["padding_mask"].sum(axis=1).tolist() == [5, 3, 1, 5]
    assert arrays["pooling_mask"].astype(int).tolist() == [
        [0, 0, 1, 1, 0],
        [1, 1, 1, 0, 0],
        [1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0],
    ]


def test_marks_may_be_text():
    text = "ÿ[[ÿ]]"

    arrays = marked_arrays(TOKENIZER, [text], 20, has_marks=False)

    assert arrays["token_ids"][0].tolist() == [*TOKENIZER.encode(text), 1]
    assert arrays["pooling_mask"].all()


def test_nothing_is_no_rows():
    assert marked_arrays(TOKENIZER, [], 9)["pooling_mask"].shape == (0, 1)


def test_long_ones_are_cut_or_refused():
    texts = ["ÿÿÿ[[ÿ]]", "ÿÿÿ"]

    cut = marked_arrays(TOKENIZER, texts, 5, truncate=True)

    assert cut["token_ids"].shape == (2, 5)
    assert cut["pooling_mask"].sum(axis=1).tolist() == [2, 5]
    for text in texts:
        with pytest.raises(
            ValueError, match="A text must have at most 5 .* in text 2$"
        ):
            marked_arrays(TOKENIZER, ["ÿ", "[[ÿ]]", text], 5)
