"""One step of beam search: who goes on, who ends, when a group is done."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.generation import samplers
from keras_lm.generation.choose import choose, scored
from keras_lm.generation.hypotheses import no_hypotheses
from keras_lm.generation.plan import Plan
from tests.checks import assert_close, compiled

NOTHING = -math.inf
SETTINGS = {"num_beams": 2, "num_kept": 2, "sampler": samplers.greedy()}
TEXTS = [[[7, 1, 0, 0], [7, 2, 0, 0]]]  # a prompt of one token, one new token


def carried(log_probability, texts=TEXTS, step=1, max_step=3, **changes):
    """A carry after `step` tokens of at most 3; each beam's state is its place."""
    texts = np.array(texts, "int32")
    num_rows, num_beams, _ = texts.shape
    carry = {
        "state": {"rows": {"place": np.arange(num_rows * num_beams)}, "clock": {}},
        "history": texts,
        "log_probability": np.array(log_probability, "float32"),
        "num_ended": np.zeros(num_rows, "int32"),
        "step": np.int32(step),
        "max_step": np.int32(max_step),
        "finished": np.zeros(num_rows, "bool"),
        **changes,
    }
    pool = no_hypotheses(num_rows, 2, {"token_ids": (3,)})
    return {"pool": pool, **carry}


def after(carry, log_probs, **settings):
    """The carry after the step, in NumPy."""
    plan = Plan(**{**SETTINGS, "stop_token_ids": (0,), **settings})
    log_probs = np.array(log_probs, "float32")
    carry, log_probs = keras.tree.map_structure(
        ops.convert_to_tensor, (carry, log_probs)
    )
    chosen = compiled(choose, plan=plan)(carry, log_probs)
    return keras.tree.map_structure(ops.convert_to_numpy, chosen)


def test_one_ends_and_others_take_its_room():
    # Sums: beam 0: stop -1.5, "1" -4, "2" -9; beam 1: stop -6, "1" -2.5, "2" -3.
    # Best two: the stop of beam 0, which ends, and beam 1 + "1"; then beam 1 + "2".
    log_probs = [[[-0.5, -3.0, -8.0], [-4.0, -0.5, -1.0]]]
    carry = after(carried([[-1.0, -2.0]]), log_probs, length_penalty=0.0)

    assert carry["token"].tolist() == [[1, 2]]
    assert_close(carry["log_probability"], [[-2.5, -3.0]])
    assert carry["history"][:, :, :3].tolist() == [[[7, 2, 1], [7, 2, 2]]]
    assert carry["state"]["rows"]["place"].tolist() == [1, 1]
    assert_close(carry["pool"]["score"], [[-1.5, NOTHING]])
    assert carry["pool"]["token_ids"][0, 0].tolist() == [1, 0, 0]
    assert int(carry["num_ended"][0]) == 1
    assert int(carry["step"]) == 2
    assert carry["finished"].tolist() == [False]


def test_a_stop_token_that_is_none_of_the_best_does_not_end():
    # Best two: beam 0 + "1" (-1.5) and + "2" (-2); its stop (-3) is third.
    log_probs = [[[-2.0, -0.5, -1.0], [-9.0, -9.0, -9.0]]]
    carry = after(carried([[-1.0, -5.0]]), log_probs)

    assert carry["token"].tolist() == [[1, 2]]
    assert (carry["pool"]["score"] == NOTHING).all()
    assert carry["num_ended"].tolist() == [0]


def test_what_is_excluded_is_no_hypothesis():
    log_probs = [[[-1e9, -0.5, -1e9], [-1e9, -1e9, -1e9]]]
    carry = after(carried([[-1.0, -2.0]]), log_probs)

    assert_close(carry["log_probability"], [[-1.5, NOTHING]])
    assert (carry["pool"]["score"] == NOTHING).all()


def test_a_finished_group_keeps_its_pool():
    ended = {"finished": np.array([True]), "num_ended": np.array([5], "int32")}
    carry = after(carried([[-1.0, -2.0]], **ended), np.full((1, 2, 3), -1.0))

    assert (carry["pool"]["score"] == NOTHING).all()
    assert carry["num_ended"].tolist() == [5]
    assert carry["finished"].tolist() == [True]


@pytest.mark.parametrize(
    ("kept", "length_penalty", "max_step", "is_done"),
    # After this step of 2 tokens the best live sum is -4.
    [
        (-4.1, 0.0, 6, False),
        (-3.9, 0.0, 6, True),
        # It may still end after 6 tokens: -4 / (11 / 6) = -2.18.
        (-2.3, 1.0, 6, False),
        (-2.1, 1.0, 6, True),
        # Or, if 7 are possible, with -4 / 2 = -2.
        (-2.1, 1.0, 7, False),
        # Below 0 length is punished: after 3 tokens it is -4 * 8 / 6 = -5.33.
        (-5.4, -1.0, 6, False),
        (-5.2, -1.0, 6, True),
        (-9.0, 0.0, 2, True),  # there is no next step
    ],
)
def test_the_bound_is_exact(kept, length_penalty, max_step, is_done):
    log_probs = [[[-99.0, -3.0, -4.0], [-99.0, -50.0, -50.0]]]
    carry = carried([[-1.0, -2.0]], max_step=max_step)
    carry["pool"]["score"] = np.array([[-0.1, kept]], "float32")

    after_step = after(carry, log_probs, length_penalty=length_penalty, num_kept=2)

    assert_close(after_step["log_probability"][0, 0], -4.0)
    assert after_step["finished"].tolist() == [is_done]


