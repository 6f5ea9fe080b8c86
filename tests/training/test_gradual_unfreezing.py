"""GradualUnfreezing: which weights move in which epoch, resumed, and after it."""

import keras
import numpy as np
import pytest

from keras_lm.training import GradualUnfreezing, LayerwiseRates
from tests.training.small_classifier import (
    INPUTS,
    LABELS,
    fit,
    make_classifier,
    values,
)

# From the head down: what is in the paths of each.
GROUPS = ["head|final_norm", "block_1/", "block_0/", "embedding/"]


class Watch(keras.callbacks.Callback):
    """Which groups moved in each epoch: "1100" are the upper two of four."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        self.before = values(self.model)

    def on_epoch_end(self, epoch, logs=None):
        changed = {
            path
            for path, array in values(self.model).items()
            if np.any(array != self.before[path])
        }
        self.seen.append(
            "".join(
                str(int(any(name in path for path in changed for name in group)))
                for group in (names.split("|") for names in GROUPS)
            )
        )


def fitted(callback, optimizer=None, model=None, **options):
    model = model or make_classifier()
    watch = Watch()
    optimizer = optimizer or LayerwiseRates(keras.optimizers.AdamW(0.01), 0.9)
    fit(model, optimizer, callbacks=[callback, watch], **options)
    return watch.seen, model


@pytest.mark.slow_elsewhere
def test_one_more_group_learns_in_each_epoch_and_all_afterwards():
    seen, model = fitted(GradualUnfreezing(), epochs=5)
    assert seen == ["1000", "1100", "1110", "1111", "1111"]

    again = Watch()
    model.fit(INPUTS, LABELS, epochs=1, callbacks=[again], verbose=0)
    assert again.seen == ["1111"]


@pytest.mark.slow_elsewhere
def test_after_it_was_cut_short_all_groups_are_open():
    _, model = fitted(GradualUnfreezing())
    again = Watch()
    model.fit(INPUTS, LABELS, callbacks=[again], verbose=0)
    assert again.seen == ["1111"]


@pytest.mark.slow_elsewhere
def test_epochs_are_counted_where_a_fit_goes_on_and_under_a_loss_scale():
    model = make_classifier(dtype="mixed_float16")
    options = {"model": model, "epochs": 5, "initial_epoch": 1}
    seen, _ = fitted(GradualUnfreezing(epochs=2), **options)
    assert seen == ["1000", "1100", "1100", "1110"]


def test_what_cannot_be_unfrozen_is_refused():
    with pytest.raises(ValueError, match="`epochs` must be at least 1. Received: epo"):
        GradualUnfreezing(0)
    for epochs in (1.5, "1"):
        with pytest.raises(ValueError, match="`epochs` must be an int, at least 1"):
            GradualUnfreezing(epochs)
    with pytest.raises(
        ValueError, match="with a `training.LayerwiseRates`. Received: A"
    ):
        fitted(GradualUnfreezing(), keras.optimizers.Adam())
