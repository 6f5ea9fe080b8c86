"""BayesianAttention: its contract, its noise, its divergence, its silence elsewhere."""

import math

import keras
import numpy as np
import pytest
from hypothesis import given
from keras import ops

from keras_lm.layers import BayesianAttention, MultiHeadAttention
from keras_lm.models import TransformerDecoder
from tests import reference
from tests.attention_cases import attention_cases, check_case, make_case
from tests.checks import (
    JIT,
    assert_close,
    check_attention,
    check_decoder,
    compiled,
    examples,
    gradients,
    padding,
    variants,
)

rng = np.random.default_rng(seed=0)
HIDDEN = rng.normal(size=(2, 7, 6)).astype("float32")  # (B, T, E)
SETTINGS = {
    "key": {"num_heads": 3, "key_dim": 4, "seed": 3},
    "pair": {"num_heads": 4, "key_dim": 2, "num_key_value_heads": 2, "noise": "pair"}
    | {"prior": "standard", "kl": "offset", "rotary_wavelength": 100.0, "dropout": 0.3},
}


@pytest.mark.parametrize("arguments", variants(SETTINGS, "pair"))
def test_attention_contract(arguments):
    check_attention(BayesianAttention, **arguments)


def make_layer(num_heads=4, key_dim=2, seed=5, **arguments):
    """A built layer whose sigmas differ from key to key."""
    layer = BayesianAttention(num_heads, key_dim, seed=seed, **arguments)
    layer.build((None, None, 6))
    draw = np.random.default_rng(seed=1)
    for weight in layer.trainable_weights:
        weight.assign(weight + 0.3 * draw.normal(size=weight.shape))
    return layer


def rewind(layer, seed=11):
    layer.seed_generator.state.assign([seed, 0])


def call(layer, *inputs, seed=11, **options):
    """A call from fixed random numbers, compiled, as NumPy."""
    rewind(layer, seed)

    def run(*inputs):
        with keras.StatelessScope():  # on JAX nothing of the trace may stay behind
            return layer(*inputs, **options)

    return keras.tree.map_structure(ops.convert_to_numpy, compiled(run)(*inputs))


def divergence(layer, *inputs, **options):
    """The mean divergence that a training call adds to the loss."""
    layer(*inputs, training=True, **options)
    (loss,) = layer.losses
    return float(loss) / float(layer.kl_weight)


# ------------------------------------------------------------------------ by hand


def test_a_case_done_by_hand():
    # Two keys, equal scores: l = -ln 2. Prior -ln 2, standard deviation 2; sigma is 1,
    # so z has the mean l - 1/2 and KL = ln 2 + (1 + 1/4) / 8 - 1/2.
    layer = BayesianAttention(1, 1, prior="standard", kl_weight=0.5)
    layer(np.zeros((1, 2, 1)), training=True)
    assert_close(layer.losses[0], 0.5 * (math.log(2) + 1.25 / 8 - 0.5))


def test_sigma_begins_where_it_is_told():
    for initial_std in (0.01, 1.0, 60.0):
        layer = BayesianAttention(2, 3, initial_std=initial_std)
        layer.build((None, None, 6))
        key = ops.ones((1, 2, 5, 3))
        assert_close(layer._std(key, key), np.full((1, 2, 1, 5), initial_std), 1e-4)


# ---------------------------------------------------------------------- inference


@pytest.mark.parametrize("noise", ["key", "pair"])
def test_at_inference_it_is_plain_attention(noise):
    layer = make_layer(noise=noise, num_key_value_heads=2, dropout=0.3)
    plain = MultiHeadAttention(4, 2, num_key_value_heads=2)
    plain.build((None, None, 6))
    for name in ("query", "key", "value", "output"):
        weights = getattr(layer, f"{name}_projection").get_weights()
        getattr(plain, f"{name}_projection").set_weights(weights)
    options = {"use_causal_mask": True, "value_mask": padding(2, 7)}

    assert_close(layer(HIDDEN, **options), plain(HIDDEN, **options), tolerance=1e-6)
    assert layer.losses == []
    shown, plainly = (
        x(HIDDEN, return_attention_scores=True, **options)[1] for x in (layer, plain)
    )
    assert_close(shown, plainly, tolerance=1e-6)


