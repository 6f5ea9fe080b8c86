"""Folders and files that are complete or absent, never half there."""

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
        flush_folder_name(target.parent)
    except OSError as error:
        fault = error.strerror or str(error)
        text = f"The folder must be one that can be written. Received: {fault}"
        raise OSError(error.errno or errno.EIO, text, str(target)) from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


@contextlib.contextmanager
def complete_file(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """A file to write, which takes its name when the block ends well.

    As `complete_folder`; a file that is replaced keeps its name until the new one takes
    it.

    Args:
        target: path of the file to be. A link to a file is followed.
        overwrite: bool. Whether a file that is there may be replaced.

    Returns:
        context manager of the path to write.

    Raises:
        FileExistsError: `target` exists, and is no file or `overwrite` is false.
        OSError: it cannot be written, or the disk is full.
    """
    target = Path(target).resolve()
    if target.exists() and not (overwrite and target.is_file()):
        raise FileExistsError(
            "The target must not exist, or be a file and overwrite=True be given. "
            f"Received: {target}"
        )
    beside = target.with_name(f".{target.name}-{secrets.token_hex(4)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        _flush(beside)
        if target.exists() and not overwrite:  # another process was faster
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
        beside.replace(target)
        flush_folder_name(target.parent)
    except OSError as error:
        fault = error.strerror or str(error)
        text = f"The file must be one that can be written. Received: {fault}"
        raise OSError(error.errno or errno.EIO, text, str(target)) from error
    finally:
        with contextlib.suppress(OSError):  # its folder may be a file
            beside.unlink()


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
    for path in sorted(folder.rglob("*")):
        if path.is_dir():
            flush_folder_name(path)
        else:
            _flush(path)
    flush_folder_name(folder)


def flush_folder_name(folder: Path) -> None:
    """Makes sure that the names in a folder are on the disk.

    Args:
        folder: path.
    """
    if os.name == "posix":  # only there can a folder be opened
        _flush(folder)


def _flush(path):
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
