"""dot_product_attention: fused, chunked and explicit paths equal one loop."""

import importlib
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm import backend
from keras_lm.layers import dot_product_attention
from keras_lm.layers.dot_product_attention import attention_weights, weighted_values
from keras_lm.layers.masks import Visibility
from tests import reference
from tests.attention_cases import attention_cases
from tests.checks import assert_close, examples, gradients

# The package's attribute of this name is the function.
MODULE = importlib.import_module("keras_lm.layers.dot_product_attention")
PATHS = ["fused", "explicit", "chunked", "parted", "parted and chunked"]
rng = np.random.default_rng(seed=0)
# 2 rows, 6 heads over 3 heads of keys, 7 queries, 11 keys, widths 4 and 5.
QUERY = rng.normal(size=(2, 6, 7, 4)).astype("float32")
KEY = rng.normal(size=(2, 3, 11, 4)).astype("float32")
VALUE = rng.normal(size=(2, 3, 11, 5)).astype("float32")
KEY_MASK = rng.random((2, 11)) < 0.7
BLIND = KEY_MASK & np.array([[False], [True]])  # the first row sees nothing
PAIRS = rng.random((2, 1, 7, 11)) < 0.7
PAIRS[:, :, 2] = False  # the third query sees nothing
HEADS = rng.random((1, 6, 7, 11)) < 0.7

VISIBILITIES = {
    "everything": (None, None, False),
    "causal": (None, None, True),
    "keys": (KEY_MASK, None, False),
    "keys, causal": (KEY_MASK, None, True),
    "no keys": (BLIND, None, False),
    "pairs": (None, PAIRS, False),
    "pairs of heads": (None, HEADS, False),
    "all": (KEY_MASK, PAIRS & HEADS, True),
}


def take(path, monkeypatch):
    """Sends `dot_product_attention` down one path."""
    if path != "fused":
        monkeypatch.setattr(backend, "fused_attention", lambda *_: None)
    if "parted" in path:
        monkeypatch.setattr(backend, "gains_in_turn", lambda: True)
        monkeypatch.setattr(MODULE, "PARTED_FROM", 1)
        monkeypatch.setattr(MODULE, "NUM_PARTS", 3)
    if "chunked" in path:
        monkeypatch.setattr(MODULE, "CHUNKED_FROM", 1)
        monkeypatch.setattr(MODULE, "CHUNK_SIZE", 3)  # divides neither length


def visibility(name):
    key_mask, attention_mask, is_causal = VISIBILITIES[name]
    masks = [
        None if mask is None else ops.convert_to_tensor(mask)
        for mask in (key_mask, attention_mask)
    ]
    return Visibility(*masks, is_causal)


def visible(name, queries=7, keys=11):
    key_mask, attention_mask, is_causal = VISIBILITIES[name]
    seen = np.ones((1, 1, queries, keys), "bool")
    if key_mask is not None:
        seen = seen & key_mask[:, None, None]
    if attention_mask is not None:
        seen = seen & attention_mask
    return seen & reference.causal(queries, keys) if is_causal else seen


def tensors(*arrays, dtype="float32"):
    return [ops.convert_to_tensor(array, dtype) for array in arrays]


@pytest.mark.parametrize("name", VISIBILITIES)
@pytest.mark.parametrize("path", PATHS)
def test_equal_to_a_loop(path, name, monkeypatch):
    take(path, monkeypatch)

    context = dot_product_attention(*tensors(QUERY, KEY, VALUE), visibility(name))

    assert_close(context, reference.attention(QUERY, KEY, VALUE, visible(name))[0])


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("path", PATHS)
@examples(25)
@given(case=attention_cases(keys=st.integers(1, 11)))
def test_any_sizes_and_masks_equal_a_loop(path, case):
    seen = Visibility(
        *(None if m is None else tensors(m, dtype="bool")[0] for m in case[3:5]),
        case.is_causal,
    )

    with pytest.MonkeyPatch.context() as patch:
        take(path, patch)
        context = dot_product_attention(*tensors(*case.heads), seen)

    assert_close(context, reference.attention(*case.heads, case.visible)[0])


