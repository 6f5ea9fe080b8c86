"""A small decoder trained with `distribute`, on TensorFlow or PyTorch.

python -m tests.training.shared_run KIND FILE [DROPOUT]

On TensorFlow the processor is two devices; on PyTorch torchrun starts two of these
processes. Each writes the losses of its epochs and the sums of its weights to
FILE_RANK.json.
"""

import json
import os
import random
import sys

import keras
import numpy as np
import tensorflow as tf

from keras_lm import models, training

ROWS, LENGTH, VOCABULARY = 8, 12, 96
rng = np.random.default_rng(seed=0)
ARRAYS = tuple(
    rng.integers(1, VOCABULARY, size=(3 * ROWS, LENGTH), dtype="int32")
    for _ in range(2)
)
WEIGHTS = np.ones(ARRAYS[0].shape, "float32")
WEIGHTS[:, -3:] = 0  # as many in each row


def train(kind, dropout):
    random.seed(3)  # Keras draws the seeds of initializers from it
    with training.distribute(kind) as share:
        if not share.leads:
            random.seed(4)  # the weights of the first are to be taken over
        model = models.TransformerDecoder(
            VOCABULARY,
            num_layers=1,
            num_heads=2,
            hidden_dim=16,
            intermediate_dim=32,
            max_sequence_length=LENGTH,
            dropout=dropout,
            # The gradient of a key's bias is rounding alone, which Adam makes large.
            use_bias=False,
            seed=5,
        )
        model.compile(
            keras.optimizers.AdamW(1e-2, global_clipnorm=1.0),
            training.MaskedCrossEntropy(),
            weighted_metrics=[training.Perplexity()],
        )
        dataset = tf.data.Dataset.from_tensor_slices((*ARRAYS, WEIGHTS)).batch(ROWS)
        history = model.fit(
            share.rows(dataset),
            epochs=2,
            shuffle=False,
            verbose=0,
            callbacks=share.callbacks(),
        ).history
    return share, {
        **history,
        "shares": share.num_shares,
        "sums": [float(np.abs(w).sum()) for w in model.get_weights()],
    }


if __name__ == "__main__":
    kind, file, dropout = [*sys.argv[1:], "0"][:3]
    if os.environ["KERAS_BACKEND"] == "tensorflow":
        cpu = tf.config.list_physical_devices("CPU")[0]
        halves = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, halves)
    share, told = train(kind, float(dropout))
    with open(f"{file}_{share.rank}.json", "w", encoding="utf-8") as written:
        json.dump(told, written)
