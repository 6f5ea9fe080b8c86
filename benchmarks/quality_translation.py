"""Trains a translator on a data set's own split; prints BLEU and chrF of its test part.

    KERAS_BACKEND=tensorflow python -m benchmarks.quality_translation TASK MODEL
        --data DIR [--epochs N] [--seed N] [--steps N]

`TASK` is `de-en`, `en-de` or `en-fr` (Multi30k: 29,000 pairs of captions, 1,014 to
choose the epoch by, test_2016_flickr with 1,000; lower-cased) or `zh-en` (Tatoeba:
29,155 pairs as they are; 1,000 English sentences, drawn with seed 0, are the test and
1,000 the validation, with all their Chinese sides, and no training pair has one of
these Chinese sentences). `MODEL` is `transformer` or `lstm`.

It is `keras-lm translate train` with a test part: one vocabulary for both languages,
learned from the training pairs; the epoch of the best greedy BLEU on the validation
pairs, or the mean of the last five where that is better; then the test part, once, by
beam search of 4. The sizes in `SETTINGS` were chosen for 90 minutes on two cores. A run
that was stopped goes on where it was. What was found is kept in `.cache/quality/`;
`--steps N` trains so many steps twice, says how long all would take and keeps nothing.
"""

import argparse
import dataclasses
import gzip
import random
import time
from pathlib import Path

from benchmarks import quality_runs as runs
from keras_lm.cli.translator_settings import TranslatorSettings

TASKS = ("de-en", "en-de", "en-fr", "zh-en")
SHARED = {"vocabulary_size": 6000, "max_length": 64, "num_heads": 4}
SETTINGS = {
    "transformer": TranslatorSettings(hidden_dim=256, dropout=0.1, epochs=7, **SHARED),
    "lstm": TranslatorSettings(
        "lstm", num_layers=1, hidden_dim=256, epochs=12, **SHARED
    ),
}


def main():
    """Reads the command line, trains, measures and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_translation")
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("model", choices=SETTINGS)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, help="those of SETTINGS by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="to try it out; keeps nothing")
    given = runs.parse(parser)
    parts = read(given.task, given.data)
    if parts is None:
        print(f"not run: {given.data} has no pairs for {given.task}")
        return
    settings = SETTINGS[given.model]
    settings = dataclasses.replace(
        settings, epochs=given.epochs or settings.epochs, seed=given.seed
    )
    name = f"{given.task}_{given.model}_seed{given.seed}"
    found = run(name, parts, settings, given.steps)
    print(runs.as_text(found))
    if given.steps is None:
        runs.keep(name, found)


def run(name, parts, settings, steps=None):
    """Trains, and translates the test part.

    Args:
        name: str, of the run: its checkpoints have it.
        parts: dictionary of lists of pairs: "train", "validation", "test".
        settings: `TranslatorSettings`.
        steps: int or `None`, see `train`; then three sentences are translated.

    Returns:
        dictionary of what was found, for JSON.
    """
    from keras_lm import text, training

    sides = [side for pair in parts["train"] for side in pair]
    tokenizer = text.train_tokenizer(sides, settings.vocabulary_size)
    translator, found = train(name, parts, settings, tokenizer, steps=steps)
    test = parts["test"] if steps is None else parts["test"][:3]
    sources, references = (list(side) for side in zip(*test, strict=True))
    began = time.perf_counter()
    answers = translator(sources, beam_size=4)
    metrics = training.compare_texts(answers, references)
    return {
        **found,
        "test_seconds": round(time.perf_counter() - began),
        "peak_memory_mb": runs.peak_memory_mb(),
        "samples": list(zip(sources, answers, references, strict=True))[:3],
        **{
            metric: [round(one.value, 2), one.signature]
            for metric, one in metrics.items()
        },
    }


def train(name, parts, settings, tokenizer, num_scored=None, steps=None, **options):
    """Trains as `keras-lm translate train` does, from the last checkpoint on.

    Args:
        name: str, of the run.
        parts: dictionary of lists of pairs: "train", "validation".
        settings: `TranslatorSettings`.
        tokenizer: `text.SentencePieceTokenizer`, of both sides.
        num_scored: int or `None`: BLEU is that of so many validation pairs only.
        steps: int or `None`: only tries so many steps, twice, and says what they take.
        **options: of `pipelines.TextToText`.

    Returns:
        `(translator, found)`: the pipeline, and a dictionary for JSON.
    """
    import keras

    from keras_lm import pipelines, training
    from keras_lm.cli import train_translator as trainer

    backend = keras.backend.backend()
    keras.utils.set_random_seed(settings.seed)
    scored = trainer.batches(parts["validation"], tokenizer, settings, num_buckets=3)
    one_pass = trainer.batches(parts["train"], tokenizer, settings, "Training: ")
    num_steps = int(one_pass.cardinality())
    model = trainer.build_model(settings, tokenizer, num_steps)
    translator = pipelines.TextToText(model, tokenizer, tokenizer, **options)
    found = {"backend": backend, "parameters": model.count_params()}
    trainer.tell(f"{model.count_params():,} parameters, {num_steps} steps an epoch")
    if steps is not None:
        all_steps = num_steps * settings.epochs
        return translator, found | runs.time_of(model, one_pass, steps, all_steps)
    checkpoint = training.ResumableCheckpoint(
        runs.KEPT / f"{name}_{backend}", settings.of_the_run(), notify=trainer.tell
    )
    clocks = {"": time.perf_counter, "processor_": time.process_time}
    began = {name: clock() for name, clock in clocks.items()}
    found["kept"] = trainer.fit(
        translator,
        parts["train"],
        parts["validation"][:num_scored],
        scored,
        num_steps,
        settings,
        checkpoint,
    )
    found["validation_bleu"] = checkpoint.history["val_bleu"]
    found |= {
        f"training_{name}seconds_since_the_last_start": round(clock() - began[name])
        for name, clock in clocks.items()
    }
    return translator, found


def read(task, data):
    """Pairs of a task by part, or `None` where the data are absent."""
    source, target = task.split("-")
    if source == "zh":
        path = data / "tatoeba-cmn-eng" / "cmn.txt.gz"
        return split_by_english(path) if path.exists() else None
    folder = data / "multi30k"
    if not folder.exists():
        return None
    files = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
    return {
        part: list(
            zip(
                lines(folder / f"{name}.{source}.gz"),
                lines(folder / f"{name}.{target}.gz"),
                strict=True,
            )
        )
        for part, name in files.items()
    }


def lines(path):
    """Lines of a packed file, lower-cased."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        return [line.rstrip("\r\n").lower() for line in file]


def split_by_english(path):
    """Chinese and English sentences: no test sentence is trained on, on either side."""
    with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
        pairs = [tuple(line.split("\t")[1::-1]) for line in file]
    known = sorted({english for _, english in pairs})
    drawn = random.Random(0).sample(known, 2000)  # noqa: S311
    parts = {"test": set(drawn[:1000]), "validation": set(drawn[1000:])}
    split = {
        part: [pair for pair in pairs if pair[1] in sentences]
        for part, sentences in parts.items()
    }
    apart = {chinese for part in split.values() for chinese, _ in part}
    split["train"] = [
        pair for pair in pairs if pair[1] not in drawn and pair[0] not in apart
    ]
    return split


if __name__ == "__main__":
    main()