def test_stochastic_draws_at_inference_and_is_switched_off_without_a_trace():
    layer = make_layer()
    before = call(layer, HIDDEN)
    layer.stochastic = True
    noisy = call(layer, HIDDEN)
    layer.stochastic = False

    assert np.abs(noisy - before).max() > 0.01
    assert layer.losses == []
    np.testing.assert_array_equal(call(layer, HIDDEN), before)


# -------------------------------------------------------------------------- noise


@pytest.mark.parametrize("masked", [False, True])
def test_the_channel_of_the_keys_equals_the_noise_added_to_the_scores(masked):
    # `weigh` adds the offsets to the scores; `attend` hides them in the keys.
    layer = make_layer(num_key_value_heads=2)
    layer.stochastic = True
    options = {"use_causal_mask": True, "value_mask": padding(2, 7)} if masked else {}

    expected, _ = call(layer, HIDDEN, return_attention_scores=True, **options)

    assert_close(call(layer, HIDDEN, **options), expected)
    assert np.abs(call(layer, HIDDEN, seed=12, **options) - expected).max() > 0.01


def sigma(layer, weights, query, key, head):
    """Standard deviation of one score."""
    shared = head // (layer.num_heads // layer.num_key_value_heads)
    logit = weights["std_bias"][shared] + key @ weights["std_kernel"][shared]
    if layer.noise == "pair":
        logit += query @ weights["query_std_kernel"][head]
    return math.log1p(math.exp(logit))


def check_against_loops(case, noise):
    """The weights under numbers that are known: the generator's are replaced."""
    layer = make_layer(**case.sizes, noise=noise)
    layer.stochastic = True
    weights = reference.named_weights(layer)
    heads, shared = case.query.shape[1], case.key.shape[1]
    shape = case.visible.shape if noise == "pair" else (*case.key.shape[:2], 1)
    eps = rng.normal(size=shape if noise == "pair" else (*shape, case.key.shape[2]))
    contexts, shares = [], []
    for head in range(heads):
        kv = head // (heads // shared)
        scores = np.zeros((len(eps), *case.visible.shape[2:]))
        for b, t, s in np.ndindex(scores.shape):
            query, key = case.query[b, head, t], case.key[b, kv, s]
            std = sigma(layer, weights, query, key, head)
            drawn = eps[b, head, t, s] if noise == "pair" else eps[b, kv, 0, s]
            scores[b, t, s] = query @ key / math.sqrt(layer.key_dim)
            scores[b, t, s] += std * drawn - std**2 / 2
        found = reference.mean_under_scores(
            scores, case.value[:, kv], case.visible[:, head]
        )
        contexts.append(found[0]), shares.append(found[1])

    def known(shape, dtype, seed):
        assert tuple(shape) == eps.shape
        return ops.convert_to_tensor(eps, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.random, "normal", known)
        check_case(layer, case, np.stack(contexts, 1), np.stack(shares, 1))


def test_drawn_weights_equal_a_loop():
    check_against_loops(make_case(queries=7), "key")


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("noise", ["key", "pair"])
@examples(25)
@given(case=attention_cases())
def test_drawn_weights_of_any_sizes_and_masks_equal_a_loop(noise, case):
    check_against_loops(case, noise)


