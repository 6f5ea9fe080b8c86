"""Folders that are complete or absent, never half there."""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def complete_folder(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into, which takes its name when the block ends well.

    The work is done beside the target, under a hidden name, and flushed to the disk;
    then it is renamed. If the block fails nothing stays. A folder that is replaced
    keeps its name until the new one is ready; a process killed in the instant between
    the two renames leaves both whole, under hidden names.

    Args:
        target: path of the folder to be. A link to a folder is followed.
        overwrite: bool. Whether a folder that is there may be replaced.

    Returns:
        context manager of the path to write into.

    Raises:
        FileExistsError: `target` exists, and is no folder or `overwrite` is false.
        OSError: it cannot be written, or the disk is full.
    """
    target = Path(target).resolve()
    if target.exists() and not (overwrite and target.is_dir()):
        raise FileExistsError(
            "The target must not exist, or be a folder and overwrite=True be given. "
            f"Received: {target}"
        )
    beside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.mkdir()
        yield beside
        flush_folder(beside)
        _take_name(beside, target, overwrite)
    except OSError as error:
        fault = error.strerror or str(error)
        text = f"The folder must be one that can be written. Received: {fault}"
        raise OSError(error.errno or errno.EIO, text, str(target)) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _take_name(beside, target, overwrite):
    if not (overwrite and target.exists()):
        beside.rename(target)  # fails where another process was faster
        return
    old = beside.with_name(f"{beside.name}-old")
    target.rename(old)
    try:
        beside.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def flush_folder(folder: Path) -> None:
    """Makes sure that the files below a folder, and their names, are on the disk.

    Args:
        folder: path.
    """
    for path in [*sorted(folder.rglob("*")), folder]:
        if path.is_dir() and os.name != "posix":
            continue
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
