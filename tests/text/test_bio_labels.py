"""bio_labels: by hand, there and back with any spans, errors."""

import hypothesis
import pytest
from hypothesis import strategies as st

from keras_lm.text import bio_labels, bio_spans, split_words
from tests.text.samples import HARD_PARTS

pytestmark = pytest.mark.once
PARTS = st.sampled_from([*HARD_PARTS, " ", " 中文 ", "🙂 "]) | st.text(max_size=5)
TEXTS = st.lists(PARTS, max_size=9).map("".join)


def test_a_case_done_by_hand():
    words = split_words("中文 🙂 Ada Lee", "characters")

    labels = bio_labels(words, [(5, 8, "PER"), (0, 2, "L-1"), (3, 4, "中")])

    assert labels == ["B-L-1", "I-L-1", "B-中", "B-PER", "I-PER", "I-PER"] + ["O"] * 3
    assert bio_labels(split_words(""), []) == []


@hypothesis.given(TEXTS, st.sampled_from(["words", "characters"]), st.data())
def test_spans_come_back(text, split, data):
    words = split_words(text, split)
    cuts = data.draw(st.sets(st.integers(0, len(words)))) if words else []
    cuts = sorted({0, len(words), *cuts}) if words else []
    spans = [
        (words[a].start, words[b - 1].end, label)
        for a, b in zip(cuts, cuts[1:])
        if (label := data.draw(st.sampled_from(["", "A", "A", "B-A", "人"])))
    ]

    labels = bio_labels(words, spans)

    assert len(labels) == len(words)
    assert bio_spans(words, labels) == spans
    assert bio_labels(words, bio_spans(words, labels)) == labels


@pytest.mark.parametrize(
    ("span", "message"),
    [
        ((0, 2, "X"), "end where one does. Received: 'X' from 0 to 2"),
        ((1, 3, "X"), "begin where a word does"),
        ((0, 4, "X"), "begin where a word does"),  # the space behind it
        ((4, 3, "X"), "begin where a word does"),
        ((0, 0, "X"), "begin where a word does"),
        ((4, 99, "X"), "begin where a word does"),
        ((-3, 3, "X"), "begin where a word does"),
        ((0, 7, "X"), "No two spans may share a word. Received: 'X' from 0 to 7"),
    ],
)
def test_offsets_that_are_off_are_refused(span, message):
    words = split_words("Ada met Bob")

    with pytest.raises(ValueError, match=message):
        bio_labels(words, [(4, 7, "Y"), span])


@pytest.mark.parametrize(
    ("span", "error", "message"),
    [
        ((0, 3), ValueError, r"must be `\(start, end, label\)`. Received: \(0, 3\)"),
        (
            [0, 3, "X", 0.5],
            ValueError,
            "must be `.start, end, label.`. Received: .0, 3",
        ),
        ("0 3 X", ValueError, "must be `.start, end, label.`. Received: '0 3 X'"),
        (0, ValueError, "must be `.start, end, label.`. Received: 0"),
        ((0, 3, None), TypeError, r"must be a str. Received: \(0, 3, None\)"),
        ((0, 3, ""), ValueError, r"must not be empty. Received: \(0, 3, ''\)"),
    ],
)
def test_what_is_no_span_is_refused(span, error, message):
    with pytest.raises(error, match=message):
        bio_labels(split_words("Ada met Bob"), [span])


def test_words_without_places_are_refused():
    with pytest.raises(TypeError, match="those of `split_words`.* Received: '见'"):
        bio_labels([*split_words("Ada"), "见"], [(0, 3, "PER")])


def test_an_empty_word_has_no_place_among_characters():
    for words in (["中", "", "文"], ["", "中"], ["中", ""]):
        with pytest.raises(
            ValueError, match=f"begin or end at one.*Received: .{words[0]!r}"
        ):
            bio_labels(split_words(words, "characters"), [(0, 1, "X")])

    words = split_words(["中", "", "文"])  # spaces between
    assert bio_spans(words, bio_labels(words, [(2, 2, "X")])) == [(2, 2, "X")]
    assert bio_labels(split_words([""], "characters"), [(0, 0, "X")]) == ["B-X"]
