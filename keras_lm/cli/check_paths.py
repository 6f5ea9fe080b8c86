"""What is wrong with a path, before Keras is imported, which takes a while."""

import json
import os
from pathlib import Path

_PIPELINE = "pipeline.json"


def check_pipeline(directory: Path, *kinds: str) -> None:
    """Refuses what no pipeline can be loaded from, and says what it is instead.

    Args:
        directory: path.
        *kinds: names of the pipelines' classes that will do; all if none.

    Raises:
        FileNotFoundError: no pipeline is there.
        ValueError: it is of another kind.
    """
    if not (directory / _PIPELINE).is_file():
        raise FileNotFoundError(
            f"A pipeline's directory must hold `{_PIPELINE}`. "
            f"Received: {directory}, {_what_it_is(directory)}"
        )
    kind = _kind_of(directory)
    if kinds and kind not in (None, *kinds):
        wanted = " or a ".join(f"`{name}`" for name in kinds)
        raise ValueError(
            f"The directory must hold a {wanted}. Received: {directory}, a `{kind}`"
        )


def check_new(option: str, path: Path, overwrite: bool, folder: bool = True) -> None:
    """Refuses a path that cannot be written, or not without `--overwrite`.

    With it an empty folder and a pipeline may be replaced: whatever else a folder
    holds, nobody meant to lose.

    Args:
        option: of the command, for the message.
        path: where something will be written.
        overwrite: bool. Whether what is there may be replaced.
        folder: bool. Whether it will be a pipeline's folder or a file.

    Raises:
        FileExistsError: it is there, and `overwrite` is false, or it is a folder with
            something else than a pipeline.
        OSError: it is, or lies in, what it cannot be or lie in.
    """
    _check_kind(option, path, folder)
    _check_writable(option, path.resolve().parent)  # where it gets its name
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"`{option}` must not exist, or --overwrite be given. Received: {path}"
        )
    if path.is_dir() and any(path.iterdir()) and not (path / _PIPELINE).is_file():
        raise FileExistsError(
            f"`{option}` must be new, empty or a pipeline: --overwrite replaces "
            f"nothing else. Received: {path}"
        )


def check_folder(option: str, path: Path) -> None:
    """Refuses a folder that files cannot be put into; those that it has stay.

    Args:
        option: of the command, for the message.
        path: the folder, which need not be there yet.

    Raises:
        OSError: it is, or lies in, what it cannot be or lie in.
    """
    _check_kind(option, path, folder=True)
    _check_writable(option, path.resolve())


def check_outside(option: str, path: Path, other: str, folder: Path) -> None:
    """Refuses a path in a folder that is replaced, or whose files are all read.

    Args:
        option: or argument of the command, for the message.
        path: its value.
        other: option or argument, for the message.
        folder: its value.

    Raises:
        ValueError: `path` is `folder` or lies in it; links are followed.
    """
    if folder.resolve() in (path.resolve(), *path.resolve().parents):
        raise ValueError(
            f"`{option}` must lie outside `{other}`, or one spoils the other. "
            f"Received: {path}, and {folder}"
        )


def _check_kind(option, path, folder):
    """A file is no folder, a folder no file, and nothing lies in a file."""
    if path.exists() and path.is_dir() != folder:
        found = "a file" if folder else "a folder"
        wanted = "a folder" if folder else "a file"
        raise OSError(f"`{option}` must be {wanted}. Received: {path}, {found}")
    for parent in path.absolute().parents:
        if parent.exists() and not parent.is_dir():
            raise NotADirectoryError(
                f"`{option}` must lie in a folder. Received: {path}, and {parent} is a "
                "file"
            )


def _check_writable(option, folder):
    """The folder, or the nearest above it that is there, takes new names."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(
            f"`{option}` must lie where one may write. Received: {folder}, and {there} "
            "is closed"
        )


def _kind_of(directory):
    """The name that `pipeline.json` gives, or `None`, of which `load` tells more."""
    try:
        description = json.loads((directory / _PIPELINE).read_text(encoding="utf-8"))
        return description.get("pipeline")
    except (ValueError, AttributeError):
        return None


def _what_it_is(path):
    """Words for what is there instead of a pipeline."""
    if not path.exists():
        return "which is not there"
    if path.suffix == ".tflite":
        return f"an export for LiteRT{_beside(path.with_suffix(''))}"
    if path.is_file():
        return "a file"
    if (path / "saved_model.pb").is_file():
        return f"an export, a SavedModel{_beside(path.parent)}"
    if any(path.glob("[0-9]*/saved_model.pb")):
        return f"the versions of an export, SavedModels{_beside(path)}"
    inside = sorted(found.parent.name for found in path.glob(f"*/{_PIPELINE}"))
    if inside:
        more = ", .." if len(inside) > 3 else ""
        return f"which holds pipelines: {', '.join(inside[:3])}{more}"
    return "which does not"


def _beside(export):
    """Where the pipeline of the demo's export lies, if it is there."""
    pipeline = export.with_name(f"{export.name}_pipeline")
    if (pipeline / _PIPELINE).is_file():
        return f"; it was made from the pipeline {pipeline}"
    return ": give the pipeline that it was made from"
