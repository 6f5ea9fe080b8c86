"""A small training run with checkpoints, to be killed and started again.

python -m tests.training.checkpointed_run DIRECTORY EPOCHS
"""

import random
import sys

import keras
import numpy as np

from keras_lm.training import ResumableCheckpoint, WarmupCosine

STEPS, BATCH_SIZE = 3, 2


def make_model(width=5, seed=3):
    """Everything that has a state: Adam, a schedule, dropout with a generator."""
    random.seed(seed)  # Keras draws the seeds of initializers from it
    layers = [
        keras.Input((4,)),
        keras.layers.Dense(width, activation="relu"),
        keras.layers.Dropout(0.5, seed=seed),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(1),
    ]
    model = keras.Sequential(layers)
    schedule = WarmupCosine(0.1, 7, total_steps=300)
    model.compile(keras.optimizers.Adam(schedule), "mse")
    return model


def train(directory, epochs, settings=None, notify=print, callbacks=(), model=None):
    """Trains from the newest checkpoint to the last epoch; returns both."""
    model = model or make_model()
    checkpoint = ResumableCheckpoint(directory, settings or {}, notify=notify)
    start = checkpoint.restore(model)
    rng = np.random.default_rng(seed=0)
    x = rng.normal(size=(STEPS * BATCH_SIZE, 4)).astype("float32")
    model.fit(
        x,
        np.sin(3 * x[:, :1]),
        batch_size=BATCH_SIZE,
        initial_epoch=start,
        epochs=epochs,
        shuffle=False,
        verbose=0,
        callbacks=[checkpoint, *callbacks],
    )
    return model, checkpoint


if __name__ == "__main__":
    tell = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: print("epoch", epoch + 1, flush=True)
    )
    train(sys.argv[1], int(sys.argv[2]), callbacks=[tell])
