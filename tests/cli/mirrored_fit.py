"""fit_generator on two logical processors of TensorFlow, interrupted and resumed.

python -m tests.cli.mirrored_fit FOLDER

Prints the largest difference of a weight from a run on one device.
"""

import dataclasses
import sys
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_lm import training
from keras_lm.cli.fit_generator import fit_generator
from keras_lm.cli.report import Report
from tests.cli.test_fit_generator import DOCUMENTS, SETTINGS


class Interrupted(training.ResumableCheckpoint):
    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        raise KeyboardInterrupt


def fit(folder, distribute):
    # Each device has a random generator of its own.
    settings = dataclasses.replace(SETTINGS, dropout=0.0, batch_size=4)
    report = Report(time.perf_counter())
    fitted = fit_generator(settings, DOCUMENTS, folder, report, distribute)
    return fitted.generator.model.get_weights()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    cpu = tf.config.list_physical_devices("CPU")[0]
    halves = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, halves)
    checkpoint, training.ResumableCheckpoint = training.ResumableCheckpoint, Interrupted
    try:
        fit(folder / "two", "data")
    except KeyboardInterrupt:
        training.ResumableCheckpoint = checkpoint
    pairs = zip(fit(folder / "two", "data"), fit(folder / "one", "none"), strict=True)
    print(max(np.abs(one - other).max() for one, other in pairs))
