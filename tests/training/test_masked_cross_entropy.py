"""MaskedCrossEntropy: Keras' numbers and gradients, and padding that never counts."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.training import MaskedCrossEntropy, Perplexity
from tests.checks import assert_close

rng = np.random.default_rng(seed=0)
LOGITS = rng.normal(size=(3, 5, 7), scale=3.0).astype("float32")  # (B, T, V)
NEXT = rng.integers(0, 7, size=(3, 5)).astype("int32")
WEIGHTS = (np.arange(5) < [[5], [2], [0]]).astype("float32")


def value_and_gradient(loss, logits, weights=None):
    """The loss and its gradient, compiled, as `fit` would have them."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        def compute(logits, weights):
            return loss(NEXT, logits, weights)

        return jax.jit(jax.value_and_grad(compute))(logits, weights)
    if backend == "tensorflow":
        import tensorflow as tf

        logits = tf.constant(logits)
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = tf.function(loss)(NEXT, logits, weights)
        return value, tape.gradient(value, logits)
    import torch

    logits = torch.tensor(logits, requires_grad=True)
    value = loss(NEXT, logits, weights)
    value.backward()
    return value.detach(), logits.grad


def test_a_case_done_by_hand():
    # Logits (0, ln 3): the tokens have probabilities 1/4 and 3/4.
    logits = np.log([[[1.0, 3.0], [1.0, 3.0], [1.0, 3.0]]])

    loss = MaskedCrossEntropy()([[0, 1, 0]], logits, np.array([[1.0, 1.0, 0.0]]))

    assert_close(loss, (np.log(4) + np.log(4 / 3)) / 2)


def test_label_smoothing_by_hand():
    # A tenth of the target goes to all: 0.9 ln 4 + 0.1 (ln 4 + ln 4/3) / 2.
    logits = np.log([[[1.0, 3.0]]])

    loss = MaskedCrossEntropy(label_smoothing=0.1)([[0]], logits)

    assert_close(loss, 0.9 * np.log(4) + 0.05 * (np.log(4) + np.log(4 / 3)))


def test_numbers_and_gradients_are_keras_own():
    theirs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    expected, expected_gradient = value_and_gradient(theirs, LOGITS)
    actual, gradient = value_and_gradient(MaskedCrossEntropy(), LOGITS)

    assert_close(actual, expected, tolerance=1e-6)
    assert_close(gradient, expected_gradient, tolerance=1e-6)


def test_smoothed_numbers_and_gradients_are_keras_own():
    smoothed = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=0.1
    )

    def theirs(next_token_ids, logits, weights=None):
        return smoothed(ops.one_hot(next_token_ids, 7), logits, weights)

    expected, expected_gradient = value_and_gradient(theirs, LOGITS)
    actual, gradient = value_and_gradient(MaskedCrossEntropy(0.1), LOGITS)

    assert_close(actual, expected, tolerance=1e-6)
    assert_close(gradient, expected_gradient, tolerance=1e-6)


def test_large_logits_stay_finite():
    loss, gradient = value_and_gradient(MaskedCrossEntropy(), LOGITS * 1e4)

    assert np.isfinite(ops.convert_to_numpy(loss))
    assert np.isfinite(ops.convert_to_numpy(gradient)).all()


def test_the_mean_is_over_the_tokens_that_count():
    loss = MaskedCrossEntropy()
    first = loss(NEXT[:1], LOGITS[:1])  # 5 tokens count in the first row,
    second = loss(NEXT[1:2, :2], LOGITS[1:2, :2])  # 2 in the second, none in the last

    assert_close(loss(NEXT, LOGITS, WEIGHTS), (5 * first + 2 * second) / 7)
    assert_close(loss(NEXT, LOGITS, WEIGHTS * 3.0), loss(NEXT, LOGITS, WEIGHTS))


def test_padding_has_no_influence():
    padded = WEIGHTS == 0
    next_ids, logits = NEXT.copy(), LOGITS.copy()
    next_ids[padded] = -100
    logits[padded] += rng.normal(size=(padded.sum(), 7)).astype("float32") * 100

    expected = MaskedCrossEntropy(0.1)(NEXT, LOGITS, WEIGHTS)

    assert_close(MaskedCrossEntropy(0.1)(next_ids, logits, WEIGHTS), expected)


