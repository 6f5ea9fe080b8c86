"""The plan of a beam search: how the beam is divided, and what is refused."""

import math

import pytest

from keras_lm.generation import samplers
from keras_lm.generation.plan import make_plan
from tests.fakes import AlphabetModel, TableModel

pytestmark = pytest.mark.once

SETTINGS = {
    "beam_size": 6,
    "num_hypotheses": 4,
    "num_groups": 1,
    "alternatives": False,
    "sampler": samplers.greedy(),
    "stop_token_ids": (0,),
    "length_penalty": 1,
    "coverage_penalty": 0,
    "patience": 1,
    "diversity_penalty": 0.5,
    "min_new_tokens": 0,
    "with_attention": False,
    "has_start": True,
}


def plan(model=None, **changes):
    return make_plan(model or AlphabetModel(), **{**SETTINGS, **changes})


def test_a_beam_is_divided_into_groups():
    whole, halves = plan(), plan(num_groups=2)
    apart = plan(alternatives=True, beam_size=3)

    assert (whole.num_groups, whole.num_beams, whole.num_kept) == (1, 6, 4)
    assert (halves.num_groups, halves.num_beams, halves.num_kept) == (2, 3, 2)
    assert (apart.num_groups, apart.num_beams, apart.num_kept) == (4, 3, 1)


def test_what_changes_nothing_compiles_nothing():
    assert plan(diversity_penalty=0.5) == plan(diversity_penalty=0.7)
    assert plan(num_groups=2) != plan(num_groups=2, diversity_penalty=0.7)
    assert plan(length_penalty=1) == plan(length_penalty=1.0)
    assert len({plan(), plan(patience=1.0), plan(patience=math.inf)}) == 2
    one = {"beam_size": 1, "num_hypotheses": 1}
    assert plan(**one, patience=3.0) == plan(**one)
    assert plan(has_start=True) == plan(has_start=False)  # greedy looks at no history
    sampler = samplers.no_repeat_ngram(2)
    assert plan(sampler=sampler).has_start
    assert not plan(sampler=sampler, has_start=False).has_start


def test_who_must_attend():
    model = TableModel(5, has_source=True)

    assert not plan(model).attends
    assert plan(model, with_attention=True).attends
    assert plan(model, coverage_penalty=0.1).attends


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beam_size": 0}, "`beam_size` must be an int, at least 1. Received: beam_"),
        ({"beam_size": 2.0}, "`beam_size` must be an int, at least 1"),
        ({"num_hypotheses": 0}, "`num_hypotheses` must be an int, at least 1"),
        ({"num_groups": 0}, "`num_groups` must be an int, at least 1"),
        ({"min_new_tokens": -1}, "`min_new_tokens` must be an int, at least 0"),
        ({"num_hypotheses": 7}, "must be at most `beam_size`.*=7, beam_size=6"),
        ({"num_groups": 3}, "must divide `beam_size` and `num_hypotheses`.*=3, beam_s"),
        (
            {"num_groups": 4, "beam_size": 7},
            "must divide `beam_size` and `num_hypotheses`",
        ),
        ({"length_penalty": math.inf}, "`length_penalty` must be finite"),
        ({"length_penalty": math.nan}, "`length_penalty` must be finite"),
        ({"coverage_penalty": -1}, "`coverage_penalty` must be at least 0 and finite"),
        ({"diversity_penalty": -1}, "`diversity_penalty` must be at least 0 and fin"),
        ({"patience": 0}, "`patience` must be above 0. Received: patience=0"),
        ({"patience": math.nan}, "`patience` must be above 0"),
        ({"alternatives": True, "num_groups": 2}, "`alternatives` must have one group"),
        (
            {"alternatives": True, "num_hypotheses": 28},
            "at most the vocabulary size 27. Received: num_hypotheses=28",
        ),
        (
            {"coverage_penalty": 0.2},
            "must have a model that offers `step_with_attention`.*=AlphabetModel",
        ),
        ({"with_attention": True}, "must have a model that offers `step_with_attenti"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        plan(**changes)
