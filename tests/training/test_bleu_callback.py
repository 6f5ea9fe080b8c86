"""BleuCallback: of the weights of the moment, in the logs, stops, restores, errors."""

import keras
import numpy as np
import pytest
from sacrebleu.metrics import BLEU

from keras_lm.training import BleuCallback
from tests.checks import assert_close

X, Y = np.ones((4, 3), "float32"), np.ones((4, 1), "float32")
REFERENCE = "one two three four five six seven eight"
PAIRS = [("a", REFERENCE), ("b", REFERENCE)]


def words(number):
    """The first words right, the others wrong."""
    return " ".join(REFERENCE.split()[:number] + ["wrong"] * (8 - number))


def bleu_of(number):
    return BLEU().corpus_score([words(number)] * 2, [[REFERENCE] * 2]).score


def fitted(numbers, epochs, **options):
    """Trains; the n-th evaluation has so many right words."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.01), "mse", metrics=["mae"])
    seen, told, remaining = [], [], iter(numbers)

    def translate(texts):
        assert texts == ["a", "b"]
        seen.append(model.get_weights())
        return [words(next(remaining))] * 2

    callback = BleuCallback(translate, PAIRS, notify=told.append, **options)
    later = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: told.append(sorted(logs))
    )
    history = model.fit(
        X,
        Y,
        epochs=epochs,
        callbacks=[callback, later],
        validation_data=(X, Y),
        verbose=0,
    ).history
    return model, callback, history, seen, [t for t in told if isinstance(t, str)], told


def test_it_is_sacrebleus_number_of_the_trained_weights_and_in_the_logs():
    model, callback, history, seen, told, all_told = fitted([5, 6, 8], 3)

    expected = [bleu_of(5), bleu_of(6), 100.0]
    assert_close(history["val_bleu"], expected)
    assert (round(callback.best), callback.best_epoch) == (100, 2)
    assert callback.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a")
    assert told[0] == f"Epoch 1: val_bleu {bleu_of(5):.2f}, the best so far."
    assert "val_bleu" in all_told[1]  # of the callback that comes after
    # The weights that `translate` sees are those of its epoch, on every backend.
    assert len({weights[0].tobytes() for weights in seen}) == 3
    assert_close(seen[-1][0], model.get_weights()[0], tolerance=0)


def test_every_second_epoch_and_the_last():
    _, _, history, _, told, _ = fitted([5, 6, 7], 5, every=2)

    assert [line.split(":")[0] for line in told] == ["Epoch 2", "Epoch 4", "Epoch 5"]
    assert len(history["val_bleu"]) == 3 < len(history["loss"])


def test_training_stops_when_it_is_no_better_and_the_best_comes_back():
    model, callback, history, seen, told, _ = fitted(
        [5, 7, 7, 6, 8], 9, patience=2, restore_best_weights=True
    )

    assert len(history["loss"]) == 4
    assert callback.best_epoch == 1
    assert told[-3:] == [
        f"Epoch 4: val_bleu {bleu_of(6):.2f}; the best is {bleu_of(7):.2f} of epoch 2.",
        "Training stops: 2 evaluations in a row were no better.",
        "The weights are those of epoch 2.",
    ]
    for weight, best in zip(model.get_weights(), seen[1], strict=True):
        assert_close(weight, best, tolerance=0)
    assert model.evaluate(X, Y, verbose=0)[0] > history["loss"][-1]


def test_patience_counts_in_a_row_and_weights_stay_when_not_asked():
    model, _, history, seen, _, _ = fitted([6, 5, 7, 6, 6], 5, patience=2)

    assert len(history["loss"]) == 5
    assert_close(model.get_weights()[0], seen[-1][0], tolerance=0)


@pytest.mark.once
def test_a_second_fit_begins_anew():
    callback = BleuCallback(lambda texts: [words(4)] * 2, PAIRS, notify=str)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    for _ in range(2):
        callback.best = 99.0
        model.fit(X, Y, callbacks=[callback], verbose=0)
        assert callback.best == pytest.approx(bleu_of(4))


@pytest.mark.once
def test_options_are_those_of_compare_texts():
    callback = BleuCallback(str, PAIRS, lowercase=True, tokenize="char")
    callback.translate = lambda texts: [REFERENCE.upper()] * 2
    logs = {}
    callback.set_model(keras.Sequential())
    callback.on_epoch_end(0, logs)

    assert logs["val_bleu"] == pytest.approx(100.0)
    assert "case:lc" in callback.signature and "tok:char" in callback.signature


@pytest.mark.once
def test_what_cannot_work_is_refused_before_training():
    for argument in ("every", "patience"):
        with pytest.raises(ValueError, match=f"`{argument}` must be at least 1"):
            BleuCallback(str, PAIRS, **{argument: 0})
    with pytest.raises(ValueError, match="`pairs` must hold at least one pair"):
        BleuCallback(str, [])
    with pytest.raises(ValueError, match="`tokenize` must be one of"):
        BleuCallback(str, PAIRS, tokenize="spm")
    with pytest.raises(TypeError, match="smooth"):
        BleuCallback(str, PAIRS, smooth=1)
    callback = BleuCallback(lambda texts: texts[:1], PAIRS)
    callback.set_model(keras.Sequential())
    with pytest.raises(ValueError, match="Received: 1 hypotheses and 2 references"):
        callback.on_epoch_end(0, {})