@pytest.mark.parametrize("path", PATHS)
def test_square_and_causal_equals_a_loop(path, monkeypatch):
    # Where a kernel has a causal form of its own.
    take(path, monkeypatch)
    key, value = KEY[:, :, :7], VALUE[:, :, :7]

    context = dot_product_attention(
        *tensors(QUERY, key, value), Visibility(is_causal=True), scale=0.3
    )

    seen = reference.causal(7, 7)
    assert_close(context, reference.attention(QUERY, key, value, seen, 0.3)[0])


@pytest.mark.parametrize("name", ["everything", "causal", "all"])
@pytest.mark.parametrize("path", PATHS)
def test_capped_scores_equal_a_loop(path, name, monkeypatch):
    take(path, monkeypatch)
    scores = np.einsum("bkgtd,bksd->bkgts", QUERY.reshape(2, 3, 2, 7, 4), KEY) / 2.0
    capped = 0.7 * np.tanh(scores.reshape(2, 6, 7, 11) / 0.7)
    shares = np.exp(capped) * visible(name)
    shares /= np.maximum(shares.sum(axis=-1, keepdims=True), 1e-9)
    expected = shares @ np.repeat(VALUE, 2, axis=1)

    context = dot_product_attention(
        *tensors(QUERY, KEY, VALUE), visibility(name), soft_cap=0.7
    )

    assert_close(context, expected)


def test_parts_leave_out_the_keys_behind_them(monkeypatch):
    take("parted", monkeypatch)
    seen, at_once = [], MODULE._at_once

    def recorded(query, key, *rest):
        seen.append((query.shape[2], key.shape[2]))
        return at_once(query, key, *rest)

    monkeypatch.setattr(MODULE, "_at_once", recorded)
    dot_product_attention(*tensors(QUERY, KEY, VALUE), visibility("keys, causal"))
    dot_product_attention(*tensors(QUERY, KEY, VALUE), visibility("keys"))

    assert seen == [(2, 6), (2, 8), (3, 11), (7, 11)]


@pytest.mark.parametrize("path", PATHS)
def test_more_queries_than_keys_leave_the_first_blind(path, monkeypatch):
    take(path, monkeypatch)
    key, value = KEY[:, :, :5], VALUE[:, :, :5]

    context = dot_product_attention(
        *tensors(QUERY, key, value), Visibility(is_causal=True)
    )

    assert_close(context[:, :, :2], np.zeros((2, 6, 2, 5)), tolerance=0)
    seen = reference.causal(7, 5)
    assert_close(context, reference.attention(QUERY, key, value, seen)[0])


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("lengths", [(1, 1), (1, 11), (7, 1)])
def test_one_query_or_key(path, lengths, monkeypatch):
    take(path, monkeypatch)
    queries, keys = lengths
    some = QUERY[:1, :, :queries], KEY[:1, :, :keys], VALUE[:1, :, :keys]

    context = dot_product_attention(*tensors(*some))

    assert_close(context, reference.attention(*some, visible=True)[0])


@pytest.mark.parametrize("name", ["everything", "no keys", "all"])
def test_gradients_of_all_paths_agree(name, monkeypatch):
    def total(query, key, value):
        context = dot_product_attention(query, key, value, visibility(name))
        return ops.sum(ops.sin(context))

    found = {}
    for path in PATHS:
        with monkeypatch.context() as patch:
            take(path, patch)
            found[path] = gradients(total, (QUERY, KEY, VALUE))

    for path in PATHS[1:]:
        assert_close(found[path][0], found["fused"][0], tolerance=1e-4)  # a sum
        for actual, expected in zip(found[path][1], found["fused"][1], strict=True):
            assert np.abs(expected).max() > 0
            assert_close(actual, expected)


@pytest.mark.parametrize("path", PATHS)
def test_hidden_keys_give_and_get_no_gradient(path, monkeypatch):
    take(path, monkeypatch)

    def total(query, key, value):
        context = dot_product_attention(query, key, value, visibility("all"))
        return ops.sum(context**2)

    _, (_, key, value) = gradients(total, (QUERY, KEY, VALUE))

    hidden = ~KEY_MASK[:, None, :, None]
    assert np.all(key * hidden == 0)
    assert np.all(value * hidden == 0)


