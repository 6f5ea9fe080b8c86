"""Texts beside what sums them up: abstracts of papers, descriptions of functions."""

import gzip
import json
import random
import re
from typing import NamedTuple

from benchmarks.functions_corpus import PACKAGES as SCIENTIFIC
from benchmarks.functions_corpus import functions_corpus

PACKAGES = (*SCIENTIFIC, "matplotlib", "tensorflow", "torch", "jax")
LONGEST, LEAST_WORDS = 16, 12  # words of a summary; of a description


class Text(NamedTuple):
    """What is to be summed up, and how people did.

    Args:
        sentences: list of str.
        references: list of str.
    """

    sentences: list
    references: list

    @property
    def source(self):
        """All its sentences."""
        return " ".join(self.sentences)


def read_papers(data):
    """Lists of `Text` by part, or `None` where the data are absent."""
    folder = data and data / "scitldr-a"
    if not folder or not folder.exists():
        return None
    parts = {}
    for part, name in (("train",) * 2, ("validation", "dev"), ("test",) * 2):
        with gzip.open(folder / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            papers = [json.loads(line) for line in file]
        parts[part] = [
            Text(
                *([one.strip() for one in paper[side]] for side in ("source", "target"))
            )
            for paper in papers
        ]
    return parts


def read_docstrings():
    """Lists of `Text` by part: whole files apart, and no text of one in the other."""
    pairs = {}
    for function in functions_corpus(PACKAGES):
        summary, description = function.summary, function.description
        fits = len(summary.split()) <= LONGEST and summary[-1] != ")"  # no signature
        if fits and len(description.split()) >= LEAST_WORDS:
            pairs.setdefault(function.module, {})[description, summary] = None
    files = random.Random(0).sample(sorted(pairs), len(pairs))  # noqa: S311
    share = len(files) // 12
    ends = {
        "test": (0, share),
        "validation": (share, 2 * share),
        "train": (2 * share, None),
    }
    parts, met = {}, set()
    for part, (start, end) in ends.items():
        some = dict.fromkeys(pair for file in files[start:end] for pair in pairs[file])
        some = [pair for pair in some if not met & {side.lower() for side in pair}]
        met |= {side.lower() for pair in some for side in pair}
        parts[part] = [
            Text(re.split(r"(?<=[.!?])\s+", description), [summary])
            for description, summary in some
        ]
    return parts
