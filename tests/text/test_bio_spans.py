"""bio_spans: by hand, labels that BIO does not allow, errors."""

import pytest

from keras_lm.text import bio_spans, split_words
from keras_lm.text.bio_spans import parse_label, word_spans

pytestmark = pytest.mark.once


def test_a_case_done_by_hand():
    words = split_words("中文  🙂 Ada")

    assert bio_spans(words, ["B-X", "I-X", "B-X"]) == [(0, 5, "X"), (6, 9, "X")]
    assert bio_spans(words, ["O", "O", "B-Y-z"]) == [(6, 9, "Y-z")]
    assert bio_spans([], []) == []


def test_what_bio_does_not_allow_begins_a_span():
    labels = ["I-X", "I-X", "O", "I-X", "I-Y", "B-X", "I-Y"]

    assert word_spans(labels) == [
        *[(0, 2, "X"), (3, 4, "X"), (4, 5, "Y"), (5, 6, "X"), (6, 7, "Y")]
    ]


def test_labels_of_single_words_do_not_grow():
    assert word_spans(["NN", "NN", "I-NN"]) == [
        (0, 1, "NN"),
        (1, 2, "NN"),
        (2, 3, "NN"),
    ]


def test_labels_are_read():
    assert [parse_label(one) for one in ("O", "B-A-b", "I-", "B", "o", "")] == [
        *[("O", ""), ("B", "A-b"), ("I", ""), ("", "B"), ("", "o"), ("", "")]
    ]


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="for each word. Received: 2 words and 1 lab"):
        bio_spans(split_words("a b"), ["O"])
