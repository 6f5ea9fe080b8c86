"""ConsecutiveSegments: segments are as the whole text, resets, fit, save, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import LSTMLanguageModel
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


def test_evaluate_gives_the_loss_of_the_whole_text():
    model = make_model()
    segments = ConsecutiveSegments(model, batch_size=2)
    segments.compile(loss=loss(), jit_compile=JIT)
    known, following = TOKEN_IDS[:, :-1], TOKEN_IDS[:, 1:]
    expected = float(loss()(following, model(known)))

    def cut(array):  # the first rows of all segments, then the second
        return np.concatenate([array[:, :4], array[:, 4:]])

    for _ in range(2):
        found = segments.evaluate(
            cut(known),
            cut(following),
            batch_size=2,
            verbose=0,
            callbacks=[segments.resets()],
        )
        assert abs(found - expected) < 1e-4


def test_fit_trains_the_model_and_each_epoch_begins_anew():
    model = make_model()
    segments = ConsecutiveSegments(model, batch_size=2)
    segments.compile(keras.optimizers.SGD(0.0), loss(), jit_compile=JIT)
    known, following = TOKEN_IDS[:, :4], TOKEN_IDS[:, 1:5]
    given = {"batch_size": 2, "shuffle": False, "verbose": 0}
    reset = {**given, "callbacks": [segments.resets()]}

    same = segments.fit(known, following, epochs=2, **reset).history["loss"]
    carried = segments.fit(known, following, epochs=2, **given).history["loss"]

    assert abs(same[0] - same[1]) < 1e-5
    assert abs(carried[0] - carried[1]) > 1e-4
    before = model.get_weights()
    segments.compile(keras.optimizers.SGD(0.5), loss(), jit_compile=JIT)
    segments.fit(known, following, **reset)
    for weight, old in zip(model.get_weights(), before, strict=True):
        assert np.abs(weight - old).max() > 1e-7


def test_it_is_saved(tmp_path):
    segments = ConsecutiveSegments(make_model(), batch_size=2)
    segments.save(tmp_path / "segments.keras")
    again = keras.saving.load_model(tmp_path / "segments.keras")

    assert again.get_config() == segments.get_config()
    assert_close(again(TOKEN_IDS), segments(TOKEN_IDS), tolerance=1e-6)


def test_what_is_refused():
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        ConsecutiveSegments(make_model(), batch_size=0)
    segments = ConsecutiveSegments(make_model(), batch_size=3)
    with pytest.raises(ValueError, match="Each batch must have batch_size=3 rows"):
        segments(TOKEN_IDS)
