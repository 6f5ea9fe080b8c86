"""Prints how many MiB attention over 4,096 keys needs: run in a fresh process.

Over what the same needs at 1,024, first the context alone, then the gradient too.
"""

import resource

import numpy as np
from keras import ops

from keras_lm.layers import dot_product_attention
from keras_lm.layers.masks import Visibility
from tests.checks import gradients


def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run(length, with_gradient):
    rng = np.random.default_rng(seed=0)
    shape = (1, 4, length, 8)  # (B, H, T, D)
    query, key, value = (rng.normal(size=shape).astype("float32") for _ in range(3))
    key_mask = rng.random((1, length)) < 0.9

    def total(query, key, value):
        seen = Visibility(ops.convert_to_tensor(key_mask), None, is_causal=True)
        return ops.sum(dot_product_attention(query, key, value, seen) ** 2)

    if with_gradient:
        gradients(total, (query, key, value))
    else:
        total(*(ops.convert_to_tensor(x) for x in (query, key, value)))


for with_gradient in (False, True):
    run(1_024, with_gradient)
    before = peak_mib()
    run(4_096, with_gradient)
    print(round(peak_mib() - before))
