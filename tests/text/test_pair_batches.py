"""number_texts, pair_batches: texts numbered once, rows with all that is theirs."""

import numpy as np
import pytest

from keras_lm.text.pair_batches import number_texts, pair_batches
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
ROWS = [("ÿ", "area", ""), ("中文", b"\xc3\xbf", "🙂"), (b"\xff", "area", "ÿ")]


def test_texts_have_a_number_each_however_they_are_written():
    texts, numbers = number_texts(ROWS)

    assert texts == ["ÿ", "area", "", "中文", "🙂", "\ufffd"]
    assert numbers.tolist() == [[0, 1, 2], [3, 0, 4], [5, 1, 0]]
    assert numbers.dtype == "int64"


def test_rows_keep_what_is_theirs():
    texts, numbers = number_texts(ROWS)
    rows = [[*TOKENIZER.encode(text), 1] for text in texts]
    dataset = pair_batches(
        rows,
        numbers,
        {"number": np.arange(3)},
        lambda inputs, more, weights: (inputs, more["number"], weights),
        TOKENIZER.padding_id,
        2,
        num_buckets=1,
        shuffle=True,
        seed=0,
        repeat=False,
    )

    seen, weighs = [], []
    for inputs, numbers_of_rows, weights in dataset:
        weighs += weights.numpy().tolist()
        for row, number in enumerate(numbers_of_rows.numpy()):
            one = {name: array.numpy()[row] for name, array in inputs.items()}
            ids = [one["token_ids"][one["padding_mask"]]]
            ids += [
                other[real]
                for other, real in zip(
                    one["other_token_ids"], one["other_padding_mask"], strict=True
                )
            ]
            decoded = tuple(TOKENIZER.decode(each.tolist()) for each in ids)
            assert decoded == tuple(texts[n] for n in numbers[number])
            seen += [number] * bool(weights.numpy()[row])
    assert sorted(seen) == [0, 1, 2]
    assert sorted(weighs) == [0, 1, 1, 1]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ("ab", TypeError, "`texts` must be a list of tuples. Received: 'ab'"),
        (None, TypeError, "`texts` must be a list of tuples. Received: None"),
        ([], ValueError, "at least one tuple. Received: none"),
        ([("a", "b"), "ab"], TypeError, "lists of texts. Received: 'ab' in row 1"),
        ([("a",)], ValueError, "two texts or more.*Received: 1 in row 0"),
        ([("a", "b"), ("a", "b", "c")], ValueError, "Received: 3 in row 1, 2 in row 0"),
        ([("a", 3)], TypeError, "a text must be str or bytes"),
    ],
)
def test_what_does_not_fit_is_refused(rows, error, message):
    with pytest.raises(error, match=message):
        number_texts(rows)
