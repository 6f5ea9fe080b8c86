"""A callback from whose checkpoints an interrupted `fit` goes on."""

import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
from keras import ops

from keras_lm.training.run_fingerprint import name_differences, run_fingerprint

_FOLDER = re.compile(r"checkpoint_\d{6}")


class ResumableCheckpoint(keras.callbacks.Callback):
    """Saves a run after every epoch, so that it can go on where it stopped.

    A checkpoint holds the model's weights, its optimizer's state, the states of
    its random generators and the history so far: a run that was interrupted and
    resumed ends with the weights of a run that was not. It is written beside,
    flushed to the disk and renamed, so a valid one exists at every moment, and
    the newest `keep` stay. An "epoch" is whatever `steps_per_epoch` says: the
    interval between checkpoints.

    A checkpoint belongs to one backend, one Keras version, one model, one
    optimizer and one dictionary of settings. If one of these differs, if the run
    was finished, or if nothing readable is there, training starts anew, and
    `notify` is told why; the old checkpoints go when the first new one stands.

    Differs from `keras.callbacks.BackupAndRestore`, which overwrites its one file
    in place, knows no settings and loses the history.

    Not saved: the state of other callbacks, and random numbers that are drawn
    from no `keras.random.SeedGenerator` of the model. The data is skipped by the
    caller (see the example), so its order must depend on a seed alone.

    Args:
        directory: path. Where the checkpoints go; made when it is not there. One
            directory serves one run at a time.
        settings: dict of JSON values. What else makes this run this run: the data,
            the batch size, the steps per epoch, the seed.
        keep: int, at least 1. How many checkpoints to keep. Default 2, so that one
            is left when the newest is damaged.
        notify: function of one string. Default `print`.

    Raises:
        TypeError: `settings` cannot be written as JSON.
        ValueError: `keep` is below 1, the model is not built or not compiled, or
            `fit` begins without `restore`.
        OSError: a checkpoint cannot be written. The one before it stays.

    Example:
        >>> import tempfile
        >>> model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
        >>> model.compile("adam", "mse")
        >>> directory = tempfile.TemporaryDirectory()
        >>> checkpoint = ResumableCheckpoint(directory.name, {"batch_size": 4})
        >>> start = checkpoint.restore(model)  # epochs already done
        >>> history = model.fit(
        ...     x=ops.ones((8, 3)),  # for a dataset: .repeat().skip(start * steps)
        ...     y=ops.ones((8, 2)),
        ...     initial_epoch=start,
        ...     epochs=2,
        ...     callbacks=[checkpoint],
        ...     verbose=0,
        ... )
        >>> len(checkpoint.history["loss"])
        2
        >>> checkpoint.finish()
    """

    def __init__(self, directory, settings, keep=2, notify=print):
        super().__init__()
        if keep < 1:
            raise ValueError(f"`keep` must be at least 1. Received: keep={keep}")
        try:
            json.dumps(settings)
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"`settings` must hold JSON values only ({error}). "
                f"Received: settings={settings}"
            ) from error
        self.directory = Path(directory)
        self.settings = settings
        self.keep = keep
        self.notify = notify
        self.history = {}
        self._fingerprint = None
        self._unusable = []  # folders that go when the next checkpoint stands

    def restore(self, model):
        """Puts the newest usable checkpoint into the model and its optimizer.

        Args:
            model: a built and compiled `keras.Model`.

        Returns:
            int. How many epochs are done, 0 when training starts anew; then the
            model is as it came.
        """
        _check_ready(model)
        self._fingerprint = run_fingerprint(model, self.settings)
        self.history = {}
        self._unusable = []
        for folder in self._folders():
            try:
                record = _read_record(folder / "checkpoint.json")
                reason = self._why_not_to_resume(folder, record)
                if reason:
                    self._unusable = self._folders()
                    self.notify(f"Training starts anew: {reason}.")
                    return 0
                _read_variables(folder / "variables.npz", _variables(model))
            except Exception as error:  # a damaged file can fail in any way
                self._unusable.append(folder)
                self.notify(f"The checkpoint `{folder}` cannot be read: {error!r}")
                continue
            self.history = record["history"]
            self.notify(
                f"Training goes on after epoch {record['epochs']}, from `{folder}`."
            )
            return record["epochs"]
        if self._unusable:
            self.notify("Training starts anew: no checkpoint can be read.")
        return 0

    def finish(self):
        """Marks the run as finished: the next one starts anew."""
        for folder in self._folders()[:1]:
            (folder / "finished").touch()
            _flush(folder)

    def on_train_begin(self, logs=None):
        """Refuses to train what was not restored; Keras calls this."""
        if self._fingerprint is None:
            raise ValueError(
                "`restore(model)` must be called before `fit`, and its answer given "
                "as `initial_epoch`. Received: a fit without restore"
            )

    def on_epoch_end(self, epoch, logs=None):
        """Writes a checkpoint; Keras calls this."""
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        record = {
            "epochs": epoch + 1,
            "history": self.history,
            "fingerprint": self._fingerprint,
        }
        folder = self._new_folder()
        beside = self.directory / "unfinished"
        try:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir(parents=True)
            _write_variables(beside / "variables.npz", _variables(self.model))
            _write_record(beside / "checkpoint.json", record)
            _flush(beside)
            beside.rename(folder)
            _flush(self.directory)
        except OSError as error:
            shutil.rmtree(beside, ignore_errors=True)
            raise OSError(
                error.errno,
                f"The checkpoint after epoch {epoch + 1} could not be written "
                f"({error.strerror or error}); the one before it stays valid",
                str(folder),
            ) from error
        self._remove_old()

    def _why_not_to_resume(self, folder, record):
        if (folder / "finished").exists():
            return f"the run in `{self.directory}` is finished"
        differences = name_differences(record["fingerprint"], self._fingerprint)
        if differences:
            told = "; ".join(differences[:5]) + "; ..." * (len(differences) > 5)
            return f"the checkpoints in `{self.directory}` are another run's ({told})"
        return None

    def _folders(self):
        """Lists the checkpoints, the newest first."""
        if not self.directory.is_dir():
            return []
        folders = [f for f in self.directory.iterdir() if _FOLDER.fullmatch(f.name)]
        return sorted(folders, reverse=True)

    def _new_folder(self):
        newest = [int(folder.name[-6:]) for folder in self._folders()[:1]]
        return self.directory / f"checkpoint_{sum(newest) + 1:06d}"

    def _remove_old(self):
        for folder in self._unusable:
            shutil.rmtree(folder, ignore_errors=True)
        self._unusable = []
        for folder in self._folders()[self.keep :]:
            shutil.rmtree(folder, ignore_errors=True)


