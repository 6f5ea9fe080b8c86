"""Where an export goes: complete or absent, never half there.

The work is done in a hidden folder `.incomplete-<process id>-<random>` beside the
target, which TensorFlow Serving does not read, and takes its name by one rename. What
killed processes left is removed by the next export.
"""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from keras_lm.files import flush_folder, flush_folder_name

_PREFIX = ".incomplete-"


@contextlib.contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """A hidden folder inside `folder` to work in, removed at the end whatever happens.

    Args:
        folder: path, made if it is not there.

    Returns:
        context manager of the path of the hidden folder.

    Raises:
        OSError: it cannot be made or the disk is full; the text names `folder`.
    """
    folder_was_there = folder.exists()
    place = None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        place = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=folder))
        yield place
    except Exception as error:
        fault = _system_fault(error)
        if fault is None:
            raise
        raise type(fault)(
            fault.errno,
            "The export must be able to write. "
            f"Received: {os.strerror(fault.errno or errno.EIO)}",
            str(folder),
        ) from error
    finally:
        if place is not None:
            shutil.rmtree(place, ignore_errors=True)
        if not folder_was_there:
            with contextlib.suppress(OSError):  # something lies in it
                folder.rmdir()


def remove_leftovers(folder: Path) -> None:
    """Removes the hidden folders of processes that are no more.

    Args:
        folder: path.
    """
    for place in folder.glob(f"{_PREFIX}*"):
        process_id = place.name.removeprefix(_PREFIX).split("-")[0]
        if process_id.isdigit() and not _is_alive(int(process_id)):
            shutil.rmtree(place, ignore_errors=True)


def next_version(folder: Path) -> int:
    """One more than the highest version in `folder`; 1 where there is none.

    Args:
        folder: path, which need not exist.

    Returns:
        int, at least 1.
    """
    names = [path.name for path in folder.glob("[0-9]*")]
    return 1 + max((int(name) for name in names if name.isdecimal()), default=0)


def place_version(finished: Path, folder: Path, version: int | None) -> Path:
    """Renames a finished folder to its version.

    Args:
        finished: path of the folder, on the same disk.
        folder: path that holds the versions.
        version: int, or `None` for the next that is free.

    Returns:
        path `folder/<version>`.

    Raises:
        FileExistsError: `version` was given, and is there.
    """
    flush_folder(finished)
    while True:
        target = folder / str(version or next_version(folder))
        try:
            # An empty folder would be replaced by the rename.
            if target.exists():
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
            finished.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
            if version:
                raise version_exists(target) from error
            continue  # another export was faster: take the next number
        flush_folder_name(folder)
        return target


def version_exists(target: Path) -> FileExistsError:
    """The error for a version that is there.

    Args:
        target: path of the version folder.

    Returns:
        `FileExistsError`, to be raised.
    """
    return FileExistsError(
        f"`version` must be one that does not exist yet. Received: {target}"
    )


def place_files(finished: Path, folder: Path, last: str) -> None:
    """Moves files into `folder`; the one that makes the others count comes last.

    An older file of that name goes first, so that it is never seen beside new ones.

    Args:
        finished: path of a folder with files, on the same disk.
        folder: path.
        last: name of the file to move at the end.
    """
    flush_folder(finished)
    (folder / last).unlink(missing_ok=True)
    names = sorted(path.name for path in finished.iterdir() if path.name != last)
    for name in [*names, last]:
        os.replace(finished / name, folder / name)
    flush_folder_name(folder)


def _is_alive(process_id):
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is there, and another's
        return True
    return True


def _system_fault(error):
    """The `OSError` behind an error, or `None`; a library may wrap a full disk."""
    if isinstance(error, OSError) and error.errno is not None:
        if isinstance(error, FileExistsError):
            return None
        return error
    if "No space left on device" in str(error) or "errno = 28" in str(error):
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return None
