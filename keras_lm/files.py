"""Folders that are complete or absent, never half there."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def complete_folder(target: Path, overwrite: bool = False) -> Iterator[Path]:
    """A folder to write into, which takes its name when the block ends well.

    The work is done beside the target, under a hidden name, and flushed to the disk;
    then it is renamed. If the block fails nothing stays.

    Args:
        target: path of the folder to be.
        overwrite: bool. Whether a folder that is there may be replaced.

    Returns:
        context manager of the path to write into.

    Raises:
        FileExistsError: `target` exists, and `overwrite` is false.
        OSError: it cannot be written.
    """
    target = Path(target)
    if target.exists() and not overwrite:
        raise FileExistsError(
            f"The target must not exist, or overwrite=True be given. Received: {target}"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield beside
        flush_folder(beside)
        if target.exists():
            old = beside / ".replaced"
            target.rename(old)
        beside.rename(target)
        shutil.rmtree(target / ".replaced", ignore_errors=True)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


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
