"""ConsecutiveSegments: segments are as the whole text, beginnings, fit, save."""

import keras
import numpy as np
import pytest

from keras_lm.models import LSTMLanguageModel
from keras_lm.text import consecutive_segments
from keras_lm.training import ConsecutiveSegments
from tests.checks import JIT, assert_close, outputs_of
from tests.fakes import random_weights

TOKEN_IDS = np.random.default_rng(seed=0).integers(0, 11, size=(2, 9), dtype="int32")


def make_model():
    model = LSTMLanguageModel(
        vocabulary_size=11, embedding_dim=4, hidden_dim=5, num_layers=2
    )
    random_weights(model, seed=1)
    return model


def test_segments_give_what_the_whole_text_gives():
    model = make_model()
    segments = ConsecutiveSegments(model, batch_size=2)
    whole = outputs_of(model(TOKEN_IDS))[0]

    parts = [outputs_of(segments(TOKEN_IDS[:, n : n + 3]))[0] for n in (0, 3, 6)]

    assert_close(np.concatenate(parts, axis=1), whole, tolerance=1e-4)
    segments.reset_state()
    assert_close(segments(TOKEN_IDS[:, :3]), whole[:, :3], tolerance=1e-4)
    assert_close(segments(TOKEN_IDS[:, 3:6]), whole[:, 3:6], tolerance=1e-4)


def test_padding_is_passed_over():
    model = make_model()
    segments = ConsecutiveSegments(model, batch_size=2)
    real = np.ones((2, 4), bool)
    real[:, -1:] = False
    whole = outputs_of(model(TOKEN_IDS[:, [0, 1, 2, 4, 5]]))[0]

    segments(TOKEN_IDS[:, :4], padding_mask=real)

    assert_close(segments(TOKEN_IDS[:, 4:6]), whole[:, 3:], tolerance=1e-4)


def loss():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


GIVEN = {"batch_size": 2, "verbose": 0}


def test_evaluations_and_predictions_begin_texts():
    model = make_model()
    segments = ConsecutiveSegments(model, batch_size=2)
    segments.compile(loss=loss(), jit_compile=JIT)
    text = TOKEN_IDS.ravel()[:17]  # 16 tokens to predict: two rows of two segments
    known, following, weights = consecutive_segments(text, 2, 4)
    whole = outputs_of(model(text[:-1].reshape(2, 8)))[0]
    expected = float(loss()(text[1:].reshape(2, 8), whole))
    called = []
    noted = keras.callbacks.LambdaCallback(on_test_begin=lambda _: called.append(1))

    for callbacks in (None, noted, [noted]):
        found = segments.evaluate(known, following, callbacks=callbacks, **GIVEN)
        assert abs(found - expected) < 1e-4
        logits = segments.predict(known, **GIVEN)
        parts = np.split(np.asarray(logits), 2)
        assert_close(np.concatenate(parts, axis=1), whole, tolerance=1e-4)
    assert len(called) == 2
    assert weights.all()


def test_fit_trains_the_model_and_each_epoch_begins_texts():
    model = make_model()
    segments = ConsecutiveSegments(model, batch_size=2)
    segments.compile(keras.optimizers.SGD(0.0), loss(), jit_compile=JIT)
    known, following = TOKEN_IDS[:, :4], TOKEN_IDS[:, 1:5]
    given = {**GIVEN, "shuffle": False, "epochs": 2}
    held_out = {"validation_data": (known, following), "validation_batch_size": 2}

    history = segments.fit(known, following, **held_out, **given).history
    endless = ConsecutiveSegments(model, batch_size=2, carry_over=True)
    endless.compile(keras.optimizers.SGD(0.0), loss(), jit_compile=JIT)
    carried = endless.fit(known, following, **given).history["loss"]

    first = history["loss"][0]
    for losses in history.values():
        np.testing.assert_allclose(losses, first, atol=1e-5)
    assert abs(carried[0] - first) < 1e-5
    assert abs(carried[1] - first) > 1e-4
    before = model.get_weights()
    segments.compile(keras.optimizers.SGD(0.5), loss(), jit_compile=JIT)
    segments.fit(known, following, **given)
    for weight, old in zip(model.get_weights(), before, strict=True):
        assert np.abs(weight - old).max() > 1e-7


def test_it_is_saved(tmp_path):
    segments = ConsecutiveSegments(make_model(), batch_size=2, carry_over=True)
    segments.save(tmp_path / "segments.keras")
    again = keras.saving.load_model(tmp_path / "segments.keras")

    assert again.carry_over
    assert again.get_config() == segments.get_config()
    assert_close(again(TOKEN_IDS), segments(TOKEN_IDS), tolerance=1e-6)


def test_what_is_refused():
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        ConsecutiveSegments(make_model(), batch_size=0)
    segments = ConsecutiveSegments(make_model(), batch_size=3)
    with pytest.raises(ValueError, match="Each batch must have batch_size=3 rows"):
        segments(TOKEN_IDS)
