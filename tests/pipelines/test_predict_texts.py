"""predict_texts: order kept, short with short, few shapes, nothing."""

import numpy as np
import pytest

from keras_lm.pipelines.predict_texts import predict_texts, predict_tokens

pytestmark = pytest.mark.once


class Counting:
    """Answers a text by its first token and its length; notes the shapes."""

    def __init__(self):
        self.shapes = []

    def predict_on_batch(self, arrays):
        ids, real = arrays["token_ids"], arrays["padding_mask"]
        self.shapes.append(ids.shape)
        assert ids.shape == real.shape
        return np.stack([ids[:, 0], real.sum(axis=1)], axis=1).astype("float32")


def arrays_of(lengths):
    real = np.arange(max(lengths, default=1)) < np.array(lengths, int)[:, None]
    ids = np.where(real, np.arange(1, len(lengths) + 1)[:, None], 0)
    return {"token_ids": ids, "padding_mask": real}


def test_many_texts_keep_their_order_in_few_shapes():
    model = Counting()
    lengths = [1 + (7 * n) % 23 for n in range(70)]

    found = predict_texts(model, arrays_of(lengths), 2, max_sequence_length=23)

    assert found.dtype == "float32"
    assert found.tolist() == [[n + 1, length] for n, length in enumerate(lengths)]
    assert [rows for rows, _ in model.shapes] == [32, 32, 8]  # of 6, a power of 2
    widths = [width for _, width in model.shapes]
    assert widths == sorted(widths)
    assert widths[0] < widths[-1] == 23


def test_no_text_is_no_row():
    assert predict_texts(Counting(), arrays_of([]), 5, 9).shape == (0, 5)


class Tokens(Counting):
    """Answers a token by itself and by how many there are in its text."""

    def predict_on_batch(self, arrays):
        both = super().predict_on_batch(arrays)
        ids = arrays["token_ids"].astype("float32")
        return np.stack([ids, np.broadcast_to(both[:, 1:], ids.shape)], axis=-1)


def test_each_token_has_its_numbers_and_padding_none():
    model = Tokens()
    lengths = [1 + (7 * n) % 23 for n in range(70)]

    found = predict_tokens(model, arrays_of(lengths), max_sequence_length=23)

    for n, (length, rows) in enumerate(zip(lengths, found, strict=True)):
        assert rows.tolist() == [[n + 1, length]] * length
    assert [rows for rows, _ in model.shapes] == [32, 32, 8]
    assert predict_tokens(model, arrays_of([]), 9) == []
