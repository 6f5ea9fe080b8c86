"""DynamicAttention: its contract, its factor, what it keeps and what it repairs."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import DynamicAttention, MultiHeadAttention
from keras_lm.layers.dynamic_attention import LENGTH_SCALINGS
from keras_lm.layers.masks import Visibility
from tests import reference
from tests.attention_cases import attention_cases, check_case, make_case
from tests.checks import assert_close, check_attention, examples

rng = np.random.default_rng(seed=0)
HIDDEN = rng.normal(size=(2, 7, 6)).astype("float32")  # (B, T, E)


def test_attention_contract():
    check_attention(DynamicAttention, num_heads=3, key_dim=4, train_length=5)


def with_logits(length, last, **arguments):
    """A layer, and input whose logits are 0 but for the last key's."""
    layer = DynamicAttention(1, 1, use_bias=False, **arguments)
    hidden = np.zeros((1, length, 1), "float32")
    hidden[0, -1] = last
    layer(hidden)
    for projection in (layer.query_projection, layer.key_projection):
        projection.set_weights([np.ones((1, 1))])
    return layer, hidden


def test_a_case_done_by_hand():
    # Four keys, f = log 4 / log 2 = 2; the last query's logits are 0, 0, 0 and
    # 2 * ln 3 / 2 = ln 3 when its own number is sqrt(ln 3 / 2): weights 1/6 and 3/6.
    layer, hidden = with_logits(
        4, math.sqrt(math.log(3) / 2), length_scaling="log", train_length=2
    )
    _, weights = layer(hidden, return_attention_scores=True)
    assert_close(weights[0, 0, -1], [1 / 6, 1 / 6, 1 / 6, 3 / 6])


def check_against_loops(case, length_scaling):
    """With a slope and an offset of each head, and a training length of 4."""
    layer = DynamicAttention(
        **case.sizes, length_scaling=length_scaling, train_length=4
    )
    layer.build((None, None, 6))
    slopes, offsets = rng.normal(size=(2, layer.num_heads))
    if length_scaling == "ssmax":
        layer.slope.assign(slopes)
        layer.offset.assign(offsets)
    factor = {
        "ssmax": lambda head, n: slopes[head] * math.log(n) + offsets[head],
        "log": lambda _, n: math.log(n) / math.log(4),
        "log_clip": lambda _, n: max(1.0, math.log(n) / math.log(4)),
    }[length_scaling]

    expected = reference.dynamic_attention(*case.heads, case.visible, factor)

    check_case(layer, case, *expected)


@pytest.mark.parametrize("masks", ["keys", "keys, heads"])
def test_it_equals_a_loop(masks):
    check_against_loops(make_case(queries=7, masks=masks), "ssmax")


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("length_scaling", LENGTH_SCALINGS)
@examples(25)
@given(case=attention_cases(keys=st.integers(1, 11)))
def test_any_sizes_and_masks_equal_a_loop(length_scaling, case):
    check_against_loops(case, length_scaling)


def copy_projections(layer, other):
    for name in ("query", "key", "value", "output"):
        weights = getattr(layer, f"{name}_projection").get_weights()
        getattr(other, f"{name}_projection").set_weights(weights)


def test_at_the_training_length_it_is_plain_attention():
    plain = MultiHeadAttention(3, 4)
    plain(HIDDEN)
    for length_scaling in ("ssmax", "log", "log_clip"):
        dynamic = DynamicAttention(3, 4, length_scaling, train_length=7)
        dynamic(HIDDEN)
        copy_projections(plain, dynamic)
        assert_close(dynamic(HIDDEN), plain(HIDDEN))


def test_log_clip_changes_nothing_up_to_the_training_length():
    plain = MultiHeadAttention(3, 4)
    clipped = DynamicAttention(3, 4, "log_clip", train_length=5)
    plain(HIDDEN), clipped(HIDDEN)
    copy_projections(plain, clipped)
    before = plain(HIDDEN, use_causal_mask=True)
    after = clipped(HIDDEN, use_causal_mask=True)
    assert_close(after[:, :5], before[:, :5], tolerance=1e-6)
    assert np.abs(ops.convert_to_numpy(after[:, 5:] - before[:, 5:])).max() > 1e-3


def test_the_largest_weight_does_not_fade_as_the_text_grows():
    # Figure 1 of the SSMax paper: all logits -2, the last +3, a = 0.43. Plain softmax
    # fades 0.539, 0.127, 0.009 (e^5 / (n - 1 + e^5)); n^(a z) does not.
    for length, faded in ((128, 0.539), (1024, 0.127), (16384, 0.009)):
        logits = np.full(length, -2.0)
        logits[-1] = 3.0
        plain = ops.convert_to_numpy(ops.softmax(ops.convert_to_tensor(logits)))[-1]
        assert abs(plain - faded) < 5e-4
        query = ops.ones((1, 1, 1, 1))
        layer = DynamicAttention(1, 1, "ssmax")
        layer.build((None, None, 1))
        layer.slope.assign([0.43])
        key = ops.convert_to_tensor(logits.reshape(1, 1, length, 1), "float32")
        _, weights = layer.weigh(query, key, key, Visibility(), training=False)
        assert ops.convert_to_numpy(weights)[0, 0, 0, -1] > 0.99


@pytest.mark.once
def test_to_multiply_by_the_length_and_normalise_again_is_the_identity():
    # The toy that is sometimes printed as dynamic attention.
    weights = rng.dirichlet(np.ones(11))
    scaled = weights * 11
    np.testing.assert_allclose(scaled / scaled.sum(), weights, rtol=1e-12)


@examples(25)
@given(st.data())
def test_visible_keys_are_counted_as_a_loop_counts_them(data):
    batch, num_queries = 2, data.draw(st.integers(1, 5))
    num_keys = data.draw(st.integers(1, num_queries + 3))
    more = num_keys - num_queries
    draw = np.random.default_rng(data.draw(st.integers(0, 99)))
    key_mask = data.draw(st.sampled_from([None, draw.random((batch, num_keys)) < 0.6]))
    pairs = data.draw(
        st.sampled_from([None, draw.random((1, 1, num_queries, num_keys)) < 0.6])
    )
    causal = data.draw(st.booleans())

    seen = Visibility(key_mask, pairs, causal).num_visible(num_queries, num_keys)

    for b in range(batch):
        for t in range(num_queries):
            count = sum(
                (key_mask is None or key_mask[b, s])
                and (pairs is None or pairs[0, 0, t, s])
                and (not causal or s <= t + more)
                for s in range(num_keys)
            )
            whole = np.broadcast_to(ops.convert_to_numpy(seen), (batch, 1, num_queries))
            assert whole[b, 0, t] == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"length_scaling": "linear"}, "`length_scaling` must be one of"),
        ({"train_length": 1}, "`train_length` must be at least 2"),
    ],
)
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        DynamicAttention(2, 3, **arguments)
