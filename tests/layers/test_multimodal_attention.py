"""MultimodalAttention: its contract, a case by hand, absence, masks, time, its gate."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops

from keras_lm.layers import MultimodalAttention
from tests import reference
from tests.checks import (
    JIT,
    assert_close,
    check_layer,
    examples,
    outputs_of,
    variants,
)

rng = np.random.default_rng(seed=0)
STREAMS = {
    "audio": rng.normal(size=(3, 5, 6)).astype("float32"),  # (B, T, E)
    "image": rng.normal(size=(3, 4, 7)).astype("float32"),
    "text": rng.normal(size=(3, 8, 9)).astype("float32"),
}
SHAPES = [array.shape for array in STREAMS.values()]
NAMES = ["text", "audio", "image"]
REAL = {"text": np.arange(8)[None] < np.array([[8], [3], [6]])}
HERE = {"image": np.array([True, False, True]), "audio": np.array([False, True, True])}
FUSIONS = pytest.mark.parametrize("fusion", ["bottleneck", "cross"])


def make_layer(fusion, **changes):
    arguments = {"num_heads": 2, "key_dim": 5, "modalities": NAMES, "fusion": fusion}
    arguments |= {"gate_init": 0.7, "num_latents": 3, "modality_dropout": 0.0}
    layer = MultimodalAttention(**{**arguments, **changes})
    layer.build({name: array.shape for name, array in STREAMS.items()})
    noise = np.random.default_rng(seed=1)
    layer.set_weights([0.5 * noise.normal(size=w.shape) for w in layer.get_weights()])
    return layer


def to_numpy(fused):
    return {name: ops.convert_to_numpy(stream) for name, stream in fused.items()}


def assert_same(fused, expected, tolerance=1e-6):
    assert fused.keys() == expected.keys()
    for name in expected:
        assert_close(fused[name], expected[name], tolerance)


CONTRACTS = {
    "bottleneck": {"fusion": "bottleneck", "causal_modalities": ["text"]},
    "cross": {"fusion": "cross"},
}


@pytest.mark.parametrize("changes", variants(CONTRACTS, "bottleneck"))
def test_layer_contract(changes):
    # Key biases shift all scores of a query alike.
    check_layer(
        MultimodalAttention(
            2, 5, NAMES, gate_init=0.5, modality_dropout=0.0, **changes
        ),
        {"streams": STREAMS, "masks": REAL, "present": HERE},
        SHAPES,
        unmoved=("key/bias",),
        # Compiling takes seconds: there the setting of `make test-slow` alone does it.
        trains_mixed=not JIT or changes["fusion"] == "cross",
    )


def test_a_case_done_by_hand():
    # One step each, so the softmax over the other's steps is 1 and what is read is the
    # other's value. Normalised, (3, 1) is (1, -1) and (0, 4) is (-1, 1); the gate is
    # tanh(atanh(1/2)) = 1/2; all projections are the identity.
    streams = {"a": np.array([[[3.0, 1.0]]]), "b": np.array([[[0.0, 4.0]]])}
    layer = MultimodalAttention(1, 2, ["a", "b"], "cross", gate_init=np.arctanh(0.5))
    layer.build({"a": (1, 1, 2), "b": (1, 1, 2)})
    layer.kinds.assign(np.zeros((2, 2)))
    for weight in layer.weights:
        if weight.path.endswith("kernel"):
            weight.assign(np.eye(2))

    fused = layer(streams)

    assert_close(fused["a"], [[[3.0 - 0.5, 1.0 + 0.5]]], 1e-4)
    assert_close(fused["b"], [[[0.0 + 0.5, 4.0 - 0.5]]], 1e-4)


def test_a_bottleneck_by_hand():
    # Normalised as above, a is (1, -1) and b (-1, 1). The latent is (0, 0) and reads b
    # and itself alike: (-1/2, 1/2), which is (-1, 1) normalised; a is causal and does
    # not write. Queries that read are scaled so that scores of 2 and -2, over sqrt(2),
    # differ by ln 3: a reads itself by 3/4 and the latent by 1/4, which is (1/2, -1/2);
    # b reads (-1, 1) twice. The gate is 1/2.
    streams = {"a": np.array([[[3.0, 1.0]]]), "b": np.array([[[0.0, 4.0]]])}
    layer = MultimodalAttention(
        *(1, 2, ["a", "b"]),
        num_latents=1,
        causal_modalities=["a"],
        gate_init=np.arctanh(0.5),
    )
    layer.build({"a": (1, 1, 2), "b": (1, 1, 2)})
    for weight in layer.weights:
        if weight.path.endswith("kernel"):
            weight.assign(np.eye(2))
        if weight.path.endswith(("kinds", "latents")):
            weight.assign(np.zeros(weight.shape))
        if "read_" in weight.path and weight.path.endswith("query/kernel"):
            weight.assign(np.eye(2) * np.log(3) * np.sqrt(2) / 4)

    fused = layer(streams)

    assert_close(fused["a"], [[[3.0 + 0.25, 1.0 - 0.25]]], 1e-4)
    assert_close(fused["b"], [[[0.0 - 0.5, 4.0 + 0.5]]], 1e-4)


def inner_streams(weights, streams, visible):
    """What the fusion takes, and the streams as the layer keeps them, by loops."""
    inner, kept = {}, {}
    for place, name in enumerate(NAMES):
        here = visible[name].any(axis=1)
        kept[name] = np.stack(
            [s if h else 0 * s for s, h in zip(streams[name], here)]
        ).astype("float64")
        normal = reference.layer_norm(
            reference.below(weights, f"norm_{name}/"), kept[name]
        )
        projected = reference.dense(weights, f"project_{name}", normal)
        inner[name] = projected + weights["kinds"][place]
    return inner, kept


def attend(weights, name, query, keys, visible):
    own = reference.below(weights, f"{name}/")
    visible = np.asarray(visible)[:, None]  # (B, 1, T or 1, S)
    return reference.multi_head_attention(own, query, keys, visible, 2, 2)


def bottleneck(weights, inner, visible, causal):
    """One step of the fusion, a stream at a time."""
    batch = len(visible["text"])
    norm = reference.below(weights, "bottleneck/latent_norm/")
    latents = np.stack([weights["bottleneck/latents"]] * batch)
    normal = reference.layer_norm(norm, latents)
    always = np.ones((batch, 3), "bool")
    seen = {n: np.concatenate([visible[n], always], axis=1)[:, None] for n in NAMES}
    written = {}
    for name in set(NAMES) - set(causal):
        keys = np.concatenate([inner[name], normal], axis=1)
        written[name], _ = attend(
            weights, f"bottleneck/write_{name}", normal, keys, seen[name]
        )
    for b in range(batch):
        taken = [written[name][b] for name in written if visible[name][b].any()]
        latents[b] += np.mean(taken, axis=0) if taken else 0.0
    normal = reference.layer_norm(norm, latents)
    read = {}
    for name in NAMES:
        keys = np.concatenate([inner[name], normal], axis=1)
        pairs = seen[name]
        if name in causal:
            steps = inner[name].shape[1]
            own = reference.causal(steps, steps)
            pairs = pairs & np.concatenate([own, np.ones((steps, 3), "bool")], axis=1)
        read[name], _ = attend(
            weights, f"bottleneck/read_{name}", inner[name], keys, pairs
        )
    return read


def cross(weights, inner, visible, causal):
    read = {}
    for name in NAMES:
        others = [n for n in NAMES if n != name and n not in causal]
        keys = np.concatenate([inner[n] for n in others], axis=1)
        seen = np.concatenate([visible[n] for n in others], axis=1)
        output, _ = attend(
            weights, f"cross/read_{name}", inner[name], keys, seen[:, None]
        )
        read[name] = output * seen.any(axis=1)[:, None, None]
    return read


def check_against_loops(fusion, causal, streams, masks, present):
    layer = make_layer(fusion, causal_modalities=causal)
    visible = {n: np.ones(streams[n].shape[:2], "bool") for n in NAMES} | masks
    visible = {
        n: m & present.get(n, np.ones(3, "bool"))[:, None] for n, m in visible.items()
    }
    weights = reference.named_weights(layer)
    inner, kept = inner_streams(weights, streams, visible)
    step = {"bottleneck": bottleneck, "cross": cross}[fusion]
    read = step(weights, inner, visible, causal)

    fused = layer(streams, masks=masks, present=present)

    for place, name in enumerate(NAMES):
        here = visible[name].any(axis=1)[:, None, None]
        gate = np.tanh(weights["gates"][place])
        assert_close(fused[name], (kept[name] + gate * read[name]) * here)


@FUSIONS
def test_it_equals_a_loop(fusion):
    check_against_loops(fusion, ["text"], STREAMS, REAL, HERE)


@pytest.mark.slow_elsewhere
@FUSIONS
@examples(9)
@given(st.data())
def test_any_lengths_and_masks_equal_a_loop(fusion, data):
    draw = np.random.default_rng(data.draw(st.integers(0, 99)))
    streams, masks, present = {}, {}, {}
    for name, array in STREAMS.items():
        steps = data.draw(st.integers(1, 4))
        shape = (3, steps, array.shape[2])
        streams[name] = draw.normal(size=shape).astype("float32")
        if data.draw(st.booleans()):
            masks[name] = draw.random((3, steps)) < 0.6
        if data.draw(st.booleans()):
            present[name] = draw.random(3) < 0.6
    causal = data.draw(st.sampled_from([[], ["text"]]))

    check_against_loops(fusion, causal, streams, masks, present)


@pytest.mark.slow_elsewhere
@FUSIONS
@examples(10)
@given(st.data())
def test_an_absent_stream_has_no_influence(fusion, data):
    layer = make_layer(fusion)
    here = {
        name: np.array(data.draw(st.lists(st.booleans(), min_size=3, max_size=3)))
        for name in NAMES
    }
    noise = np.random.default_rng(seed=2)
    changed = {
        name: np.where(
            here[name][:, None, None], array, 100 * noise.normal(size=array.shape)
        ).astype("float32")
        for name, array in STREAMS.items()
    }

    before = to_numpy(layer(STREAMS, present=here))
    after = to_numpy(layer(changed, present=here))

    assert_same(after, before)
    for name, present in here.items():
        assert np.all(np.isfinite(before[name]))
        assert np.all(before[name][~present] == 0)
        assert np.all(np.any(before[name][present] != 0, axis=(1, 2)))


@FUSIONS
def test_an_absent_stream_may_hold_nan(fusion):
    layer = make_layer(fusion)
    broken = dict(STREAMS, image=STREAMS["image"].copy())
    broken["image"][1] = np.nan

    assert_same(to_numpy(layer(broken, present=HERE)), layer(STREAMS, present=HERE))


@FUSIONS
def test_absent_everywhere_left_out_and_without_a_real_step_are_one(fusion):
    layer = make_layer(fusion)
    without = {name: STREAMS[name] for name in ("audio", "text")}

    left_out = to_numpy(layer(without))
    absent = to_numpy(layer(STREAMS, present={"image": np.zeros((3, 1), "bool")}))
    unreal = to_numpy(layer(STREAMS, masks={"image": np.zeros((3, 4), "int32")}))

    assert_close(absent.pop("image"), np.zeros((3, 4, 7)), tolerance=0)
    unreal.pop("image")
    assert_same(absent, left_out)
    assert_same(unreal, left_out)


@FUSIONS
def test_nobody_present_is_finite(fusion):
    nobody = {name: np.zeros(3, "bool") for name in NAMES}

    for stream in outputs_of(make_layer(fusion)(STREAMS, present=nobody)):
        assert_close(stream, np.zeros(stream.shape), tolerance=0)


@FUSIONS
def test_a_hidden_step_has_no_influence(fusion):
    layer = make_layer(fusion)
    real = REAL["text"][..., None]
    louder = {
        **STREAMS,
        "text": np.where(real, STREAMS["text"], STREAMS["text"] + 100.0),
    }

    before, after = (to_numpy(layer(s, masks=REAL)) for s in (STREAMS, louder))

    for fused in (before, after):
        fused["text"] = fused["text"] * real
    assert_same(after, before)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("masked", [False, True])
@FUSIONS
def test_padding_a_stream_changes_nothing(fusion, masked):
    layer = make_layer(fusion, causal_modalities=["text"])
    longer = {**STREAMS, "image": np.pad(STREAMS["image"], ((0, 0), (0, 2), (0, 0)))}
    masks = {"image": np.broadcast_to(np.arange(6) < 4, (3, 6))}

    alone = to_numpy(layer(STREAMS))
    padded = to_numpy(layer(longer, masks=masks if masked else None))

    padded["image"] = padded["image"][:, :4]
    if masked:
        assert_same(padded, alone)
    else:  # what the mask is for
        assert np.abs(padded["audio"] - alone["audio"]).max() > 1e-3


def test_a_mask_that_keras_hands_on_is_honoured():
    layer = make_layer("cross")
    masking = keras.layers.Masking()
    blank = STREAMS["text"] * REAL["text"][..., None]

    propagated = layer({**STREAMS, "text": masking(blank)})

    assert_same(to_numpy(propagated), layer({**STREAMS, "text": blank}, masks=REAL))


@pytest.mark.slow_elsewhere
@FUSIONS
@pytest.mark.parametrize("training", [False, True])
def test_a_causal_stream_reads_and_is_not_read(fusion, training):
    def run(streams):
        # A layer is made anew, so that the seed of its dropouts starts over.
        layer = make_layer(
            fusion,
            causal_modalities=["text"],
            modality_dropout=0.5,
            dropout=0.3 if training else 0.0,
            seed=3,
        )
        return to_numpy(layer(streams, training=training))

    before = run(STREAMS)
    for place in (1, 5):
        later = {**STREAMS, "text": STREAMS["text"].copy()}
        later["text"][:, place:] += 100.0
        after = run(later)
        assert_same(
            {n: after[n] for n in ("audio", "image")},
            {n: before[n] for n in ("audio", "image")},
        )
        assert_close(after["text"][:, :place], before["text"][:, :place], 1e-6)
    louder = run(
        {**STREAMS, "image": STREAMS["image"] * 3 + rng.normal(size=(3, 4, 7))}
    )
    assert np.abs(louder["text"] - before["text"]).max() > 1e-4  # it does read


@FUSIONS
def test_a_closed_gate_gives_the_streams_back(fusion):
    layer = MultimodalAttention(2, 5, NAMES, fusion)  # gates start at 0

    assert_same(to_numpy(layer(STREAMS)), STREAMS, tolerance=0)


@FUSIONS
def test_without_gates_all_is_added(fusion):
    layer = make_layer(fusion)
    open_ = make_layer(fusion, gated=False)
    open_.set_weights(
        [w for w, v in zip(layer.get_weights(), layer.weights) if v is not layer.gates]
    )
    plain = to_numpy(open_(STREAMS))

    for place, name in enumerate(NAMES):
        gate = np.tanh(ops.convert_to_numpy(layer.gates)[place])
        expected = STREAMS[name] + gate * (plain[name] - STREAMS[name])
        assert_close(layer(STREAMS)[name], expected)


@FUSIONS
def test_weights_sum_to_one_and_asking_for_them_moves_nothing(fusion):
    layer = make_layer(fusion)
    options = {"masks": REAL, "present": HERE}

    fused, scores = layer(STREAMS, return_attention_scores=True, **options)

    assert_same(to_numpy(fused), layer(STREAMS, **options))
    read = to_numpy(scores["read"])
    assert {n: w.shape for n, w in read.items()} == (
        {"text": (3, 2, 8, 11), "audio": (3, 2, 5, 8), "image": (3, 2, 4, 7)}
        if fusion == "bottleneck"
        else {"text": (3, 2, 8, 9), "audio": (3, 2, 5, 12), "image": (3, 2, 4, 13)}
    )
    for weights in (*read.values(), *to_numpy(scores.get("write", {})).values()):
        assert np.all(weights >= 0)
        assert_close(weights.sum(axis=-1), np.ones(weights.shape[:3]))
    if fusion == "bottleneck":
        shapes = {n: tuple(w.shape) for n, w in scores["write"].items()}
        assert shapes == {n: (3, 2, 3, STREAMS[n].shape[1] + 3) for n in NAMES}


@FUSIONS
def test_relations_say_who_reads_whom(fusion):
    layer = make_layer(fusion)

    relations = layer.relations(STREAMS, masks=REAL, present=HERE)

    for reader in NAMES:
        whole = 0.0
        for source, weights in relations[reader].items():
            weights = ops.convert_to_numpy(weights)
            steps = STREAMS[reader].shape[1], STREAMS[source].shape[1]
            assert weights.shape == (3, *steps)
            assert np.all(weights >= 0)
            if source in HERE:
                assert np.all(weights[~HERE[source]] == 0)
            if source in REAL:
                assert np.all(weights * ~REAL[source][:, None] == 0)
            whole = whole + weights.sum(axis=-1)
        if fusion == "cross":
            assert reader not in relations[reader]
            assert_close(whole, np.ones(whole.shape))
        else:
            assert np.all(whole < 1)


@FUSIONS
def test_modality_dropout_makes_a_stream_absent_in_training(fusion):
    layer = make_layer(fusion, modality_dropout=1.0, seed=3)

    still = to_numpy(layer(STREAMS, training=False))
    trained = to_numpy(layer(STREAMS, training=True))

    gone = sum(np.all(trained[n] == 0, axis=(1, 2)).astype(int) for n in NAMES)
    assert gone.tolist() == [1, 1, 1]
    assert all(np.all(np.any(still[n] != 0, axis=(1, 2))) for n in NAMES)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_heads": 0}, "`num_heads` must be at least 1"),
        ({"key_dim": 0}, "`key_dim` must be at least 1"),
        ({"num_latents": 0}, "`num_latents` must be at least 1"),
        ({"fusion": "sum"}, "`fusion` must be one of"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
        ({"modality_dropout": 1.1}, "`rate` must be from 0 to 1"),
        ({"modalities": ["a", "a"]}, "`modalities` must be names"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        MultimodalAttention(
            **{"num_heads": 1, "key_dim": 2, "modalities": NAMES, **changes}
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"streams": {"smell": STREAMS["text"]}}, "`streams` must be named as in"),
        ({"masks": {"smell": REAL["text"]}}, "`masks` must be named as in"),
        ({"streams": {"text": STREAMS["text"][0]}}, r"must have shape \(batch, steps"),
    ],
)
def test_bad_calls_are_refused(arguments, message):
    layer = make_layer("cross")
    with pytest.raises(ValueError, match=message):
        layer(**{"streams": STREAMS, **arguments})


@pytest.mark.slow_elsewhere
def test_the_first_call_must_have_all_streams():
    layer = MultimodalAttention(1, 2, NAMES)
    with pytest.raises(ValueError, match="The first call must have all streams"):
        layer({"text": STREAMS["text"]})
    with pytest.raises(ValueError, match=r"must have all .* named \['txt'\]"):
        layer({"txt": STREAMS["text"]})
    with pytest.raises(ValueError, match=r"streams without \['image'\]"):
        layer({**STREAMS, "image": None})
    for wrong in ({}, STREAMS["text"]):
        with pytest.raises(ValueError, match=r"in a dictionary by name"):
            layer(wrong)
