"""StopStrings: the same cut in whatever pieces the text comes, little held back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.pipelines.stop_strings import StopStrings

pytestmark = pytest.mark.once

# Few letters, so that stop strings come, overlap and hold one another.
TEXTS = st.text("ab中🙂", max_size=12)
STOPS = st.lists(st.text("ab中🙂", min_size=1, max_size=4), max_size=3)


def pieces_of(text, stop, cuts=()):
    stops = StopStrings(stop)
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    pieces = [stops.push(text[a:b]) for a, b in zip(edges, edges[1:])]
    return [*pieces, stops.flush()], stops.found


def cut(text, stop):
    """Letter by letter, the plainest way: the text, and whether it was cut."""
    for end in range(len(text) + 1):
        ending = [one for one in stop if text[:end].endswith(one)]
        if ending:
            return text[: end - max(map(len, ending))], True
    return text, False


@pytest.mark.parametrize(
    ("stop", "text", "expected"),
    [
        (["END"], "so it ENDs", "so it "),
        (["END"], "so it EN", "so it EN"),
        (["\n\n", "。"], "一\n二。\n\n", "一\n二"),
        (["aab"], "aaab", "a"),  # the held-back letters are no stop, those after are
        (["b", "abc"], "abcd", "a"),  # "b" is complete first
        (["b", "ab"], "abcd", ""),  # they end together
        (["🙂"], "🙂", ""),
        ([], "text", "text"),
        (["x"], "", ""),
    ],
)
def test_cases_done_by_hand(stop, text, expected):
    letters = range(len(text))
    for cuts in ([], letters):
        assert "".join(pieces_of(text, stop, cuts)[0]) == expected


@given(TEXTS, STOPS, st.lists(st.integers(1, 12)))
def test_the_pieces_are_the_text_cut_at_the_first_stop(text, stop, cuts):
    pieces, found = pieces_of(text, stop, cuts)

    assert ("".join(pieces), found) == cut(text, stop)


def test_only_what_may_be_a_stop_is_held_back():
    stops = StopStrings(["END"])

    assert [stops.push(piece) for piece in ("to the E", "ast EN", "D of it", "x")] == [
        "to the ",
        "East ",
        "",
        "",
    ]
    assert stops.found
    assert stops.flush() == ""


def test_the_end_gives_what_was_held_back():
    stops = StopStrings(["END"])

    assert stops.push("the EN") == "the "
    assert stops.flush() == "EN"
    assert not stops.found


def test_what_is_no_list_of_strings_is_refused():
    assert StopStrings(("END",)).stop == ["END"]
    for stop in ("END", ["END", 3], None, 3, (one for one in ["END"]), {"END": 1}):
        with pytest.raises(TypeError, match="`stop` must be a list of strings"):
            StopStrings(stop)
    with pytest.raises(ValueError, match="`stop` must hold no empty string"):
        StopStrings(["END", ""])