def _check_ready(model):
    if not model.built:
        raise ValueError(
            "The model must be built before `restore`: call it once on data. "
            f"Received: {model.name}, not built"
        )
    if getattr(model, "optimizer", None) is None:
        raise ValueError(
            f"The model must be compiled before `restore`. Received: {model.name}, "
            "not compiled"
        )
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


def _variables(model):
    return [*model.variables, *model.optimizer.variables]


def _write_record(path, record):
    with path.open("w", encoding="utf-8") as file:
        json.dump(record, file, indent=1)
        file.flush()
        os.fsync(file.fileno())


def _read_record(path):
    record = json.loads(path.read_text(encoding="utf-8"))
    missing = {"epochs", "history", "fingerprint"} - set(record)
    if missing:
        raise ValueError(f"{path.name} must hold {sorted(missing)}")
    return record


def _write_variables(path, variables):
    """Writes an `.npz`, one variable at a time, so that memory holds no copy."""
    with path.open("wb") as file:
        with zipfile.ZipFile(file, "w") as archive:
            for index, variable in enumerate(variables):
                array = _to_numpy(variable)
                with archive.open(f"{index}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def _to_numpy(variable):
    # A copy: NumPy cannot read all that TensorFlow mirrors on several devices.
    array = ops.convert_to_numpy(ops.copy(variable.value))
    # NumPy's files know no bfloat16 or float8; float32 holds them exactly.
    return array if array.dtype.kind in "fiub" else array.astype("float32")


def _read_variables(path, variables):
    """Reads all of the file, checks it, and only then changes the variables."""
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise ValueError(f"{path.name} is damaged: a checksum is wrong")
        arrays = [_read_array(archive, name) for name in archive.namelist()]
    came = [array.shape for array in arrays]
    wanted = [tuple(variable.shape) for variable in variables]
    if came != wanted:
        raise ValueError(
            f"{path.name} must hold {len(wanted)} arrays, with the shapes of the "
            f"model's and the optimizer's variables. Received: {len(came)} arrays"
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


def _read_array(archive, name):
    with archive.open(name) as member:
        return np.lib.format.read_array(member, allow_pickle=False)


def _flush(folder):
    """Makes sure that the entries of a folder are on the disk."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