@pytest.mark.parametrize(
    ("kept", "length_penalty", "max_step", "is_cut_off"),
    # After this step of 2 tokens the best live sum is -4.
    [
        (-9.0, 0.0, 3, False),  # there is a next step
        (-4.1, 0.0, 2, True),
        (-3.9, 0.0, 2, False),  # it is beaten
        (-4.7, -1.0, 2, True),  # -4 * 7 / 6 = -4.67, and it can get no longer
        (-4.6, -1.0, 2, False),
    ],
)
def test_who_is_cut_off_by_the_last_step(kept, length_penalty, max_step, is_cut_off):
    log_probs = [[[-99.0, -3.0, -4.0], [-99.0, -50.0, -50.0]]]
    carry = carried([[-1.0, -2.0]], max_step=max_step)
    carry["pool"]["score"] = np.array([[-0.1, kept]], "float32")
    given = {"length_penalty": length_penalty, "num_kept": 2}

    assert after(carry, log_probs, **given)["cut_off"].tolist() == [is_cut_off]
    carry["finished"] = np.array([True])
    assert after(carry, log_probs, **given)["cut_off"].tolist() == [False]


@pytest.mark.parametrize(
    ("num_ended", "patience", "is_done"),
    [(0, 1.0, False), (1, 1.0, True), (2, 2.0, False), (3, 2.0, True), (3, 9, False)],
)
def test_patience_ends_a_group(num_ended, patience, is_done):
    # One more ends in this step; 2 beams.
    log_probs = [[[-0.1, -0.2, -4.0], [-9.0, -9.0, -9.0]]]
    carry = carried([[-1.0, -2.0]], num_ended=np.array([num_ended], "int32"))

    carry = after(carry, log_probs, patience=patience)

    assert carry["num_ended"].tolist() == [num_ended + 1]
    assert carry["finished"].tolist() == [is_done]


@pytest.mark.parametrize(("ended", "is_done"), [(-1.1, True), (-8.0, False)])
def test_what_leads_is_waited_for(ended, is_done):
    # Enough have ended, but -1.2 after 2 tokens may be better than the best of them.
    log_probs = [[[-9.0, -0.2, -4.0], [-9.0, -9.0, -9.0]]]
    carry = carried([[-1.0, -2.0]], num_ended=np.array([9], "int32"))
    carry["pool"]["score"] = np.array([[ended, ended - 1]], "float32")

    carry = after(carry, log_probs, length_penalty=0.0)

    assert_close(carry["log_probability"][0, 0], -1.2)
    assert carry["finished"].tolist() == [is_done]


def test_patience_waits_for_as_many_as_are_asked_for():
    log_probs = [[[-0.1, -0.2, -4.0], [-9.0, -9.0, -9.0]]]

    carry = after(carried([[-1.0, -2.0]]), log_probs, patience=0.1)

    assert carry["finished"].tolist() == [False]  # 1 has ended, 2 are kept


def test_a_later_group_keeps_from_what_earlier_ones_took():
    # Both groups would take "1", then "2". What "1" and "2" lose in the second, 1.0,
    # lets "3" go before; the sums stay what they are.
    log_probs = np.tile(np.array([-9.0, -0.5, -0.7, -1.2]), (2, 1, 1))
    carry = carried([[0.0], [0.0]], texts=[[[7, 4, 0, 0]]] * 2)
    settings = {"num_beams": 1, "num_groups": 2, "diversity_penalty": 1.0}

    apart = after(carry, log_probs, **settings)
    alike = after(carry, log_probs, **{**settings, "diversity_penalty": 0.1})

    assert apart["token"].tolist() == [[1], [2]]
    assert_close(apart["log_probability"], [[-0.5], [-0.7]])
    assert alike["token"].tolist() == [[1], [1]]


def test_a_token_that_ended_an_earlier_group_counts_too():
    log_probs = np.tile(np.array([-0.1, -0.5, -1.0]), (2, 1, 1))
    carry = carried([[0.0], [0.0]], texts=[[[7, 4, 0, 0]]] * 2)

    carry = after(
        carry, log_probs, num_beams=1, num_groups=2, diversity_penalty=1.0, num_kept=2
    )

    assert carry["num_ended"].tolist() == [1, 0]
    assert carry["token"].tolist() == [[1], [2]]


def test_scores_lose_what_was_not_covered():
    plan = Plan(**SETTINGS, coverage_penalty=0.5, length_penalty=1.0)
    mask = np.array([[True, True, False]] * 2)
    carry = {
        "coverage": ops.convert_to_tensor([[[0.5, 2.0, 0.0], [1.0, 0.25, 0.0]]]),
        "state": {"source": {"padding_mask": ops.convert_to_tensor(mask)}},
    }

    score = scored(carry, ops.convert_to_tensor([[-4.0, -6.0]]), 7, plan)

    assert_close(score, [[-2 + 0.5 * np.log(0.5), -3 + 0.5 * np.log(0.25)]])
