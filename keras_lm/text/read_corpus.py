"""A file or folder of one's own text, as documents."""

import pathlib

from keras_lm.text.document import Document

_MAX_SECTION_CHARACTERS = 4000
_NUM_SECTIONS = 40
# Where a file may be cut, best first.
_BOUNDARIES = ("\n\n", "\n", "\u3002", ". ", " ")


def read_corpus(path):
    """Reads UTF-8 text: a folder's files, or one file in sections.

    In a folder each file is a document (hidden ones and those without text are left
    out). A single file is cut into sections of at most about 4,000 characters, at
    blank lines where there are any, so that some of them can be held out; put
    together they are the file.

    Args:
        path: str or path. A file or a folder, searched with its subfolders.

    Returns:
        list of `Document`, in the order of the names, or of the file.

    Raises:
        FileNotFoundError: there is no such file or folder.
        ValueError: a file is not UTF-8 (the message names file and byte), or there
            is no text.

    Example:
        >>> import pathlib, tempfile
        >>> from keras_lm import text
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> _ = (folder / "poem.txt").write_text("So much depends upon")
        >>> [document.name for document in text.read_corpus(folder)]
        ['poem.txt']
    """
    path = pathlib.Path(path)
    if not path.exists():
        raise FileNotFoundError(
            f"The corpus must be a file or folder that exists. Received: {path}"
        )
    if path.is_dir():
        documents = [Document(str(p.relative_to(path)), _read(p)) for p in _files(path)]
    else:
        documents = _sections(path.name, _read(path))
    documents = [document for document in documents if document.text.strip()]
    if not documents:
        raise ValueError(f"The corpus must hold some text. Received: {path}, empty")
    return documents


def _files(folder):
    """The files of a folder and its subfolders, sorted, without hidden ones."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _read(path):
    data = path.read_bytes()
    try:
        return data.decode("utf-8").removeprefix("\ufeff")  # byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(
            "A corpus must be UTF-8 text. "
            f"Received: {path}, byte {error.start} is 0x{data[error.start]:02x}"
        ) from error


def _sections(name, text):
    """Cuts one text into sections that can be held out."""
    size = max(1, min(_MAX_SECTION_CHARACTERS, len(text) // _NUM_SECTIONS))
    documents, start = [], 0
    while start < len(text):
        end = _end_of_section(text, start + size // 2, start + size)
        documents.append(Document(f"{name}:{len(documents) + 1}", text[start:end]))
        start = end
    return documents


def _end_of_section(text, earliest, latest):
    """The best place to cut between two places, the end of the text included."""
    if latest >= len(text):
        return len(text)
    for boundary in _BOUNDARIES:
        found = text.rfind(boundary, earliest, latest)
        if found >= 0:
            return found + len(boundary)
    return latest
