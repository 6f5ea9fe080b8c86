"""Pairs of texts, from one file with tabs or from two files of parallel lines."""

import pathlib


def read_pairs(path, target_path=None, columns=None) -> list[tuple[str, str]]:
    r"""Reads UTF-8 pairs, one a line: sources and targets.

    One file holds `source<TAB>target` in each line; of two files, line `n` of the
    second is the target of line `n` of the first. A line ends at `\n` or `\r\n` and
    nowhere else. An empty side stays (`parallel_dataset` leaves such pairs out, and
    says so).

    Args:
        path: str or path. The pairs, or the sources.
        target_path: str or path, or `None`. The targets.
        columns: two ints, at least 0: which fields between tabs are source and target;
            fields that are not named are passed over. `None`: a line must hold two
            fields. Of one file only.

    Returns:
        list of `(source, target)`, in the order of the lines.

    Raises:
        FileNotFoundError: a file is not there.
        IsADirectoryError: it is a folder.
        ValueError: a line is not UTF-8 or lacks a field, the files have not as many
            lines, or there are none. The message names file and line.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "pairs.tsv")
        >>> _ = path.write_text("one\tun\ntwo\tdeux\n")
        >>> keras_lm.text.read_pairs(path)
        [('one', 'un'), ('two', 'deux')]
    """
    lines = _lines(path)
    if target_path is None:
        pairs = _fields(path, lines, columns)
    else:
        others = _lines(target_path)
        if len(lines) != len(others):
            raise ValueError(
                "Files of parallel lines must have the same number of lines. Received: "
                f"{len(lines)} in {path} and {len(others)} in {target_path}"
            )
        pairs = list(zip(lines, others, strict=True))
    if not pairs:
        raise ValueError(f"The pairs must be at least one. Received: {path}, empty")
    return pairs


def _lines(path):
    path = pathlib.Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"The path of pairs must be a file. Received: a folder, {path}"
        )
    if not path.is_file():
        raise FileNotFoundError(f"A file of pairs must exist. Received: {path}")
    data = path.read_bytes().removeprefix(b"\xef\xbb\xbf")  # byte order mark
    lines = data.split(b"\n")
    if not lines[-1]:  # what follows the last line's end
        lines.pop()
    return [_text(path, number, line) for number, line in enumerate(lines, start=1)]


def _text(path, number, line):
    try:
        return line.removesuffix(b"\r").decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"A file of pairs must be UTF-8 text. Received: {path}, line {number}, "
            f"where byte {error.start} is 0x{line[error.start]:02x}"
        ) from error


def _fields(path, lines, columns):
    source, target = _two_columns(columns)
    wanted = "two" if columns is None else f"at least {max(source, target) + 1}"
    pairs = []
    for number, line in enumerate(lines, start=1):
        fields = line.split("\t")
        too_many = columns is None and len(fields) > 2
        if too_many or len(fields) <= max(source, target):
            hint = ", or `columns` name two of more" if too_many else ""
            found = f"{len(fields)} in" if line else "the empty"
            raise ValueError(
                f"Each line must hold {wanted} fields with tabs between{hint}. "
                f"Received: {found} line {number} of {path}"
            )
        pairs.append((fields[source], fields[target]))
    return pairs


def _two_columns(columns):
    columns = (0, 1) if columns is None else tuple(columns)
    if len(columns) != 2 or min(columns) < 0:
        raise ValueError(
            f"`columns` must be two ints, at least 0. Received: columns={columns}"
        )
    return columns
