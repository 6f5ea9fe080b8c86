"""slices: nothing is lost, sentences stay whole, windows overlap and come together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.pipelines.slices import (
    Joiner,
    Part,
    _sentences,
    _windows,
    joined_text,
    merge,
    slices,
)
from tests.checks import examples
from tests.text.samples import TEXTS, TOKENIZER

pytestmark = pytest.mark.once


def texts_of(parts):
    return [TOKENIZER.decode(row) for part in parts for row in part.rows]


def echoed(parts):
    """The text of a model that answers each row with itself."""
    pieces = [
        [[TOKENIZER.vocabulary_bytes[n] for n in row] for row in part.rows]
        for part in parts
    ]
    return joined_text(parts, pieces, reach=8)


# --------------------------------------------------------------------- slices


def test_what_fits_is_one_part_as_it_is():
    for text in ["", "  Two. Parts.\n", "🙂" * 3]:
        row = TOKENIZER.encode(text)
        assert slices(text, TOKENIZER, 12, 3) == [Part([row], "")]


def test_sentences_stay_whole_and_as_many_as_fit_make_a_part():
    text = "One. Two. Three."
    for together, expected in [
        ("One. Two.", ["One. Two.", "Three."]),
        ("Three.", ["One.", "Two.", "Three."]),
    ]:
        parts = slices(text, TOKENIZER, len(TOKENIZER.encode(together)), 0)

        assert texts_of(parts) == expected
        assert [part.gap for part in parts] == [" "] * (len(expected) - 1) + [""]


@pytest.mark.parametrize(
    "sentences",
    [
        ["中文分词。", "「中文分词！」", "中文分词？", "完"],
        ["a.b c. ", '"d e?" ', "f"],
        ["one\n\n  ", "two\n", "three… ", "four"],
    ],
)
def test_where_a_sentence_ends(sentences):
    assert _sentences("".join(sentences)) == sentences


@examples(25)
@given(TEXTS, st.integers(1, 9))
def test_rows_and_gaps_are_the_text(text, most):
    parts = slices(text, TOKENIZER, most, overlap=0)

    assert all(len(row) <= most for part in parts for row in part.rows)
    rebuilt = [sum(part.rows, []) + TOKENIZER.encode(part.gap) for part in parts]
    assert TOKENIZER.decode(sum(rebuilt, [])) == text


@examples(25)
@given(st.integers(20, 60), st.integers(2, 9), st.data())
def test_windows_follow_each_other_and_overlap(length, most, data):
    overlap = data.draw(st.integers(0, most // 2))
    row = [*range(60, 60 + length)]  # bytes, which are all different

    windows = _windows(row, TOKENIZER, most, overlap)

    end = 0
    for window in windows:
        assert len(window) <= most
        start = row.index(window[0])
        assert row[start : start + len(window)] == window
        assert start <= end < start + len(window)
        end = start + len(window)
    assert end == length


def test_windows_are_cut_at_spaces_and_overlap():
    text = "one two three four five six seven eight nine ten"  # no sentence ends

    (part,) = slices(text, TOKENIZER, 20, 8)

    windows = texts_of([part])
    assert len(windows) > 2
    assert all(window.startswith((" ", "one")) for window in windows)
    for before, after in zip(windows, windows[1:], strict=False):
        shared = max(n for n in range(len(after)) if before.endswith(after[:n]))
        assert shared >= 4
    assert echoed([part]) == text


def test_no_window_begins_or_ends_inside_a_character():
    (part,) = slices("🙂" * 20, TOKENIZER, 13, 5)  # 4 bytes each

    assert len(part.rows) > 4
    assert not any("\ufffd" in window for window in texts_of([part]))


# ----------------------------------------------------------------- put together


def test_merge_by_hand():
    # The longest shared run is c d e: a b, the run, and what follows it.
    assert merge("abcdeX", "YcdefgZ", reach=6) == list("abcdefgZ")
    # Two shared tokens may be chance, and so may a run far from the seam.
    assert merge("abcd", "cdef", reach=4) == list("abcdcdef")
    assert merge("cdeabxy", "cdefg", reach=4) == list("cdeabxycdefg")
    assert merge("", "abc", reach=4) == list("abc")


def test_gaps_by_hand():
    def joined(*parts):
        joiner, text = Joiner(), ""
        for answer, gap in parts:
            text += joiner.push(answer)
            joiner.end_part(gap)
        return text

    assert joined(("Yes.", ""), ("No.", "")) == "Yes. No."
    assert joined(("是。", " "), ("不。", " ")) == "是。不。"
    assert joined(("예.", " "), ("안녕", "")) == "예. 안녕"
    assert joined(("Yes.", "\n\n"), ("No.", "\n")) == "Yes.\n\nNo."
    assert joined(("Yes. ", " "), ("No.", "")) == "Yes. No."
    assert joined(("Yes.", " "), ("", "\n"), ("No.", "")) == "Yes. \nNo."
    assert joined(("", ""), ("No.", "")) == "No."


def test_pieces_of_one_part_get_no_space():
    joiner = Joiner()
    pieces = [joiner.push(piece) for piece in ["Y", "", "es"]]
    joiner.end_part("")
    assert "".join([*pieces, joiner.push("N"), joiner.push("o")]) == "Yes No"
