"""slices: nothing is lost, sentences stay whole, windows overlap and come together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.pipelines.search_rows import Found
from keras_lm.pipelines.slices import (
    Joiner,
    Part,
    _sentences,
    _windows,
    joined_text,
    merge,
    merged_text,
    slices,
)
from tests.checks import examples
from tests.text.samples import TEXTS, TOKENIZER

pytestmark = pytest.mark.once


def texts_of(parts):
    return [TOKENIZER.decode(row) for part in parts for row in part.rows]


def answered(parts, answer=lambda piece: [piece]):
    """The text of a model that answers each token alone."""
    pieces = [
        [[TOKENIZER.vocabulary_bytes[n] for n in row] for row in part.rows]
        for part in parts
    ]
    found = [
        [Found([new for old in row for new in answer(old)], 0.0, True) for row in rows]
        for rows in pieces
    ]
    return joined_text(parts, found)


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

    windows, shared = _windows(row, TOKENIZER, most, overlap)

    end, found = 0, []
    for window in windows:
        assert len(window) <= most
        start = row.index(window[0])
        assert row[start : start + len(window)] == window
        assert start <= end < start + len(window)
        found.append(end - start)
        end = start + len(window)
    assert end == length
    assert shared == found[1:]
    assert all(overlap <= n <= 2 * overlap for n in shared)


def test_windows_are_cut_at_spaces_and_overlap():
    text = "one two three four five six seven eight nine ten"  # no sentence ends

    (part,) = slices(text, TOKENIZER, 20, 8)

    windows = texts_of([part])
    assert len(windows) > 2
    assert all(window.startswith((" ", "one")) for window in windows)
    for before, after in zip(windows, windows[1:], strict=False):
        shared = max(n for n in range(len(after)) if before.endswith(after[:n]))
        assert shared >= 4
    assert answered([part]) == text


def test_no_window_begins_or_ends_inside_a_character():
    (part,) = slices("🙂" * 20, TOKENIZER, 13, 5)  # 4 bytes each

    assert len(part.rows) > 4
    assert not any("\ufffd" in window for window in texts_of([part]))


# ----------------------------------------------------------------- put together


def test_merge_by_hand():
    # Laid over each other by 5: c d e are the same, X is behind them and Y before.
    assert merge("abcdeX", "YcdefgZ", expected=5) == list("abcdefgZ")
    # Two tokens may be the same by chance, and so may three of no overlap.
    assert merge("abcd", "cdef", expected=4) == list("abcdcdef")
    assert merge("abcde", "cdefg", expected=2) == list("abcdecdefg")
    assert merge("", "abc", expected=4) == list("abc")
    assert merge("abc", "", expected=4) == list("abc")
    # Of two ways that are as good, the one that leaves out less.
    assert merge("abcabc", "abcabcd", expected=3) == list("abcabcabcd")
    assert merge("abcabc", "abcabcd", expected=6) == list("abcabcd")


@pytest.mark.parametrize("expected", range(8))
def test_merge_leaves_out_nothing_that_only_one_of_them_has(expected):
    # Behind the run stand 4 to 7, then before it.
    some, others = [1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 8, 9, 10, 11]
    assert merge(some, others, expected) == some + others
    some, others = [11, 10, 9, 8, 1, 2, 3], [4, 5, 6, 7, 1, 2, 3]
    assert merge(some, others, expected) == some + others
    # The second has no more to say of what the first has behind the run.
    some, others = [1, 2, 3, 4, 5, 6], [2, 3, 4]
    assert merge(some, others, expected) == some + others


@examples(100)
@given(st.lists(st.sampled_from("ab"), min_size=3), st.data())
def test_merge_finds_the_overlap_in_texts_that_repeat_themselves(text, data):
    end = data.draw(st.integers(3, len(text)))
    shared = data.draw(st.integers(3, end))

    assert merge(text[:end], text[end - shared :], shared) == text


PHRASES = ["the cat sat ", "the cat ", "on the mat ", "very ", "中文分词", "🙂🙂", "é"]


@examples(40)
@given(st.lists(st.sampled_from(PHRASES), max_size=30), st.sampled_from([16, 23, 40]))
def test_windows_come_together_however_often_a_phrase_comes(phrases, most):
    text = "".join(phrases)
    parts = slices(text, TOKENIZER, most, overlap=most // 4)

    assert answered(parts) == text
    # And in a language that takes twice as many tokens.
    assert answered(parts, lambda piece: [piece, b""]) == text


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


def merged(*answers, shared=4, finished=True):
    rows = [[0] * max(len(answer), 1) for answer in answers]
    part = Part(rows, "", [shared] * (len(rows) - 1))
    pieces = [[letter.encode() for letter in answer] for answer in answers]
    return merged_text(part, [Found(some, 0.0, finished) for some in pieces])


def test_windows_that_share_nothing_stand_beside_each_other():
    assert merged("one two", "three") == "one two three"
    assert merged("one two", " three", "") == "one two three"
    assert merged("中文", "分词🙂", "🙂") == "中文分词🙂🙂"
    assert merged("") == merged("", "") == merged() == ""
    # Half a character, and half of what is written for U+2581, are made whole.
    part = Part([[1], [2]], "", [0])
    for one, other, text in [(b"\xc3", b"\xa9", "é"), (b"\x1b", b"1", "\u2581")]:
        found = [Found([one], 0.0, True), Found([other], 0.0, True)]
        assert merged_text(part, found) == text


def test_what_is_left_out_is_left_out_of_the_text():
    assert merged("abcdeX", "YcdefgZ", shared=5) == "abcdefgZ"


def test_an_answer_that_was_cut_off_stays_whole():
    # Its end is not that of its window: that it says the same is the text's way.
    assert merged("abcdef", "cdefgh") == "abcdefgh"
    assert merged("abcdef", "cdefgh", finished=False) == "abcdef cdefgh"


def test_each_seam_has_the_lengths_of_its_own_windows():
    rows = [[0] * 10, [0] * 10, [0] * 10]
    part = Part(rows, "", [2, 3])
    answers = ["a" * 20, "a" * 20, "a" * 10]  # of 2 shared come 4, of 3 come 4.5

    found = [Found([b"a"] * len(answer), 0.0, True) for answer in answers]

    assert merged_text(part, found) == "a" * (50 - 4 - 4)


def test_pieces_of_one_part_get_no_space():
    joiner = Joiner()
    pieces = [joiner.push(piece) for piece in ["Y", "", "es"]]
    joiner.end_part("")
    assert "".join([*pieces, joiner.push("N"), joiner.push("o")]) == "Yes No"
