"""Samplers: what each keeps, how they compose, and that padding has no say."""

import functools

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_lm.generation import samplers
from tests.checks import assert_close

rng = np.random.default_rng(seed=0)
LOGITS = rng.normal(size=(3, 11), scale=2.0).astype("float32")  # (B, V)
TOKEN_IDS = rng.integers(0, 4, size=(3, 17)).astype("int32")  # (B, L)
VISIBLE = np.arange(17) >= np.array([[0], [5], [16]])  # left-padded prompts
LOW = -1e8  # excluded tokens are below it

BY_NAME = {
    "greedy": samplers.greedy(),
    "random": samplers.random(),
    "temperature": samplers.temperature(0.7),
    "top_k": samplers.top_k(3),
    "top_p": samplers.top_p(0.6),
    "min_p": samplers.min_p(0.2),
    "repetition_penalty": samplers.repetition_penalty(1.7),
    "no_repeat_ngram": samplers.no_repeat_ngram(2),
    "suppress": samplers.suppress([0, 7]),
    "chain": samplers.chain(
        samplers.no_repeat_ngram(3),
        samplers.repetition_penalty(1.3),
        samplers.temperature(0.5),
        samplers.top_k(6),
        samplers.top_p(0.9),
    ),
}
every_sampler = pytest.mark.parametrize("name", BY_NAME)


