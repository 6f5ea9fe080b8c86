"""split_pairs: what is held out is not trained on, and what is left out is told."""

import pytest

from keras_lm.cli.split_pairs import split_pairs

pytestmark = pytest.mark.once
PAIRS = [(f"source {n}", f"目标 {n}") for n in range(60)]


def split(pairs, *arguments):
    told = []
    train, held_out = split_pairs(pairs, *arguments, notify=told.append)
    return train, held_out, told


def test_each_pair_is_in_one_part_in_the_order_given():
    train, held_out, told = split(PAIRS, 7)

    assert len(held_out) == 7
    assert sorted(train + held_out, key=PAIRS.index) == PAIRS
    assert train == sorted(train, key=PAIRS.index)
    assert held_out == sorted(held_out, key=PAIRS.index)
    assert not told


def test_a_tenth_is_held_out_at_most_500():
    assert len(split(PAIRS)[1]) == 6
    assert len(split([(str(n), str(-n)) for n in range(5999)])[1]) == 500


def test_the_seed_draws():
    assert split(PAIRS, 7, 3) == split(PAIRS, 7, 3)
    assert split(PAIRS, 7, 3) != split(PAIRS, 7, 4)


def test_a_held_out_sentence_is_not_trained_on_in_another_pair():
    # Each source and each target twice, in different pairs.
    pairs = [(f"s{n // 2}", f"t{(n + 1) // 2}") for n in range(80)]

    train, held_out, told = split(pairs, 5)

    for side in (0, 1):
        assert not {pair[side] for pair in train} & {pair[side] for pair in held_out}
    num_left_out = len(pairs) - len(train) - len(held_out)
    assert num_left_out > 0
    assert told == [
        f"{num_left_out} pairs are left out of training: a held-out pair has the same "
        "source or target."
    ]


def test_empty_sides_are_left_out_and_told():
    train, held_out, told = split([*PAIRS, ("", "x"), ("y", " \u3000")], 7)

    assert len(train) + len(held_out) == len(PAIRS)
    assert told == ["2 of 62 pairs are left out: a side is empty."]


@pytest.mark.parametrize(
    ("pairs", "num_held_out", "told"),
    [
        (PAIRS[:19], None, "at least 20 pairs.* give more. Received: 19"),
        (PAIRS, 31, "`num_held_out` must be at most half.*num_held_out=31 of 60"),
        ([("same", str(n)) for n in range(60)], 5, "must differ.*of which 0 share"),
    ],
)
def test_too_few_pairs_are_refused_with_what_to_do(pairs, num_held_out, told):
    with pytest.raises(ValueError, match=told):
        split(pairs, num_held_out)
