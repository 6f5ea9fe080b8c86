"""MultimodalClassifier: its configuration, absence, masks, learning, its errors."""

import functools
import json
import tempfile

import keras
import numpy as np
import pytest

from keras_lm.models import MultimodalClassifier
from tests.checks import JIT, assert_close, compiled, outputs_of, with_dtype

rng = np.random.default_rng(seed=0)
STREAMS = {
    "photo": {"kind": "image", "shape": [6, 4, 2], "patch_size": 2},
    "sound": {"kind": "audio", "num_samples": 300, "sampling_rate": 8000}
    | {"num_mel_bins": 9, "frame_length": 64, "frame_step": 32, "frames_per_step": 3},
    "question": {"kind": "text", "vocabulary_size": 13, "max_length": 8},
}
INPUTS = {
    "photo": rng.random(size=(5, 6, 4, 2)).astype("float32"),
    "sound": rng.normal(size=(5, 300)).astype("float32"),
    "question": rng.integers(0, 13, size=(5, 7), dtype="int32"),
    "photo_present": np.array([True, False, True, True, False]),
    "sound_present": np.array([True, True, False, True, False]),
    "sound_mask": np.arange(300)[None] < np.array([[300], [120], [40], [299], [9]]),
    "question_mask": np.arange(7)[None] < np.array([[7], [3], [5], [0], [0]]),
}
LABELS = np.array([0, 3, 1, 2, 2])


def make_model(**changes):
    sizes = {"num_classes": 4, "num_layers": 1, "num_heads": 3, "hidden_dim": 12}
    sizes |= {"intermediate_dim": 7, "num_latents": 2, "seed": 1}
    model = MultimodalClassifier(**{"streams": STREAMS, **sizes, **changes})
    noise = np.random.default_rng(seed=2)
    model.set_weights(
        [w + 0.1 * noise.normal(size=w.shape) for w in model.get_weights()]
    )
    return model


@functools.cache
def the_model():
    """One for all tests that leave it as it is: JAX takes seconds to compile it."""
    return make_model()


def logits_of(model, inputs, **options):
    return outputs_of(compiled(model, **options)(inputs))[0]


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("fusion", "num_layers"),
    [
        pytest.param("bottleneck", 2, marks=pytest.mark.slow_elsewhere),
        ("cross", 1),
    ],
)
def test_configuration_and_file_give_the_same_logits(fusion, num_layers):
    model = make_model(fusion=fusion, num_layers=num_layers)
    expected = logits_of(model, INPUTS)
    assert expected.shape == (5, 4)

    config = json.loads(json.dumps(model.get_config()))  # plain numbers and names
    copy = MultimodalClassifier.from_config(config)
    assert copy.get_config() == model.get_config()
    copy.set_weights(model.get_weights())
    assert_close(logits_of(copy, INPUTS), expected, 1e-6)

    with tempfile.TemporaryDirectory() as folder:
        model.save(f"{folder}/model.keras")
        reloaded = keras.saving.load_model(f"{folder}/model.keras")
    assert list(reloaded.streams) == list(STREAMS)
    assert_close(logits_of(reloaded, INPUTS), expected, 1e-6)


def test_what_the_pipeline_asks_of_it():
    model = the_model()
    assert dict(model.streams) == STREAMS
    assert model.num_classes == 4
    assert model.stream_signature() == {
        "photo": ((None, 6, 4, 2), "float32"),
        "sound": ((None, 300), "float32"),
        "question": ((None, 8), "int32"),
    }


@pytest.mark.parametrize(
    ("policy", "near"), [("mixed_float16", 1e-2), ("mixed_bfloat16", 5e-2)]
)
def test_mixed_precision_is_near_and_its_logits_are_float32(policy, near):
    model = the_model()
    expected = logits_of(model, INPUTS)
    mixed = MultimodalClassifier.from_config(with_dtype(model.get_config(), policy))
    mixed.set_weights(model.get_weights())

    logits = compiled(mixed)(INPUTS)

    assert keras.backend.standardize_dtype(logits.dtype) == "float32"
    assert mixed.blocks[0].compute_dtype == policy.removeprefix("mixed_")
    assert (
        np.abs(outputs_of(logits)[0] - expected).max() < near * np.abs(expected).max()
    )