@pytest.mark.parametrize("path", PATHS)
def test_large_numbers_in_float16(path, monkeypatch):
    # Scores before scaling pass 65,504. Both computations see the same rounded
    # numbers; the difference is measured relative to the largest output.
    take(path, monkeypatch)
    large = np.random.default_rng(seed=3)
    shapes = [(2, 3, 7, 64), (2, 3, 11, 64), (2, 3, 11, 5)]
    arrays = [large.normal(scale=30, size=s).astype("float16") for s in shapes]
    arrays[1][:, :, :3] = arrays[0][:, :, :3]
    # Twins of these: their scores differ by about 1 in 7,200, less than float16 can
    # tell, and share the weight.
    arrays[1][:, :, 3:6] = arrays[1][:, :, :3]
    arrays[1][:, :, 3:6, 0] += 0.25
    single = [array.astype("float32") for array in arrays]
    assert (single[0] @ single[1].transpose(0, 1, 3, 2)).max() > 65_504

    for name in ("everything", "causal", "keys", "no keys"):
        exact, _ = reference.attention(*single, visible(name))
        context = dot_product_attention(
            *tensors(*arrays, dtype="float16"), visibility(name)
        )
        assert keras.backend.standardize_dtype(context.dtype) == "float16"
        context = ops.convert_to_numpy(context).astype("float64")
        assert np.isfinite(context).all()
        assert np.abs(context - exact).max() <= 5e-3 * np.abs(exact).max()


def test_weights_equal_a_loop():
    for name in VISIBILITIES:
        seen = visible(name)
        weights = attention_weights(*tensors(QUERY, KEY), ops.convert_to_tensor(seen))
        _, expected = reference.attention(QUERY, KEY, VALUE, seen)
        assert_close(weights, expected)
    assert_close(
        weighted_values(weights, *tensors(VALUE)),
        reference.attention(QUERY, KEY, VALUE, seen)[0],
    )


@pytest.mark.parametrize("path", PATHS)
def test_grouped_queries_equal_repeated_keys_and_values(path, monkeypatch):
    take(path, monkeypatch)
    seen = visibility("all")
    repeated = [np.repeat(array, 2, axis=1) for array in (KEY, VALUE)]

    grouped = dot_product_attention(*tensors(QUERY, KEY, VALUE), seen)

    assert_close(grouped, dot_product_attention(*tensors(QUERY, *repeated), seen))


@pytest.mark.parametrize("path", PATHS)
def test_keys_and_values_are_not_repeated(path, monkeypatch):
    # What would make a copy for each query head is not called.
    take(path, monkeypatch)

    def forbidden(*args, **kwargs):
        raise AssertionError("a repeated copy")

    for name in ("repeat", "tile", "broadcast_to"):
        monkeypatch.setattr(ops, name, forbidden)

    dot_product_attention(*tensors(QUERY, KEY, VALUE), visibility("keys, causal"))


def test_shuffling_keys_and_values_together_changes_nothing():
    order = np.random.default_rng(seed=4).permutation(11)
    context = dot_product_attention(*tensors(QUERY, KEY, VALUE))

    shuffled = dot_product_attention(
        *tensors(QUERY, KEY[:, :, order], VALUE[:, :, order])
    )

    assert_close(shuffled, context)


def test_pytorch_has_a_fused_kernel():
    # The two others have none on a processor.
    context = backend.fused_attention(
        *tensors(QUERY, KEY, VALUE), None, False, scale=0.5
    )

    if keras.backend.backend() == "torch":
        assert_close(context, reference.attention(QUERY, KEY, VALUE, True, 0.5)[0])
    else:
        assert context is None


def test_a_kernel_may_give_anything_in_blind_rows(monkeypatch):
    nothing = visibility("no keys")
    monkeypatch.setattr(
        backend, "fused_attention", lambda *_: ops.ones((2, 6, 7, 5), "float32")
    )

    context = dot_product_attention(*tensors(QUERY, KEY, VALUE), nothing)

    assert_close(context[0], np.zeros((6, 7, 5)), tolerance=0)
    assert_close(context[1], np.ones((6, 7, 5)), tolerance=0)


def test_memory_does_not_grow_with_queries_times_keys():
    # All scores would be 4 heads * 4,096 * 4,096 * 4 bytes = 256 MiB, and the
    # gradient would keep as much; a chunk of 128 queries has 8.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "tests.layers.attention_memory"]

    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    forward, backward = (int(line) for line in done.stdout.split())
    assert forward < 128
    assert backward < 128
