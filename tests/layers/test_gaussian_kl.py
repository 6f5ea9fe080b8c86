"""gaussian_kl: by hand, by integration, never negative."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers.gaussian_kl import gaussian_kl
from tests.checks import assert_close, examples

MEANS, STDS = st.floats(-5, 5, width=32), st.floats(0.125, 5, width=32)


def divergence(mean, std, prior_mean, prior_std):
    given = (np.float32(x) for x in (mean, std, prior_mean, prior_std))
    return gaussian_kl(*map(ops.convert_to_tensor, given))


def test_cases_done_by_hand():
    assert_close(divergence(3.0, 2.0, 1.0, 2.0), 0.5)  # 2^2 / (2 2^2)
    assert_close(divergence(1.0, 1.0, 1.0, 2.0), np.log(2) + 1 / 8 - 1 / 2)
    assert_close(divergence(1.0, 2.0, 1.0, 1.0), -np.log(2) + 4 / 2 - 1 / 2)


def test_it_is_the_integral():
    mean, std, prior_mean, prior_std = 0.7, 1.3, -0.4, 2.1
    z = np.linspace(-30, 30, 200_001)

    def density(mean, std):
        return np.exp(-(((z - mean) / std) ** 2) / 2) / (std * np.sqrt(2 * np.pi))

    p, q = density(mean, std), density(prior_mean, prior_std)
    integral = np.sum(p * np.log((p + 1e-300) / (q + 1e-300))) * (z[1] - z[0])
    assert_close(divergence(mean, std, prior_mean, prior_std), integral)


@examples(50)
@given(MEANS, STDS, MEANS, STDS)
def test_it_is_never_negative_and_0_only_between_equals(mean, std, other, prior_std):
    nats = float(divergence(mean, std, other, prior_std))
    assert nats >= -1e-6
    assert abs(float(divergence(mean, std, mean, std))) < 1e-6
    if abs(mean - other) > 0.1 or abs(std - prior_std) > 0.1:
        assert nats > 1e-5