def test_what_is_absent_or_masked_has_no_influence():
    model = the_model()
    noise = np.random.default_rng(seed=3)
    changed = dict(INPUTS)
    photo = INPUTS["photo_present"][:, None, None, None]
    sound = INPUTS["sound_present"][:, None] & INPUTS["sound_mask"]
    words = INPUTS["question_mask"]
    changed["photo"] = np.where(photo, INPUTS["photo"], np.float32(np.nan))
    changed["sound"] = np.where(sound, INPUTS["sound"], np.float32(50.0))
    others = noise.integers(0, 13, size=words.shape, dtype="int32")
    changed["question"] = np.where(words, INPUTS["question"], others)

    assert_close(logits_of(model, changed), logits_of(model, INPUTS), 1e-6)


@pytest.mark.slow_elsewhere
def test_every_present_stream_has_influence():
    model = the_model()
    before = logits_of(model, INPUTS)
    moved = {}
    for name, amount in (("photo", 0.5), ("sound", 0.7), ("question", 1)):
        changed = INPUTS[name] + np.asarray(amount, INPUTS[name].dtype)
        if name == "question":
            changed = changed % 13
        if name == "sound":
            changed = INPUTS[name][:, ::-1].copy()
        difference = logits_of(model, {**INPUTS, name: changed}) - before
        moved[name] = (np.abs(difference).max(axis=1) > 1e-5).tolist()
    assert moved["photo"] == INPUTS["photo_present"].tolist()
    assert moved["question"] == INPUTS["question_mask"].any(axis=1).tolist()
    assert np.all(np.array(moved["sound"]) <= INPUTS["sound_present"])
    assert moved["sound"][0]


@pytest.mark.slow_elsewhere
def test_left_out_is_absent_for_the_whole_batch():
    model = the_model()
    nobody = {"sound_present": np.zeros((5, 1), "bool")}
    without = {k: v for k, v in INPUTS.items() if not k.startswith("sound")}

    assert_close(logits_of(model, without), logits_of(model, {**INPUTS, **nobody}))


@pytest.mark.slow_elsewhere
def test_nothing_present_gives_the_bias_of_the_head():
    model = the_model()
    assert_close(logits_of(model, INPUTS)[4], model.head.get_weights()[1], 1e-6)


@pytest.mark.slow_elsewhere
def test_symbols_give_the_same_logits():
    model = the_model()
    symbols = {
        name: keras.Input(
            (None,) if name.startswith("question") else array.shape[1:],
            dtype=str(array.dtype),
            name=name,
        )
        for name, array in INPUTS.items()
    }
    functional = keras.Model(symbols, model(symbols))

    assert functional.output.shape == (None, 4)
    assert_close(logits_of(functional, INPUTS), logits_of(model, INPUTS), 1e-6)


@pytest.mark.slow_elsewhere
def test_shorter_texts_and_padded_texts_are_one():
    model = make_model(streams={"question": STREAMS["question"]})
    real = np.arange(8) < 5
    question = {"question": INPUTS["question"][:, :5]}
    padded = np.pad(question["question"], ((0, 0), (0, 3)))
    masked = {"question": padded, "question_mask": np.tile(real, (5, 1))}

    assert_close(logits_of(model, masked), logits_of(model, question))


@pytest.mark.slow_elsewhere
def test_it_trains_on_streams_that_are_missing():
    model = make_model(dropout=0.1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.SGD(0.1), loss, metrics=["accuracy"], jit_compile=JIT
    )
    before = [w.copy() for w in model.get_weights()]

    history = model.fit(INPUTS, LABELS, batch_size=5, epochs=2, verbose=0).history

    assert np.all(np.isfinite(history["loss"]))
    still = [
        weight.path
        for weight, old, new in zip(model.weights, before, model.get_weights())
        if weight.trainable and np.abs(new - old).max() <= 1e-9
    ]
    # Key biases shift all scores of a query alike.
    assert [path for path in still if not path.endswith("key/bias")] == []
    assert model.predict(INPUTS, verbose=0).shape == (5, 4)