def test_a_keras_mask_is_weights():
    token_ids = np.where(WEIGHTS > 0, NEXT + 1, 0)
    inputs = keras.Input((5,), dtype="int32")
    x = keras.layers.Embedding(8, 7, mask_zero=True)(inputs)
    model = keras.Model(inputs, keras.layers.Dense(7)(x))
    model.compile("sgd", MaskedCrossEntropy(), metrics=[Perplexity()])

    loss, perplexity = model.evaluate(token_ids, NEXT, batch_size=3, verbose=0)
    both, _ = model.evaluate(
        token_ids, NEXT, batch_size=3, verbose=0, sample_weight=WEIGHTS
    )

    logits = np.array(model.predict(token_ids, verbose=0))
    expected = MaskedCrossEntropy()(NEXT, logits, WEIGHTS)
    assert_close(ops.stack([loss, both]), ops.stack([expected, expected]))
    assert_close(perplexity, ops.exp(expected))


def test_weights_in_fit_and_an_unfinished_last_batch():
    model = keras.Sequential([keras.Input((5, 2)), keras.layers.Dense(7)])
    model.compile("sgd", MaskedCrossEntropy())
    x = rng.normal(size=(3, 5, 2)).astype("float32")

    history = model.fit(x, NEXT, sample_weight=WEIGHTS, batch_size=2, verbose=0)

    assert 0 < history.history["loss"][0] < 10


def test_weights_of_whole_rows():
    rows = np.array([1.0, 0.0, 2.0], "float32")

    expected = MaskedCrossEntropy()(NEXT, LOGITS, np.repeat(rows[:, None], 5, axis=1))

    assert_close(MaskedCrossEntropy()(NEXT, LOGITS, rows), expected)
    assert_close(MaskedCrossEntropy()(NEXT, LOGITS, rows[:, None]), expected)


def test_no_token_that_counts_costs_nothing():
    loss, gradient = value_and_gradient(MaskedCrossEntropy(), LOGITS, WEIGHTS * 0)

    assert_close(loss, 0.0)
    assert_close(gradient, np.zeros((3, 5, 7)))


@pytest.mark.parametrize("wrong_id", [-1, 7, 10_000])
def test_an_id_outside_the_vocabulary_is_nan(wrong_id):
    next_ids = NEXT.copy()
    next_ids[0, 0] = wrong_id

    assert np.isnan(ops.convert_to_numpy(MaskedCrossEntropy()(next_ids, LOGITS)))


def test_half_precision_logits_are_summed_in_float32():
    for dtype in ("float16", "bfloat16"):
        logits = ops.cast(LOGITS, dtype)
        loss = MaskedCrossEntropy()(NEXT, logits)

        assert keras.backend.standardize_dtype(loss.dtype) == "float32"
        exact = MaskedCrossEntropy()(NEXT, ops.cast(logits, "float32"))
        assert_close(loss, exact, tolerance=1e-6)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_learns(policy):
    layers = [
        keras.Input((4,), dtype="int32"),
        keras.layers.Embedding(7, 11, dtype=policy),
        keras.layers.Dense(7, dtype=policy),
    ]
    model = keras.Sequential(layers)
    optimizer = keras.optimizers.Adam(0.05)
    if policy == "mixed_float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, MaskedCrossEntropy())
    token_ids = rng.integers(0, 7, size=(6, 4)).astype("int32")

    history = model.fit(token_ids, (token_ids + 1) % 7, epochs=40, verbose=0)

    assert history.history["loss"][-1] < 0.5 < history.history["loss"][0]


def test_unknown_sizes_and_xla_in_tensorflow():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("TensorFlow only")
    import tensorflow as tf

    signature = [
        tf.TensorSpec((None, None), "int32"),
        tf.TensorSpec((None, None, 7), "float32"),
        tf.TensorSpec((None, None), "float32"),
    ]
    loss = MaskedCrossEntropy(label_smoothing=0.1)
    expected = loss(NEXT, LOGITS, WEIGHTS)

    for jit_compile in (False, True):
        compiled = tf.function(loss, signature, jit_compile=jit_compile)
        assert_close(compiled(NEXT, LOGITS, WEIGHTS), expected)


def test_from_config_gives_the_same_loss():
    loss = MaskedCrossEntropy(label_smoothing=0.2, name="nats")

    again = keras.losses.deserialize(keras.losses.serialize(loss))

    assert again.get_config() == loss.get_config()
    assert_close(again(NEXT, LOGITS, WEIGHTS), loss(NEXT, LOGITS, WEIGHTS))


@pytest.mark.parametrize("label_smoothing", [-0.1, 1.0])
def test_label_smoothing_outside_its_range_is_refused(label_smoothing):
    with pytest.raises(ValueError, match="`label_smoothing` must be at least 0 and"):
        MaskedCrossEntropy(label_smoothing)


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match="must have the shape of `logits` without"):
        MaskedCrossEntropy()(NEXT[:, :4], LOGITS)
    with pytest.raises(ValueError, match="must have the shape of `logits` without"):
        MaskedCrossEntropy()(NEXT[:, :, None], LOGITS)
