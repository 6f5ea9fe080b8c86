"""AverageGradients: where it is refused; what it does is in test_distribute.py."""

import keras
import numpy as np
import pytest

from keras_lm.training import AverageGradients


def test_one_process_or_another_backend_is_refused():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    told = "one process" if keras.backend.backend() == "torch" else "the backend"
    with pytest.raises(ValueError, match=f"Gradients are averaged.*Received: {told}"):
        model.fit(
            np.ones((4, 3)), np.ones((4, 2)), callbacks=[AverageGradients()], verbose=0
        )