@pytest.mark.slow_elsewhere
def test_it_trains_on_tf_data():
    import tensorflow as tf

    model = make_model()
    data = tf.data.Dataset.from_tensor_slices((INPUTS, LABELS)).batch(5)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss)

    assert np.isfinite(model.fit(data, verbose=0).history["loss"][0])


@pytest.mark.slow_elsewhere
def test_it_learns_which_stream_to_ask():
    # The answer is the token, or, where the text is missing, the brightness. By heart
    # in 60 steps; a uniform guess has loss ln 4 = 1.39.
    streams = {name: STREAMS[name] for name in ("photo", "question")}
    model = make_model(streams=streams, modality_dropout=0.0)
    answers = np.arange(8) % 4
    told = np.arange(8) < 4
    inputs = {
        "photo": np.zeros((8, 6, 4, 2), "float32")
        + np.where(told, 0, answers)[:, None, None, None],
        "question": answers[:, None].astype("int32"),
        "question_present": told,
        "photo_present": ~told,
    }
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss)
    repeated = {
        name: np.tile(a, (60,) + (1,) * (a.ndim - 1)) for name, a in inputs.items()
    }

    model.fit(repeated, np.tile(answers, 60), batch_size=8, shuffle=False, verbose=0)

    assert float(loss(answers, model(inputs))) < 0.1


@pytest.mark.slow_elsewhere
def test_dropouts_in_training_only():
    model = make_model(dropout=0.3, modality_dropout=1.0)
    still = logits_of(model, INPUTS)
    assert_close(logits_of(model, INPUTS, training=False), still, tolerance=0)
    trained = logits_of(model, INPUTS, training=True)
    assert np.abs(trained - still)[0].max() > 1e-3


@pytest.mark.slow_elsewhere
def test_modality_dropout_makes_a_whole_stream_absent():
    # Of two streams one goes: the logits are those of the other alone.
    streams = {name: STREAMS[name] for name in ("photo", "question")}
    model = make_model(streams=streams, modality_dropout=1.0)
    both = {name: INPUTS[name] for name in streams}
    alone = [logits_of(model, {name: both[name]}) for name in both]

    trained = logits_of(model, both, training=True)

    distances = [np.abs(trained - logits).max(axis=1) for logits in alone]
    assert np.all(np.min(distances, axis=0) < 1e-5)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_classes": 0}, "`num_classes` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"hidden_dim": 13}, "`hidden_dim` must be a multiple of `num_heads`"),
        ({"intermediate_dim": 0}, "`intermediate_dim` must be at least 1"),
        ({"fusion": "sum"}, "`fusion` must be one of"),
        ({"num_latents": 0}, "`num_latents` must be at least 1"),
        ({"modality_dropout": 2.0}, "`rate` must be from 0 to 1"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
        ({"streams": {"x": {"kind": "smell"}}}, "The kind of a stream must be one of"),
    ],
)
def test_bad_arguments_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_model(**changes)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "`inputs` must have at least one stream of"),
        ({"photo_present": LABELS > 0}, "`inputs` must have at least one stream of"),
        ({"smell": LABELS}, "`inputs` must have keys among"),
        ({**INPUTS, "photo_mask": LABELS > 0}, "`inputs` must have keys among"),
        ({"photo": INPUTS["photo"][:, 1:]}, "The stream 'photo' must have shape"),
        ({"sound": INPUTS["sound"][:, 1:]}, "The stream 'sound' must have shape"),
        ({"question": np.zeros((5, 9), "int32")}, "The stream 'question' must have"),
    ],
)
def test_bad_calls_are_refused(inputs, message):
    with pytest.raises(ValueError, match=message):
        the_model().call(inputs)
