"""How far one normal distribution is from another."""

from keras import ops


def gaussian_kl(mean, std, prior_mean, prior_std):
    """Kullback-Leibler divergence of one normal distribution from another.

    Of `N(mean, std^2)` from `N(prior_mean, prior_std^2)`:

        log(p / s) + (s^2 + (m - m_p)^2) / (2 p^2) - 1/2

    with `s = std`, `p = prior_std`, `m = mean`, `m_p = prior_mean`.

    Args:
        mean: float, any shape.
        std: float, above 0, broadcastable to the shape of `mean`.
        prior_mean: float, likewise.
        prior_std: float, above 0, likewise.

    Returns:
        float, nats; at least 0, and 0 only where both are the same distribution.
    """
    ratio = ops.square(std / prior_std)
    distance = ops.square((mean - prior_mean) / prior_std)
    return 0.5 * (ratio + distance - 1.0 - ops.log(ratio))
