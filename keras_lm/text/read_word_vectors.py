"""Word vectors from a text file, in the form of word2vec or of GloVe."""

import math
import pathlib
from collections.abc import Sequence

import numpy as np


def read_word_vectors(
    path, words: Sequence[str], initial: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    r"""The vectors of these words, for an embedding; says how many the file knows.

    Each line holds a word and its numbers, with spaces between. A first line of two
    numbers (word2vec's) is passed over. The next tells how many numbers there are;
    further words may hold spaces, as GloVe's ". . ." does, but not end in a space and a
    number. A word that the file does not know as it is written is looked up in lower
    case; `SentencePiece`'s sign for a space before it is left out.

    Args:
        path: str or path, UTF-8. A word of other bytes is like no other.
        words: str for each token id.
        initial: float `(len(words), D)` or `None`. Rows for the words that the file
            does not know: for example, the embedding's own. `None` draws them, as far
            apart as the file's.
        seed: int. Of what is drawn.

    Returns:
        float32 `(len(words), D)`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file knows none of the words, a vector has another width than
            the first or holds what is no number (of other words only the first number
            is looked at), or `initial` has another shape.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "vectors.txt")
        >>> _ = path.write_text("2 3\nto 1 2 3\nbe 4 5 6\n")
        >>> keras_lm.text.read_word_vectors(path, ["To", "be", "?"]).shape
        2 of 3 words (66.7 %) have a vector of width 3.
        (3, 3)

    Source: https://code.google.com/archive/p/word2vec;
    https://nlp.stanford.edu/projects/glove.
    """
    words = [word.removeprefix("\u2581") for word in words]
    places: dict[str, list[int]] = {}
    for token_id, word in enumerate(words):
        for spelling in {word, word.lower()}:
            places.setdefault(spelling, []).append(token_id)
    found: dict[int, np.ndarray] = {}
    for spelling, vector in _vectors(path, places):
        for token_id in places.get(spelling, ()):
            if token_id not in found or words[token_id] == spelling:
                found[token_id] = vector
    if not found:
        raise ValueError(
            "The file must hold a vector for at least one of the words. "
            f"Received: none for {len(words)} words in {path}"
        )
    known = np.stack(list(found.values()))
    print(
        f"{len(found)} of {len(words)} words ({100 * len(found) / len(words):.1f} %) "
        f"have a vector of width {known.shape[1]}."
    )
    vectors = _others(known, len(words), seed) if initial is None else initial
    vectors = np.array(vectors, "float32")
    shape = (len(words), known.shape[1])
    if vectors.shape != shape:
        raise ValueError(
            f"`initial` must be of shape {shape}. Received: shape {vectors.shape}"
        )
    vectors[list(found)] = known
    return vectors


def _vectors(path, wanted):
    """`(word, vector)` of each line of a word that is wanted."""
    width = None
    with pathlib.Path(path).open(
        encoding="utf-8", errors="surrogateescape", newline="\n"
    ) as lines:
        for number, line in enumerate(lines, start=1):
            line = line.rstrip()
            num_spaces = line.count(" ")
            if number == 1 and num_spaces == 1:
                continue
            width = max(1, num_spaces) if width is None else width
            word, *numbers = line.rsplit(" ", width)
            told = f"Each line must hold a word and {width} numbers. Received:"
            last = word.rpartition(" ")[2]  # of a word with spaces: is it a number?
            if len(numbers) < width or (last != word and _is_number(last)):
                raise ValueError(f"{told} {num_spaces} in line {number} of {path}")
            if word not in wanted and _is_number(numbers[0]):
                continue
            try:
                vector = np.array(numbers, "float32")
            except ValueError as error:
                raise ValueError(
                    f"{told} {error}, in line {number} of {path}"
                ) from error
            yield word, vector


def _is_number(text):
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _others(known, number, seed):
    """Drawn, with the mean and the spread of those known."""
    drawn = np.random.default_rng(seed).normal(size=(number, known.shape[1]))
    return known.mean(axis=0) + known.std() * drawn
