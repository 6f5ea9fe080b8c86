"""bio_rules and best_labels: by hand, and as trying all labellings finds them."""

import itertools

import numpy as np
import pytest

from keras_lm.pipelines.bio_rules import best_labels, bio_rules

pytestmark = pytest.mark.once
LABELS = ["I-A", "O", "B-A", "B-B", "NN", "I-B"]


def obeys(labels):
    """BIO, in other words than the code's."""
    return all(
        last in (f"B-{label[2:]}", label)
        for last, label in zip(["O", *labels], labels)
        if label.startswith("I-")
    )


def test_a_case_done_by_hand():
    # By themselves O I I are the likeliest; O must become B, or both I something else.
    shares = np.log([[[0.6, 0.1, 0.3], [0.1, 0.2, 0.7], [0.3, 0.1, 0.6]]])
    rules = bio_rules(["O", "B-X", "I-X"])

    # O B I 0.6 0.2 0.6 = 0.072; B is 0.1, B I I 0.042.
    assert best_labels(shares, np.array([3]), *rules).tolist() == [[0, 1, 2]]
    assert best_labels(shares, np.array([2]), *rules).tolist() == [[0, 1, 0]]
    free = np.ones(3, "bool"), np.ones((3, 3), "bool")
    assert best_labels(shares, np.array([3]), *free).tolist() == [[0, 2, 2]]


def test_rules_are_those_of_bio():
    may_begin, may_follow = bio_rules(LABELS)

    for row, last in enumerate(LABELS):
        assert may_begin[row] == obeys([last])
        for column, label in enumerate(LABELS):
            valid = ["B" + last[1:], last] if last[0] == "I" else [last]
            assert may_follow[row, column] == obeys([*valid, label])


def test_it_finds_what_trying_all_finds():
    rng = np.random.default_rng(seed=0)
    lengths = np.array([0, 1, 2, 4, 3, 4, 4, 1, 2, 4])
    scores = rng.normal(size=(10, 4, 6)) * 3
    scores[..., [0, 5]] += 2.0  # "I" is tempting
    rules = bio_rules(LABELS)

    found = best_labels(scores, lengths, *rules)

    for row, length, best in zip(scores, lengths, found):
        paths = list(itertools.product(range(6), repeat=length))
        totals = [
            sum(row[word, label] for word, label in enumerate(path))
            if obeys([LABELS[label] for label in path])
            else -np.inf
            for path in paths
        ]
        assert best[:length].tolist() == list(paths[int(np.argmax(totals))])
        assert not best[length:].any()
    assert not obeys([LABELS[label] for label in scores[3].argmax(axis=-1)])


@pytest.mark.parametrize("shape", [(0, 0, 6), (0, 3, 6), (2, 0, 6)])
def test_nothing_is_nothing(shape):
    found = best_labels(np.zeros(shape), np.zeros(shape[0], int), *bio_rules(LABELS))

    assert found.shape == shape[:2]


def test_a_span_that_nothing_begins_is_refused():
    with pytest.raises(ValueError, match="Received: 'I-X' without 'B-X'"):
        bio_rules(["O", "B-Y", "I-X"])