@pytest.mark.parametrize("noise", ["key", "pair"])
def test_the_mean_of_exp_z_is_the_softmax(noise):
    # 4,096 draws at once, as a batch of equal inputs; z = l + offset.
    layer = make_layer(noise=noise, num_heads=2, initial_std=0.7)
    q, k = (
        np.repeat(rng.normal(size=(1, 2, 3, 2)), 4096, axis=0).astype("float32")
        for _ in range(2)
    )
    rewind(layer)
    std = layer._std(ops.convert_to_tensor(q), ops.convert_to_tensor(k))
    powers = np.exp(ops.convert_to_numpy(layer._offset(std)))

    error = powers.std(axis=0) / math.sqrt(4096)
    assert powers.shape == (4096, 2, 3 if noise == "pair" else 1, 3)
    away = (powers.mean(axis=0) - 1) / error  # in standard errors, each about N(0, 1)
    assert abs(away.mean()) * math.sqrt(away.size) < 3
    assert np.abs(away).max() < 5
    logs = np.log(powers)  # and each is normal with the layer's own sigma
    assert_close(logs.std(axis=0), ops.convert_to_numpy(std)[0], tolerance=0.05)


def test_key_noise_is_shared_by_all_queries_and_pair_noise_is_not():
    for noise, shared in (("key", True), ("pair", False)):
        layer = make_layer(noise=noise)
        plainly = call(layer, HIDDEN, return_attention_scores=True)[1]
        layer.stochastic = True
        drawn = call(layer, HIDDEN, return_attention_scores=True)[1]
        ratio = drawn / plainly  # exp(offset), times a constant for each row
        ratio = ratio / ratio[..., :1]
        same = np.abs(ratio - ratio[:, :, :1]).max() < 1e-3
        assert same == shared


def test_equal_keys_of_two_heads_draw_different_numbers():
    layer = BayesianAttention(2, 3, seed=0)
    layer.build((None, None, 6))
    offset = ops.convert_to_numpy(layer._offset(ops.ones((2, 2, 1, 5))))
    assert len(np.unique(offset)) == 20


@pytest.mark.parametrize("noise", ["key", "pair"])
@pytest.mark.parametrize("kl", ["weights", "offset"])
def test_in_training_too_nothing_leaks(noise, kl):
    layer = make_layer(noise=noise, kl=kl, dropout=0.3 if kl == "weights" else 0.0)
    real = padding(2, 7)

    @compiled
    def run(inputs):  # the generators stay where they are: the same numbers each time
        with keras.StatelessScope():
            options = {"training": True, "use_causal_mask": True, "value_mask": real}
            return layer(inputs, **options)

    def train(inputs):
        return ops.convert_to_numpy(run(inputs))

    before = train(HIDDEN)
    louder = train(np.where(real[..., None], HIDDEN, HIDDEN + 100.0))
    np.testing.assert_allclose(louder[real], before[real], atol=1e-6)
    for place in (1, 4, 6):
        later = HIDDEN.copy()
        later[:, place:] += 100.0
        np.testing.assert_allclose(
            train(later)[:, :place], before[:, :place], atol=1e-6
        )


# --------------------------------------------------------------------- divergence


