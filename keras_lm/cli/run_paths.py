"""Names that are known before anything is made; no import of Keras."""

from pathlib import Path


def demo_name(corpus: Path | None) -> str:
    """What the demo calls its model, and with an ending each of its exports.

    Args:
        corpus: path of a text file or a folder, or `None` for docstrings.

    Returns:
        str.
    """
    return "docstring_lm" if corpus is None else f"{Path(corpus).stem}_lm"


def demo_pipeline(output: Path, corpus: Path | None) -> Path:
    """Where the demo saves its pipeline.

    Args:
        output: folder of the exports.
        corpus: as in `demo_name`.

    Returns:
        path of the directory.
    """
    return output / f"{demo_name(corpus)}_pipeline"