@functools.cache
def compiled(sampler):
    """Compiles as the decoding loops do; with unknown sizes where that exists."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.jit(sampler)
    if backend == "tensorflow":
        import tensorflow as tf

        signature = [
            tf.TensorSpec((None, LOGITS.shape[1]), "float32"),
            tf.TensorSpec((None, None), "int32"),
            tf.TensorSpec((None, None), "bool"),
        ]
        return tf.function(sampler, input_signature=signature)
    import torch

    def without_gradients(*arrays):
        with torch.inference_mode():
            return sampler(*map(torch.from_numpy, arrays))

    return without_gradients


def run(sampler, logits, token_ids=None, visible=None):
    logits = np.asarray(logits, "float32")
    if token_ids is None:
        token_ids = np.zeros((len(logits), 1), "int32")
    token_ids = np.asarray(token_ids, "int32")
    if visible is None:
        visible = np.ones(token_ids.shape, "bool")
    if keras.backend.backend() == "jax":  # op by op it would compile each of them
        sampler = compiled(sampler)
    tensors = (ops.convert_to_tensor(x) for x in (logits, token_ids, visible))
    return ops.convert_to_numpy(sampler(*tensors))


def kept(sampler, logits, token_ids=None, visible=None):
    """The tokens of each row that can still be drawn."""
    rows = run(sampler, logits, token_ids, visible) > LOW
    return [np.flatnonzero(row).tolist() for row in rows]


# ------------------------------------------------------------------- contract


@every_sampler
def test_logits_stay_finite_float32_and_a_token_survives(name):
    logits = run(BY_NAME[name], LOGITS, TOKEN_IDS, VISIBLE)

    assert logits.shape == LOGITS.shape
    assert logits.dtype == "float32"
    assert np.isfinite(logits).all()
    assert (logits.max(axis=-1) > LOW).all()


@every_sampler
def test_padding_in_the_history_has_no_influence(name):
    changed = np.where(VISIBLE, TOKEN_IDS, 10)
    moved = np.concatenate([changed, np.full((3, 2), 7)], axis=-1)
    still_visible = np.pad(VISIBLE, ((0, 0), (0, 2)))

    expected = run(BY_NAME[name], LOGITS, TOKEN_IDS, VISIBLE)

    assert_close(run(BY_NAME[name], LOGITS, changed, VISIBLE), expected)
    assert_close(run(BY_NAME[name], LOGITS, moved, still_visible), expected)


@every_sampler
def test_rows_do_not_see_each_other(name):
    together = run(BY_NAME[name], LOGITS, TOKEN_IDS, VISIBLE)
    row = slice(1, 2)

    alone = run(BY_NAME[name], LOGITS[row], TOKEN_IDS[row], VISIBLE[row])

    assert_close(alone, together[row])


@every_sampler
def test_compiled_gives_the_same_numbers(name):
    arrays = LOGITS, TOKEN_IDS, VISIBLE
    eager = BY_NAME[name](*map(ops.convert_to_tensor, arrays))

    assert_close(compiled(BY_NAME[name])(*arrays), eager)


def test_jit_compiled_tensorflow_gives_the_same_numbers():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("XLA in TensorFlow only")
    import tensorflow as tf

    sampler = BY_NAME["chain"]
    expected = run(sampler, LOGITS, TOKEN_IDS, VISIBLE)

    logits = tf.function(sampler, jit_compile=True)(LOGITS, TOKEN_IDS, VISIBLE)

    assert_close(logits, expected)


def test_equal_arguments_give_the_same_function():
    assert samplers.top_k(50) is samplers.top_k(k=50)
    assert samplers.top_k() is samplers.top_k(50)
    assert samplers.top_k(50) is not samplers.top_k(51)
    assert samplers.temperature(1) is samplers.temperature(1.0)
    assert samplers.suppress([3, 1]) is samplers.suppress(np.array([1, 3]))
    assert samplers.greedy() is samplers.greedy()
    parts = samplers.top_k(5), samplers.temperature(0.5)
    assert samplers.chain(*parts) is samplers.chain(*parts)
    assert samplers.chain(*parts) is not samplers.chain(*reversed(parts))


# ---------------------------------------------------------------- done by hand

FOUR = np.log([[0.5, 0.3, 0.15, 0.05]])  # probabilities, most likely first


def test_top_k_by_hand():
    assert kept(samplers.top_k(2), FOUR) == [[0, 1]]
    assert kept(samplers.top_k(9), FOUR) == [[0, 1, 2, 3]]
    assert kept(samplers.top_k(2), [[1.0, 2.0, 1.0, 1.0]]) == [[0, 1]]


def test_top_p_by_hand():
    # 0.5, 0.8, 0.95, 1.0: the fewest that reach 0.7 are two, 0.85 needs three.
    assert kept(samplers.top_p(0.7), FOUR) == [[0, 1]]
    assert kept(samplers.top_p(0.85), FOUR) == [[0, 1, 2]]
    assert kept(samplers.top_p(0.85), FOUR[:, ::-1]) == [[1, 2, 3]]
    assert kept(samplers.top_p(1.0), FOUR) == [[0, 1, 2, 3]]


def test_min_p_by_hand():
    # At least 0.2 x 0.5 = 0.1.
    assert kept(samplers.min_p(0.2), FOUR) == [[0, 1, 2]]


def test_temperature_by_hand():
    assert_close(run(samplers.temperature(0.5), [[1.0, -3.0]]), [[2.0, -6.0]])


def test_temperature_keeps_excluded_tokens_excluded():
    hot = samplers.chain(samplers.top_k(1), samplers.temperature(1e6))

    assert kept(hot, FOUR) == [[0]]
    assert run(hot, FOUR)[0, 1] < LOW


def test_repetition_penalty_by_hand():
    # Token 0 twice and token 1 once are in the text: 4 / 2 and -3 * 2.
    logits = run(samplers.repetition_penalty(2.0), [[4.0, -3.0, 5.0]], [[0, 1, 0]])

    assert_close(logits, [[2.0, -6.0, 5.0]])


@pytest.mark.parametrize(
    ("n", "banned"), [(1, [1, 2, 3]), (2, [3]), (3, [3]), (4, []), (9, [])]
)
def test_no_repeat_ngram_by_hand(n, banned):
    # The text ends as "1 2" and had "1 2 3" and "2 3" before.
    text = [[1, 2, 3, 1, 2]]

    (allowed,) = kept(samplers.no_repeat_ngram(n), np.zeros((1, 5)), text)

    assert allowed == [token for token in range(5) if token not in banned]


def test_no_repeat_ngram_sees_overlapping_repeats():
    # After "7 7" another 7 would repeat nothing but "7 7" itself.
    zeros = np.zeros((1, 9))
    assert 7 not in kept(samplers.no_repeat_ngram(2), zeros, [[7, 7]])[0]
    assert 7 in kept(samplers.no_repeat_ngram(3), zeros, [[7, 7]])[0]
    assert 7 not in kept(samplers.no_repeat_ngram(3), zeros, [[7, 7, 7]])[0]


def test_suppress_by_hand():
    assert kept(samplers.suppress([0, 2]), FOUR) == [[1, 3]]
    assert kept(samplers.suppress([]), FOUR) == [[0, 1, 2, 3]]


def test_a_row_that_would_lose_every_token_keeps_all():
    assert kept(samplers.suppress(range(4)), FOUR) == [[0, 1, 2, 3]]
    everything = [[0, 1, 2, 3]]
    assert kept(samplers.no_repeat_ngram(1), FOUR, everything) == [[0, 1, 2, 3]]


def test_chain_applies_from_left_to_right():
    # Suppressed first, tokens 1 and 2 are the best two; last, only 1 is left.
    top, out = samplers.top_k(2), samplers.suppress([0])

    assert kept(samplers.chain(out, top), FOUR) == [[1, 2]]
    assert kept(samplers.chain(top, out), FOUR) == [[1]]


# ------------------------------------------------------------------ properties

# One size and quarters of integers: one compilation, and equal logits are common.
quarters = st.integers(-40, 40).map(lambda n: n / 4)
rows_of_logits = st.lists(quarters, min_size=13, max_size=13)
probability = st.integers(1, 99).map(lambda percent: percent / 100)


def stable_order(logits):
    return sorted(range(len(logits)), key=lambda v: -logits[v])


@settings(max_examples=30)
@given(rows_of_logits, st.integers(1, 14))
def test_top_k_keeps_the_k_best(logits, k):
    assert kept(samplers.top_k(k), [logits]) == [sorted(stable_order(logits)[:k])]


@settings(max_examples=30)
@given(rows_of_logits, probability)
def test_top_p_keeps_the_fewest_that_reach_p(logits, p):
    (chosen,) = kept(samplers.top_p(p), [logits])
    weights = np.exp(np.array(logits) - max(logits))
    weights /= weights.sum()

    assert chosen == sorted(stable_order(logits)[: len(chosen)])
    assert sum(weights[v] for v in chosen) >= p - 1e-5
    but_last = stable_order(logits)[: len(chosen) - 1]
    assert sum(weights[v] for v in but_last) < p + 1e-5


@settings(max_examples=30)
@given(rows_of_logits, probability)
def test_min_p_keeps_what_is_likely_enough(logits, p):
    (chosen,) = kept(samplers.min_p(p), [logits])
    ratios = np.exp(np.array(logits) - max(logits))

    unclear = np.abs(ratios - p) < 1e-5
    expected = np.where(unclear, [v in chosen for v in range(len(logits))], ratios > p)
    assert chosen == np.flatnonzero(expected).tolist()


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=13),
    st.integers(1, 4),
)
def test_no_repeat_ngram_bans_exactly_what_repeats(slots, n):
    # Padded to one size, so that nothing compiles again for every example.
    slots = slots + [(0, False)] * (13 - len(slots))
    text = [token for token, visible in slots if visible]
    seen = {tuple(text[i : i + n]) for i in range(len(text) - n + 1)}
    suffix = tuple(text[len(text) - n + 1 :]) if n > 1 else ()
    allowed = [v for v in range(5) if (*suffix, v) not in seen]
    token_ids, visible = zip(*slots, strict=True)

    sampler = samplers.no_repeat_ngram(n)
    assert kept(sampler, np.zeros((1, 5)), [token_ids], [visible]) == [allowed]


# --------------------------------------------------------------- siblings agree


@pytest.mark.parametrize(
    "sampler",
    [
        samplers.top_k(1),
        samplers.top_p(1e-6),
        samplers.min_p(1.0),
        samplers.chain(samplers.temperature(0.3), samplers.top_k(1)),
    ],
    ids=lambda sampler: sampler.__name__,
)
def test_the_narrowest_choice_is_greedy(sampler):
    greedy = run(samplers.greedy(), LOGITS).argmax(axis=-1)

    assert kept(sampler, LOGITS) == [[best] for best in greedy]


def test_temperature_near_zero_is_greedy():
    logits = run(samplers.temperature(1e-9), LOGITS)
    noise = rng.gumbel(size=(1000, *LOGITS.shape))

    drawn = (logits + noise).argmax(axis=-1)

    assert (drawn == LOGITS.argmax(axis=-1)).all()
    assert np.isfinite(logits).all()


def test_what_changes_nothing():
    for sampler in (
        samplers.greedy(),
        samplers.random(),
        samplers.temperature(1.0),
        samplers.top_k(11),
        samplers.top_p(1.0),
        samplers.repetition_penalty(1.0),
        samplers.no_repeat_ngram(30),
    ):
        assert_close(run(sampler, LOGITS, TOKEN_IDS, VISIBLE), LOGITS, tolerance=0)


def test_who_is_greedy():
    assert samplers.greedy().is_greedy
    assert not samplers.top_k(1).is_greedy
    assert samplers.chain(samplers.suppress([1]), samplers.greedy()).is_greedy
    assert not samplers.chain(samplers.suppress([1]), samplers.random()).is_greedy


def test_a_function_of_ones_own_is_a_sampler():
    def backwards(logits, token_ids, visible):
        return -logits

    assert samplers.get_sampler(backwards) is backwards
    assert_close(run(samplers.chain(backwards), LOGITS), -LOGITS)


def test_get_sampler_by_name():
    assert samplers.get_sampler("greedy") is samplers.greedy()
    assert samplers.get_sampler(None) is samplers.greedy()
    assert samplers.get_sampler("top_k") is samplers.top_k(50)
    assert set(samplers.SAMPLERS) == {"greedy", "random", "top_k", "top_p", "min_p"}


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: samplers.temperature(0), r"above 0 and finite \(use greedy\(\)"),
        (lambda: samplers.temperature(float("nan")), "`temperature` must be above 0"),
        (lambda: samplers.top_k(0), "`k` must be at least 1"),
        (lambda: samplers.top_p(0), "top_p: `p` must be above 0 and at most 1"),
        (lambda: samplers.min_p(1.1), "min_p: `p` must be above 0 and at most 1"),
        (lambda: samplers.repetition_penalty(0), "`penalty` must be above 0"),
        (lambda: samplers.no_repeat_ngram(0), "`n` must be at least 1"),
        (lambda: samplers.suppress([-1]), "`token_ids` must be at least 0"),
        (lambda: samplers.chain(), r"chain\(\) must get at least one sampler"),
        (
            lambda: samplers.get_sampler("best"),
            r"one of \['greedy', 'min_p', 'random', 'top_k', 'top_p'\]",
        ),
        (lambda: samplers.get_sampler(3), "`sampler` must be a function or one of"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_chain_refuses_what_is_no_function():
    with pytest.raises(TypeError, match="must get samplers, which are functions"):
        samplers.chain(samplers.greedy(), "top_k")


def test_suppress_refuses_ids_outside_the_vocabulary():
    with pytest.raises(ValueError, match="must be below the vocabulary size"):
        run(samplers.suppress([11]), LOGITS)
