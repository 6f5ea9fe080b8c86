"""Trains a model that sums texts up; prints ROUGE of its test part beside baselines.

    KERAS_BACKEND=tensorflow python -m benchmarks.quality_summaries TASK MODEL
        [--data DIR] [--epochs N] [--seed N] [--steps N]

`TASK` is `scitldr` (SciTLDR-A, which needs `DIR`: the abstract of a paper -> one
sentence; 1,992 papers to train on, 619 to choose the epoch by, 618 to test with, each
with two to four references) or `docstrings` (of functions of installed packages, see
`summaries_corpus`: the description -> its summary line; whole files, drawn with seed 0,
are the test, a twelfth, and the validation, another, and no training pair has one of
their texts). `MODEL` is `transformer` or `lstm`.

It is trained from nothing, as `quality_translation` does it: the epoch of the best
greedy BLEU on 200 pairs of the validation part, or the mean of the last five where that
is better; then the test part, once, by beam search of 4. A source is cut after
`max_length` tokens. Of a core the transformer took 26 minutes for `scitldr`, and 14 for
8 of the 16 epochs of `docstrings`; the LSTM has not been timed.

ROUGE is rouge-score's F1, not stemmed. Of several references the one of the best
ROUGE-1 counts, as in the data set's own evaluation, so that figures can be compared:
each is one reader's choice, and a summary need not agree with all of them. Beside the
model stand the first sentence of the source, and that of its sentences which has the
best ROUGE-1: no choice of one sentence does better. They are printed first.

A run that was stopped goes on where it was. What was found is kept in
`.cache/quality/`. `--steps N` trains so many steps twice, says how long all would take,
sums 3 texts up and keeps nothing.
"""

import argparse
import dataclasses
import functools
import time
from pathlib import Path

from benchmarks import quality_runs as runs
from benchmarks import quality_translation as translation
from benchmarks.summaries_corpus import read_docstrings, read_papers
from keras_lm.cli.translator_settings import TranslatorSettings

NUM_SCORED, MAX_NEW_TOKENS = 200, 60
SIZES = {"num_layers": 2, "hidden_dim": 128, "num_heads": 4, "dropout": 0.2}
SIZES |= {"vocabulary_size": 4000, "learning_rate": 2e-3, "max_batch_tokens": 4096}
SETTINGS = {
    "scitldr": TranslatorSettings(max_length=256, warmup_steps=300, epochs=16, **SIZES),
    "docstrings": TranslatorSettings(
        max_length=128, warmup_steps=600, epochs=16, **SIZES
    ),
}
METRICS = ("rouge1", "rouge2", "rougeL")


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_summaries")
    parser.add_argument("task", choices=SETTINGS)
    parser.add_argument("model", choices=["transformer", "lstm"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--epochs", type=int, help="those of SETTINGS by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="to try it out; keeps nothing")
    given = runs.parse(parser)
    parts = read_papers(given.data) if given.task == "scitldr" else read_docstrings()
    if parts is None:
        print("not run: --data must name a folder that has scitldr-a")
        return
    settings = SETTINGS[given.task]
    settings = dataclasses.replace(
        settings,
        model=given.model,
        epochs=given.epochs or settings.epochs,
        seed=given.seed,
    )
    name = f"summaries_{given.task}_{given.model}_seed{given.seed}"
    found = run(name, parts, settings, given.steps)
    print(runs.as_text(found))
    if given.steps is None:
        runs.keep(name, found)


def run(name, parts, settings, steps):
    """Trains, and sums the test part up.

    Args:
        name: str, of the run: its checkpoints have it.
        parts: dictionary of lists of `Text`: "train", "validation", "test".
        settings: `TranslatorSettings`.
        steps: int or `None`: only tries so many.

    Returns:
        dictionary of what was found, for JSON.
    """
    from keras_lm import text

    test = parts["test"] if steps is None else parts["test"][:3]
    references = [one.references for one in test]
    answers = {
        "first sentence": [one.sentences[0] for one in test],
        "best sentence": [best_sentence(one) for one in test],
    }
    found = {"texts": {part: len(some) for part, some in parts.items()}}
    found["rouge"] = {name: rouge(said, references) for name, said in answers.items()}
    print(runs.as_text(found), flush=True)
    sides = [side for one in parts["train"] for side in (one.source, *one.references)]
    tokenizer = text.train_tokenizer(sides, settings.vocabulary_size)
    cut = functools.partial(cut_source, tokenizer, settings.max_length)
    pairs = {
        part: [(cut(one.source), one.references[0]) for one in some]
        for part, some in parts.items()
    }
    sources = [source for source, _ in pairs["test"][: len(test)]]
    found["cut"] = sum(one.source != source for one, source in zip(test, sources))
    summarizer, of_training = translation.train(
        name,
        pairs,
        settings,
        tokenizer,
        NUM_SCORED,
        steps,
        max_new_tokens=MAX_NEW_TOKENS,
        max_source_length=settings.max_length,
    )
    found |= of_training
    began = time.perf_counter()
    answers["model"] = summarizer(sources, beam_size=4)
    found["test_seconds"] = round(time.perf_counter() - began)
    found["rouge"]["model"] = rouge(answers["model"], references)
    return {
        **found,
        "samples": [list(row) for row in zip(*answers.values(), references)][:5],
        "peak_memory_mb": runs.peak_memory_mb(),
    }


def cut_source(tokenizer, max_length, source):
    """The source, or as many whole words of it as `max_length` tokens hold."""
    row = tokenizer.encode(source)
    if len(row) < max_length:
        return source
    return tokenizer.decode(row[: max_length - 1]).rpartition(" ")[0]


# ------------------------------------------------------------------------ ROUGE


def rouge(answers, references):
    """Mean ROUGE-1, 2 and L, and words of an answer; `references` of each answer."""
    scores = [scores_of(said, tuple(some)) for said, some in zip(answers, references)]
    found = {
        name: round(sum(one[name] for one in scores) / len(scores), 2)
        for name in METRICS
    }
    words = sum(len(said.split()) for said in answers) / len(answers)
    return {**found, "words": round(words, 1)}


@functools.cache
def scores_of(answer, references):
    """Of the reference with the best ROUGE-1."""
    from keras_lm import training

    return max(
        (
            {name: one.value for name, one in found.items()}
            for found in (
                training.compare_texts([answer], [reference], ["rouge"])
                for reference in references
            )
        ),
        key=lambda scores: scores["rouge1"],
    )


def best_sentence(one):
    """The sentence of a `Text` that has the best ROUGE-1."""
    references = tuple(one.references)
    return max(one.sentences, key=lambda said: scores_of(said, references)["rouge1"])


if __name__ == "__main__":
    main()
