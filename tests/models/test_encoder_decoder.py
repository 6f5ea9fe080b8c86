"""EncoderDecoder, the skeleton: what it hands to a final class, what it demands."""

import numpy as np
import pytest
from keras import ops

from keras_lm.models import EncoderDecoder
from keras_lm.models.encoder_decoder import source_size
from tests.checks import assert_close

SOURCE = np.array([[3, 4, 5], [6, 7, 0]], "int32")
TARGET = np.array([[1, 2], [1, 0]], "int32")
REAL = np.array([[True, True, True], [True, True, False]])


class Sums(EncoderDecoder):
    """The smallest final class: the sum of the real source, times each target token."""

    def encode(self, token_ids, padding_mask=None, training=None):
        token_ids = ops.convert_to_tensor(token_ids)
        if padding_mask is not None:
            token_ids = ops.where(padding_mask, token_ids, 0)
        return ops.sum(token_ids, axis=1, keepdims=True)  # (B, 1)

    def remember(self, source, padding_mask, max_length):
        return {"seen": ops.zeros_like(source)}, {"sum": source}

    def decode(self, token_ids, source, source_mask, padding_mask, training):
        return source * ops.convert_to_tensor(token_ids)

    def advance(self, token_ids, rows, source, now, with_attention):
        seen = rows["seen"] + ops.sum(token_ids, axis=1, keepdims=True)
        attention = ops.ones((2, 2, 3)) / 3 if with_attention else None
        return source["sum"] * token_ids, {"seen": seen}, attention

    def logits(self, hidden, training):
        return ops.cast(ops.expand_dims(hidden, 2), "float32")


def test_called_with_arrays_or_with_one_dictionary():
    model = Sums()
    arrays = {"encoder_token_ids": SOURCE, "decoder_token_ids": TARGET}
    arrays["encoder_padding_mask"] = REAL.astype("float32")

    expected = [[[12], [24]], [[13], [0]]]
    assert_close(model(**arrays), expected)
    assert_close(model(arrays), expected)


def test_steps_keep_the_source_and_hand_the_rows_on():
    model = Sums()
    state = model.initial_state({"token_ids": SOURCE, "padding_mask": REAL}, 5)
    tokens = ops.convert_to_tensor(TARGET)

    logits, state = model.step(tokens, state)
    last, state, attention = model.step_with_attention(tokens, state, last_only=True)

    assert_close(logits, [[[12], [24]], [[13], [0]]])
    assert_close(last, [[[24]], [[0]]])
    assert_close(attention, np.full((2, 2, 3), 1 / 3))
    assert_close(state["rows"]["seen"], [[6], [2]])
    assert_close(state["source"]["sum"], [[12], [13]])
    assert_close(state["source"]["padding_mask"], REAL)
    assert int(state["clock"]["index"]) == 4
    assert tuple(state["clock"]["visible"].shape) == (2, 5)


def test_a_target_must_be_there():
    with pytest.raises(ValueError, match="`decoder_token_ids` must be given"):
        Sums()({"encoder_token_ids": SOURCE})


@pytest.mark.parametrize(
    "method", ["encode", "remember", "decode", "advance", "logits"]
)
def test_what_a_final_class_must_define(method):
    number = {"encode": 3, "remember": 3, "decode": 5, "advance": 5, "logits": 2}
    with pytest.raises(NotImplementedError, match=f"must define `{method}`"):
        getattr(EncoderDecoder(), method)(*[None] * number[method])


def test_the_size_of_the_source_vocabulary():
    assert source_size(13, None, True) == 13
    assert source_size(13, 13, True) == 13
    assert source_size(13, 17, False) == 17
    with pytest.raises(ValueError, match="`source_vocabulary_size` must be `vocab"):
        source_size(13, 17, True)
    with pytest.raises(ValueError, match="`source_vocabulary_size` must be at least"):
        source_size(13, 0, False)
