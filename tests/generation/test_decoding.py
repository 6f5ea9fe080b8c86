"""The decoding loop: what each step is shown, when a row ends, how many steps run."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm import backend
from keras_lm.generation import samplers
from keras_lm.generation.decoding import advance, begin, bind
from keras_lm.generation.generate import left_padded
from tests.fakes import WRONG, AlphabetModel, run_of, spell

GREEDY = samplers.greedy()
PROMPTS = [run_of("x", 3), run_of("c", 1), run_of("k", 40)]


def no_noise(shape):
    return ops.zeros(shape)


def compiled(function):
    """Operation by operation, JAX would compile each; the answer is in NumPy."""
    name = keras.backend.backend()
    if name == "jax":
        import jax

        function = jax.jit(function)
    elif name == "tensorflow":
        import tensorflow as tf

        function = tf.function(function)

    def answer(*arrays):
        arrays = keras.tree.map_structure(ops.convert_to_tensor, arrays)
        return keras.tree.map_structure(ops.convert_to_numpy, function(*arrays))

    return answer


def run(model, prompts, capacity, num_new, sampler=GREEDY, stop_token_ids=(), seed=0):
    """All columns that the compiled loop has room for."""
    token_ids, mask = left_padded([np.array(prompt) for prompt in prompts])
    decoder = backend.decoder(model, *bind(sampler, stop_token_ids))
    num_slots = token_ids.shape[1] + capacity
    tokens = decoder.run(token_ids, mask, num_slots, capacity, num_new, seed)
    return ops.convert_to_numpy(tokens)


# ------------------------------------------------------------------ by hand


def test_two_steps_by_hand():
    # Slots:    0 1 2 3 4 5      row 0: _ _ x y z|a     row 1: _ _ _ _ c|d
    model = AlphabetModel()
    token_ids = np.array([[0, 0, 24, 25, 26], [0, 0, 0, 0, 3]], "int32")
    mask = np.array([[0, 0, 1, 1, 1], [0, 0, 0, 0, 1]], bool)

    @compiled
    def start(token_ids, mask):
        return begin(model, token_ids, mask, 7, no_noise, GREEDY, (4,))

    @compiled
    def go_on(carry):
        return advance(model, carry, no_noise, GREEDY, (4,))

    first = start(token_ids, mask)
    assert first["token"].tolist() == [1, 4]
    assert first["finished"].tolist() == [False, True]
    assert first["history"][:, :5].tolist() == token_ids.tolist()
    assert int(first["state"]["clock"]["index"]) == 5

    second = go_on(first)
    assert second["token"].tolist() == [2, 4]
    assert second["finished"].tolist() == [False, True]
    assert second["history"][:, 5].tolist() == [1, 4]
    clock = second["state"]["clock"]
    assert int(clock["index"]) == 6
    assert clock["length"].tolist() == [4, 2]
    assert clock["visible"].astype(int).tolist() == [
        [0, 0, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 1, 1, 0],
    ]


def test_noise_decides_but_for_a_greedy_sampler():
    def for_m(shape):
        return 100 * ops.one_hot(ops.full((shape[0],), 13, dtype="int32"), shape[1])

    @compiled
    def draw(token_ids, mask):
        given = (AlphabetModel(), token_ids, mask, 5, for_m)
        with_greedy = samplers.chain(GREEDY, samplers.random())
        return [begin(*given, s, ())["token"] for s in (samplers.random(), with_greedy)]

    drawn, best = draw(np.ones((2, 1), "int32"), np.ones((2, 1), bool))

    assert drawn.tolist() == [13, 13]
    assert best.tolist() == [2, 2]


def test_the_sampler_is_shown_the_text_so_far():
    # It forbids whatever is visible: after "abc" comes the likeliest of the rest.
    def forward_only(logits, token_ids, visible):
        ids = ops.where(visible, token_ids, 0)
        seen = ops.any(ops.equal(ops.expand_dims(ids, 2), ops.arange(27)), axis=1)
        order = -ops.arange(27, dtype="float32")
        return ops.where(seen, -1e9, order)

    forward_only.is_greedy = True
    tokens = run(AlphabetModel(), [[1, 2, 3], [2]], 16, 5, forward_only)

    assert tokens[:, :5].tolist() == [[4, 5, 6, 7, 8], [1, 3, 4, 5, 6]]


# ------------------------------------------------------------------ the loops


@pytest.mark.parametrize("keeps", ["slots", "newest"])
def test_each_row_goes_on_where_its_own_prompt_ended(keeps):
    tokens = run(AlphabetModel(keeps), PROMPTS, 16, 9)

    assert spell(tokens[0, :9]) == "abcdefghi"
    assert spell(tokens[1, :9]) == "defghijkl"
    assert spell(tokens[2, :9]) == "yzabcdefg"


@pytest.mark.parametrize("keeps", ["slots", "newest"])
def test_the_fake_notices_a_wrong_position(keeps):
    # Or the test above would say nothing.
    @compiled
    def answer(moved):
        model = AlphabetModel(keeps)
        _, state = model.step(ops.ones((2, 1), "int32"), model.initial_state(2, 5))
        state["clock"]["length"] = state["clock"]["length"] + moved
        logits, _ = model.step(ops.full((2, 1), 2, dtype="int32"), state)
        return ops.argmax(logits[:, 0], axis=-1)

    assert answer(np.array([0, 1], "int32")).tolist() == [3, WRONG]


def test_the_loop_runs_as_many_steps_as_asked_and_not_one_more():
    model = AlphabetModel()
    for num_new in (1, 2, 7, 16):
        model.num_steps = 0
        tokens = run(model, [[5, 6]], 16, num_new)
        # The room behind is as it was: nothing was drawn for it.
        assert tokens.shape == (1, 16)
        assert (tokens[0, :num_new] == run_of("g", num_new)).all()
        assert not tokens[0, num_new:].any()
        if keras.backend.backend() == "torch":
            assert model.num_steps == num_new  # the prompt, and num_new - 1 tokens


def test_the_loop_ends_when_every_row_has():
    # "d" ends a row: after 2 steps in one, after 5 in the other. 16 could be made.
    tokens = run(AlphabetModel(), [[2], run_of("x", 2)], 16, 16, GREEDY, (4,))

    assert spell(tokens[0]) == "cdddd" + 11 * "?"
    assert spell(tokens[1]) == "zabcd" + 11 * "?"


def test_a_row_can_end_at_its_first_token():
    tokens = run(AlphabetModel(), [[3]], 16, 16, GREEDY, (4, 9))

    assert spell(tokens[0]) == "d" + "?" * 15
