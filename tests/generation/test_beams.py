"""Begin, advance and end of a beam search: what the carry holds after each."""

import keras
import numpy as np
from keras import ops

from keras_lm.generation import samplers
from keras_lm.generation.beams import advance, begin, bind, end
from keras_lm.generation.plan import Plan
from tests.checks import assert_close, compiled
from tests.fakes import AlphabetModel, TableModel

PROMPTS = {
    "token_ids": np.array([[0, 24, 25], [0, 0, 3]], "int32"),
    "padding_mask": np.array([[False, True, True], [False, False, True]]),
    "max_new_tokens": np.int32(4),
}
NUM_SLOTS = 7


def on_backend(inputs):
    return keras.tree.map_structure(ops.convert_to_tensor, inputs)


def in_numpy(carry):
    return keras.tree.map_structure(ops.convert_to_numpy, carry)


def plan_of(**settings):
    return Plan(
        **{"num_beams": 3, "num_kept": 2, "sampler": samplers.greedy()} | settings
    )


def test_the_source_and_the_clock_are_spread_once_and_the_prompt_is_shown_once():
    model = TableModel(26, has_source=True)
    source = {
        "token_ids": np.array([[5, 6], [7, 0]], "int32"),
        "padding_mask": np.array([[True, True], [True, False]]),
    }
    plan = plan_of(coverage_penalty=0.1, with_attention=True)
    shapes = []

    def start(inputs):
        carry = begin(model, inputs, NUM_SLOTS, plan)
        shapes.append(model.num_steps)
        return carry

    carry = in_numpy(compiled(start)(on_backend({**PROMPTS, "source": source})))

    assert shapes == [1]
    state = carry["state"]
    assert (
        state["source"]["padding_mask"].tolist()
        == [[True] * 2] * 3 + [[True, False]] * 3
    )
    assert int(state["clock"]["index"]) == 3
    assert state["clock"]["length"].tolist() == [2, 2, 2, 1, 1, 1]
    assert state["clock"]["visible"].shape == (6, NUM_SLOTS)
    assert carry["history"][:, :, :3].tolist() == [[[0, 24, 25]] * 3, [[0, 0, 3]] * 3]
    assert len(set(carry["token"][0])) == 3  # three beams, not one three times
    # Coverage: of the prompt's real tokens, each of which looked somewhere.
    assert_close(carry["coverage"].sum(axis=-1), [[2, 2, 2], [1, 1, 1]])
    looked = [model.attention([24], [5, 6]) + model.attention([24, 25], [5, 6])]
    assert_close(carry["coverage"][0], looked * 3)
    assert_close(carry["attention"][0, :, 0], [model.attention([24, 25], [5, 6])] * 3)
    assert not carry["attention"][:, :, 1:].any()
    assert carry["attention"].shape == (2, 3, 4, 2)


def test_two_steps_and_the_answer_by_hand():
    # "z" and "d" are as good as certain; "a" ends a hypothesis.
    model = AlphabetModel()
    plan = plan_of(num_beams=1, num_kept=1, stop_token_ids=(1,), length_penalty=0.0)

    def search(inputs):
        first = begin(model, inputs, NUM_SLOTS, plan)
        tokens = [first["token"], first["history"] + 0]
        second = advance(model, first, plan)
        return tokens, second, end(second, plan)

    inputs = on_backend({**PROMPTS, "max_new_tokens": np.int32(2)})
    (token, history), second, found = in_numpy(compiled(search)(inputs))

    assert token[:, 0].tolist() == [26, 4]
    assert history[:, 0, 3].tolist() == [26, 4]
    assert second["pool"]["token_ids"][0, 0].tolist() == [26, 1, 1, 1]
    assert second["history"][1, 0, 3:5].tolist() == [4, 5]
    assert int(second["state"]["clock"]["index"]) == 4
    assert second["cut_off"].tolist() == [False, True]
    assert found["finished"][:, 0].tolist() == [True, False]
    assert found["token_ids"][0, 0].tolist() == [26, 1, 1, 1]
    assert found["token_ids"][1, 0, :2].tolist() == [4, 5]
    almost_certain = -2 * np.log(1 + 26 * np.exp(-9.0))
    assert_close(found["score"][:, 0], [almost_certain] * 2)


def test_alternatives_have_a_group_for_each_of_the_best_tokens():
    model = TableModel(26)
    plan = plan_of(num_groups=4, num_kept=1, alternatives=True)

    def start(inputs):
        return begin(model, inputs, NUM_SLOTS, plan)

    carry = in_numpy(compiled(start)(on_backend(PROMPTS)))

    for row, prompt in enumerate([[24, 25], [3]]):
        log_probs = model.log_probs(prompt)
        best = np.argsort(-log_probs)[:4]
        groups = slice(4 * row, 4 * row + 4)
        assert carry["token"][groups, 0].tolist() == best.tolist()
        assert_close(carry["log_probability"][groups, 0], log_probs[best])
        assert (carry["log_probability"][groups, 1:] == -np.inf).all()


def test_empty_places_hold_the_stop_token():
    model = TableModel(3)
    inputs = {
        "token_ids": np.array([[1]], "int32"),
        "padding_mask": np.array([[True]]),
        "max_new_tokens": np.int32(1),
    }
    for stops, filler in [((2,), 2), ((), 0)]:
        start, _, finish = bind(plan_of(num_beams=5, num_kept=5, stop_token_ids=stops))

        def search(inputs, start=start, finish=finish):
            return finish(start(model, inputs, 4))

        found = in_numpy(compiled(search)(on_backend(inputs)))

        assert np.isfinite(found["score"]).tolist() == [[True] * 3 + [False] * 2]
        assert (found["token_ids"][0, 3:] == filler).all()
        assert sorted(found["token_ids"][0, :3, 0].tolist()) == [0, 1, 2]
