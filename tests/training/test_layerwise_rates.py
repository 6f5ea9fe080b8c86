"""LayerwiseRates: groups, shares of each step, mixed precision, state, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import LSTMEncoder
from keras_lm.training import LayerwiseRates, enable_lora
from keras_lm.training.layerwise_rates import group_weights
from tests.checks import JIT, assert_close
from tests.training.small_classifier import fit, make_classifier, moved, values

ADAMW = {"learning_rate": 0.01, "weight_decay": 0.1}


def steps_of(optimizer, **options):
    """`{path without the model's name: what fit added}`, from the same weights."""
    model = make_classifier()
    before = values(model)
    fit(model, optimizer, **options)
    after = values(model)
    return {path.partition("/")[2]: after[path] - before[path] for path in before}


def share_of(path, decay):
    """Of the group of embeddings, of two blocks, or of all above."""
    for place, name in enumerate(("embedding/", "block_0/", "block_1/")):
        if name in path:
            return decay ** (3 - place)
    return 1.0


@pytest.mark.slow_elsewhere
def test_each_layer_takes_its_share_of_the_step():
    # One step of AdamW: what it would have done, times the share, decay included.
    # (Compiled alike, for Adam takes the sign of a gradient that is rounding alone.)
    bare = steps_of(keras.optimizers.AdamW(**ADAMW), jit_compile=JIT)
    rates = LayerwiseRates(keras.optimizers.AdamW(**ADAMW), decay=0.5)
    steps = steps_of(rates, jit_compile=JIT)

    assert set(steps) == set(bare)
    for path, step in steps.items():
        assert_close(step, share_of(path, 0.5) * bare[path], 1e-6)
        if not path.endswith("key/bias"):
            assert np.abs(step).max() > 1e-4


@pytest.mark.slow_elsewhere
def test_without_decay_it_is_the_optimizer_it_wraps():
    schedule = keras.optimizers.schedules.ExponentialDecay(0.05, 1, 0.5)
    options = {"learning_rate": schedule, "global_clipnorm": 0.1, "momentum": 0.9}
    options |= {"gradient_accumulation_steps": 2}
    bare = steps_of(keras.optimizers.SGD(**options), epochs=4)
    steps = steps_of(LayerwiseRates(keras.optimizers.SGD(**options), 1.0), epochs=4)

    for path, step in steps.items():
        assert_close(step, bare[path], 1e-6)


@pytest.mark.slow_elsewhere
def test_a_closed_group_stays_exactly_as_it_is():
    model = make_classifier()
    optimizer = LayerwiseRates(keras.optimizers.AdamW(**ADAMW), 0.5)
    optimizer.build(model.trainable_variables)
    optimizer.open_groups(2)
    before = values(model)

    fit(model, optimizer, epochs=2)

    changed = moved(before, model)
    assert not {p for p in changed if "embedding" in p or "block_0/" in p}
    assert {p for p in before if "block_1/" in p and "key/bias" not in p} <= changed
    # The moments of what was closed are up to date.
    momentum = [v for v in optimizer.variables if v.path.endswith("momentum")]
    assert all(np.abs(keras.ops.convert_to_numpy(v)).max() > 0 for v in momentum)


@pytest.mark.slow_elsewhere
def test_in_mixed_precision_it_stands_under_the_loss_scale():
    model = make_classifier(dtype="mixed_float16")
    inner = keras.optimizers.Adam(0.01, loss_scale_factor=4.0)
    history = fit(model, LayerwiseRates(inner, 0.8), epochs=30).history["loss"]

    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    assert inner.loss_scale_factor is None  # or gradients would be divided twice
    assert history[-1] < 0.5 * history[0]
    assert int(model.optimizer.iterations) == 30


@pytest.mark.slow_elsewhere
def test_it_is_saved_with_its_model_and_goes_on(tmp_path):
    model = make_classifier()
    rates = LayerwiseRates("adam", decay=0.5, groups=["embedding", "block_"])
    fit(model, rates, epochs=2)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")

    copy = loaded.optimizer
    assert copy.get_config() == rates.get_config()
    assert (copy.num_groups, int(copy.iterations)) == (3, 2)
    for one, other in zip(copy.variables, rates.variables, strict=True):
        assert_close(one, other, 0)
    before, others = values(model), values(loaded)
    fit(model, rates)
    fit(loaded, copy)
    for path, array in values(model).items():
        assert_close(values(loaded)[path] - others[path], array - before[path], 1e-6)


@pytest.mark.slow_elsewhere
def test_callbacks_set_the_rate_of_the_wrapped_optimizer():
    optimizer = LayerwiseRates(keras.optimizers.SGD(0.1), 0.5)
    schedule = keras.callbacks.LearningRateScheduler(lambda epoch: 0.25 / (1 + epoch))

    steps_of(optimizer, epochs=2, callbacks=[schedule])

    assert float(optimizer.learning_rate) == float(optimizer.optimizer.learning_rate)
    assert float(optimizer.learning_rate) == 0.125


@pytest.mark.once
def test_adapters_and_lstms_have_the_rates_of_their_layers():
    model = make_classifier()
    enable_lora(model, targets="embedding|query|head")
    optimizer = LayerwiseRates("adam")
    optimizer.build(model.trainable_variables)
    places = [int(group) for group in optimizer.group_of]
    assert places == [0] * 4 + [1] * 2 + [2] * 2 + [3] * 2

    encoder = LSTMEncoder(11, 4, 6, 2, name="encoder")  # a name without a number
    paths = [weight.path for weight in encoder.weights]
    groups = dict(zip(paths, group_weights(paths), strict=True))
    for path, group in groups.items():
        assert group == (0 if "embedding" in path else 1 + ("_1/" in path)), path


@pytest.mark.once
def test_groups_are_the_first_pattern_that_matches():
    paths = ["m_2/head/bias", "m_2/body/kernel", "m_2/body/bias"]
    assert group_weights(paths, ["body/bias", "body"]) == [2, 1, 0]
    assert group_weights(paths[1:], ["body/bias", "body"]) == [1, 0]
    assert group_weights(["m/block_7/k", "m/block_10/k"]) == [0, 1]


# ----------------------------------------------------------------------- errors


@pytest.mark.once
@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (
            ["body", "bias"],
            "must be the first to match .* Received: 'bias', which is of",
        ),
        (["数组"], "must be the first to match .* Received: '数组'"),
        (
            [""],
            r"at least two groups. Received: one, of the layers \['m/body', 'm/head'",
        ),
        (None, "at least two groups. Received: one"),
    ],
)
def test_groups_that_are_none_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        group_weights(["m/head/kernel", "m_1/body/bias"], groups)


@pytest.mark.once
def test_bad_arguments_are_refused():
    for decay in (0.0, 1.1):
        with pytest.raises(ValueError, match="`decay` must be above 0 and at most 1"):
            LayerwiseRates("adam", decay)
    with pytest.raises(TypeError, match="`groups` must be a list of .* groups='head'"):
        LayerwiseRates("adam", groups="head")
    with pytest.raises(ValueError, match="`groups` must be regular expressions"):
        LayerwiseRates("adam", groups=["head", "("])
    with pytest.raises(TypeError, match="`groups` must be strings. Received: None"):
        LayerwiseRates("adam", groups=[None])
    with pytest.raises(ValueError, match="`optimizer` must be without `use_ema`"):
        LayerwiseRates(keras.optimizers.Adam(use_ema=True))
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    for wrapped in (LayerwiseRates("adam"), scaled):
        with pytest.raises(TypeError, match="`optimizer` must be a plain one"):
            LayerwiseRates(wrapped)
