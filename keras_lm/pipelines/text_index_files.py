"""The folder of a `TextIndex`: what it is, its texts, its vectors."""

import json
from pathlib import Path
from typing import NamedTuple

from keras_lm.files import complete_folder

_NAMES = ("index.json", "texts.jsonl", "vectors.faiss")
_KEYS = {"index", "settings", "next_id", "fingerprint"}


class IndexFiles(NamedTuple):
    """What lies in the folder.

    Args:
        settings: dict: the arguments of `TextIndex`, without its embedder.
        next_id: int. The first id that was not given by count.
        fingerprint: dict, of `embedder_fingerprint`.
        records: for each slot a list of id, text and metadata, or `None` where it was
            removed.
        vectors: bytes.
    """

    settings: dict
    next_id: int
    fingerprint: dict
    records: list
    vectors: bytes


def write_index_files(directory, files: IndexFiles, overwrite: bool = False) -> None:
    """Writes the folder, complete or not at all.

    Args:
        directory: str or path.
        files: `IndexFiles`.
        overwrite: bool. Whether a folder that is there may be replaced.

    Raises:
        FileExistsError: it exists, and `overwrite` is false.
        OSError: it cannot be written.
    """
    description = {
        "index": "TextIndex",
        "settings": files.settings,
        "next_id": files.next_id,
        "fingerprint": files.fingerprint,
    }
    # ASCII: a file's name may hold half a surrogate pair, which UTF-8 cannot say.
    lines = [json.dumps(record) for record in files.records]
    contents = (
        json.dumps(description, indent=1).encode("ascii"),
        "".join(f"{line}\n" for line in lines).encode("ascii"),
        files.vectors,
    )
    with complete_folder(directory, overwrite) as folder:
        for name, content in zip(_NAMES, contents, strict=True):
            (folder / name).write_bytes(content)


def read_index_files(directory) -> IndexFiles:
    """What `write_index_files` wrote.

    Args:
        directory: str or path.

    Returns:
        `IndexFiles`.

    Raises:
        FileNotFoundError: the directory, or a file in it, is not there.
        ValueError: it is no index, or a file is cut off or another's.
    """
    directory = Path(directory)
    for name in _NAMES:
        if not (directory / name).is_file():
            raise FileNotFoundError(
                f"The folder of an index must hold `{name}`. "
                f"Received: {directory}, which does not"
            )
    head, texts, vectors = ((directory / name).read_bytes() for name in _NAMES)
    try:
        description = json.loads(head)
        lines = texts.split(b"\n")
        records = [json.loads(line) for line in lines[:-1]]
        if lines[-1] or not _is_index(description) or not all(map(_is_record, records)):
            raise ValueError("it says something else")
    except ValueError as error:
        raise ValueError(
            "The folder of an index must be what `save` wrote. Received: "
            f"{directory}, where a file is cut off or another's ({error})"
        ) from error
    del description["index"]
    return IndexFiles(records=records, vectors=vectors, **description)


def _is_index(description):
    return (
        isinstance(description, dict)
        and set(description) == _KEYS
        and description["index"] == "TextIndex"
        and isinstance(description["settings"], dict)
        and isinstance(description["next_id"], int)
        and _is_fingerprint(description["fingerprint"])
    )


def _is_fingerprint(fingerprint):
    return (
        isinstance(fingerprint, dict)
        and set(fingerprint) == {"vectors", "max_length", "truncate"}
        and isinstance(fingerprint["vectors"], dict)
        and "" in fingerprint["vectors"]
        and isinstance(fingerprint["max_length"], int)
    )


def _is_record(record):
    return record is None or (isinstance(record, list) and len(record) == 3)