def mean_divergence(layer, query, key, visible):
    """The mean over visible pairs, by loops, of `(B, H, T, D)` and `(B, K, S, D)`."""
    weights = reference.named_weights(layer)
    group = layer.num_heads // layer.num_key_value_heads
    total, count = 0.0, 0
    for b, h, t in np.ndindex(*query.shape[:3]):
        q, keys = query[b, h, t], key[b, h // group]
        seen = [s for s in range(len(keys)) if visible[b, h, t, s]]
        scores = {s: q @ keys[s] / math.sqrt(len(q)) for s in seen}
        priors = {s: prior_logit(weights, keys[s]) for s in seen}
        for s in seen:
            std = sigma(layer, weights, q, keys[s], h)
            mean, prior = -(std**2) / 2, priors[s]
            if layer.kl == "weights":
                mean += scores[s] - log_sum_exp(scores)
                prior -= log_sum_exp(priors)
            total += math.log(layer.prior_std / std) - 0.5
            total += (std**2 + (mean - prior) ** 2) / (2 * layer.prior_std**2)
            count += 1
    return total / max(count, 1)


def prior_logit(weights, key):
    """`W_2 relu(W_1 k)`, or the same number for all keys."""
    if "prior_inner/kernel" not in weights:
        return 0.0
    inner = reference.dense(weights, "prior_inner", key)
    return float((np.maximum(inner, 0) @ weights["prior_output/kernel"])[0])


def log_sum_exp(numbers):
    return math.log(sum(math.exp(number) for number in numbers.values()))


KEY_MASK = padding(2, 7)
PAIRS = rng.random((2, 4, 7, 7)) < 0.6  # (B, H, T, S)
PAIRS[1, 2, 3] = False  # a query that sees nothing
MASKS = {
    "none": {},
    "causal, padded": {"use_causal_mask": True, "value_mask": KEY_MASK},
    "pairs": {"attention_mask": PAIRS, "value_mask": KEY_MASK},
    "nothing visible": {"value_mask": np.zeros((2, 7), bool)},
}


def visible(use_causal_mask=False, value_mask=None, attention_mask=None):
    seen = np.ones((2, 4, 7, 7), bool)
    if use_causal_mask:
        seen = seen & reference.causal(7, 7)
    if value_mask is not None:
        seen = seen & value_mask[:, None, None]
    return seen if attention_mask is None else seen & attention_mask


@pytest.mark.parametrize("prior", ["contextual", "standard"])
@pytest.mark.parametrize("kl", ["weights", "offset"])
@pytest.mark.parametrize("noise", ["key", "pair"])
def test_the_divergence_equals_loops(noise, kl, prior):
    layer = make_layer(
        noise=noise, kl=kl, prior=prior, num_key_value_heads=2, prior_std=1.7
    )
    weights = reference.named_weights(layer)
    query, key = (
        reference.split_heads(reference.dense(weights, name, HIDDEN), heads)
        for name, heads in (("query", 4), ("key", 2))
    )
    for options in MASKS.values():
        expected = mean_divergence(layer, query, key, visible(**options))
        assert expected >= 0
        assert_close(divergence(layer, HIDDEN, **options), expected, tolerance=2e-5)


def test_the_divergence_is_0_only_where_posterior_and_prior_are_one():
    # Offsets with sigma = 0.6 have the mean -0.18; the prior's network learns nothing
    # but a bias here, so that its mean can be set to this.
    layer = BayesianAttention(
        2, 3, kl="offset", prior_std=0.6, initial_std=0.6, prior_hidden=1
    )
    layer.build((None, None, 6))
    layer.prior_inner.set_weights([np.zeros((3, 1)), np.ones(1)])
    layer.prior_output.set_weights([np.full((1, 1), -0.18)])
    assert abs(divergence(layer, HIDDEN)) < 1e-6

    layer.std_bias.assign(layer.std_bias + np.array([0.0, 0.2]))
    assert divergence(layer, HIDDEN) > 1e-3


@pytest.mark.parametrize("kl", ["weights", "offset"])
def test_hidden_keys_do_not_enter_the_divergence(kl):
    layer = make_layer(kl=kl)
    louder = np.where(KEY_MASK[..., None], HIDDEN, HIDDEN + 100.0)
    before, after = (
        divergence(layer, HIDDEN, keys, value_mask=KEY_MASK)
        for keys in (HIDDEN, louder)
    )
    assert_close(after, before)


def test_with_nothing_visible_loss_and_gradients_are_finite():
    layer = make_layer()
    nothing = np.zeros((2, 7), bool)

    def loss(hidden):
        output = layer(hidden, value_mask=nothing, training=True)
        return ops.sum(output) + sum(layer.losses)

    value, (grad,) = gradients(loss, [HIDDEN])
    assert np.isfinite(value)
    assert np.all(np.isfinite(grad))


# --------------------------------------------------------------------- in training


@pytest.mark.parametrize("noise", ["key", "pair"])
def test_the_output_has_a_gradient_through_sigma(noise):
    # By the reparametrisation: kl_weight is 0, so only the noise leads there.
    layer = make_layer(noise=noise)
    layer.kl_weight.assign(0.0)
    kernel = ops.convert_to_numpy(layer.std_kernel)

    def loss(std_kernel):
        with keras.StatelessScope([(layer.std_kernel, std_kernel)]):
            return ops.sum(layer(HIDDEN, training=True) ** 2)

    rewind(layer)
    _, (grad,) = gradients(loss, [kernel])
    assert np.abs(grad).max() > 1e-3
    step = np.zeros_like(kernel)
    step[1, 0] = 1e-2
    values = []
    for moved in (kernel + step, kernel - step):
        rewind(layer)
        values.append(gradients(loss, [moved])[0])
    numeric = (values[0] - values[1]) / 2e-2
    assert_close(grad[1, 0], numeric, tolerance=1e-2)


@pytest.mark.parametrize("kl", ["weights", "offset"])
def test_fit_adds_the_divergence_to_the_loss_and_moves_sigma(kl):
    inputs = keras.Input((7, 6))
    layer = BayesianAttention(2, 3, kl=kl, kl_weight=0.5, output_dim=6)
    model = keras.Model(inputs, layer(inputs))
    model.compile(keras.optimizers.SGD(0.0), "mse", jit_compile=JIT)
    expected = 0.5 * divergence(layer, HIDDEN)

    def loss():
        rewind(layer)
        history = model.fit(HIDDEN, HIDDEN, shuffle=False, verbose=0).history
        return history["loss"][0]

    loss()  # the first one also draws while it compiles
    whole = loss()
    layer.kl_weight.assign(0.0)  # without compiling again
    assert_close(whole - loss(), expected, tolerance=1e-4)
    assert expected > 0.05

    layer.kl_weight.assign(0.5)
    before = np.array(layer.std_bias)
    model.optimizer.learning_rate = 0.1
    loss()
    assert np.all(np.abs(np.array(layer.std_bias) - before) > 1e-4)
    assert model.evaluate(HIDDEN, HIDDEN, verbose=0) == pytest.approx(
        np.mean((model.predict(HIDDEN, verbose=0) - HIDDEN) ** 2), rel=1e-5
    )


SIZES = {
    "vocabulary_size": 13,
    "num_layers": 1,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}
TOKEN_IDS = np.random.default_rng(seed=0).integers(0, 13, size=(2, 7), dtype="int32")


@pytest.mark.slow_elsewhere
def test_a_decoder_trains_with_it_and_decodes_as_alone():
    model = TransformerDecoder(**SIZES, attention="bayesian", num_key_value_heads=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, jit_compile=JIT)

    trained = model.fit(TOKEN_IDS, TOKEN_IDS, verbose=0).history["loss"][0]
    tested = model.evaluate(TOKEN_IDS, TOKEN_IDS, verbose=0)

    assert trained > tested + 0.02  # the divergence
    check_decoder(model, TOKEN_IDS)


# ------------------------------------------------------------------- configuration


def test_the_weight_of_the_divergence_is_no_part_of_the_configuration():
    layer = make_layer(kl_weight=0.3)
    layer.kl_weight.assign(0.0)
    assert layer.get_config()["kl_weight"] == 0.3
    assert layer.full_kl_weight == 0.3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"noise": "row"}, "`noise` must be one of"),
        ({"prior": "flat"}, "`prior` must be one of"),
        ({"kl": "none"}, "`kl` must be one of"),
        ({"kl_weight": -0.1}, "`kl_weight` must be at least 0"),
        ({"prior_std": 0.0}, "`prior_std` must be above 0"),
        ({"initial_std": 0.0}, "`initial_std` must be above 0"),
        ({"prior_hidden": 0}, "`prior_hidden` must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        BayesianAttention(2, 3, **arguments)
