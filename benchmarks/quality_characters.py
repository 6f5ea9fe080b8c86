"""Trains character models of one size; prints their loss on the held-out part.

    KERAS_BACKEND=jax python -m benchmarks.quality_characters TASK --data DIR [--seed N]

`shakespeare`: tinyshakespeare, the first 90 % train, the rest is held out. nanoGPT's
own budget on a processor: 2,000 steps of 12 x 64 characters; its model of 4 layers of
128 (4 heads, no dropout) reaches 1.88 nats a character, says its README.
`poetry`: the first 10,000 Tang poems of chinese-poetry, of which every twentieth is
held out; 2,000 steps of 32 x 64. Characters that the training poems have once or never
are one unknown character, which counts as any other.

A `TransformerDecoder` of nanoGPT's sizes, and an `LSTMLanguageModel` of two layers with
about as many parameters, both with AdamW as nanoGPT has it (1e-3, falling to 1e-4 by a
cosine after 100 steps, decay 0.1, gradients of norm 1) on the same random windows.
Beside them the unigram and the bigram model. The loss is that of all characters of the
held-out part in windows of 64, each of which begins without a context.
"""

import argparse
import collections
import gzip
import json
import time
from pathlib import Path

import numpy as np

from benchmarks import quality_runs as runs

LENGTH, STEPS = 64, 2000
BATCH_SIZES = {"shakespeare": 12, "poetry": 32}
UNKNOWN = "\ufffd"


def main():
    """Reads the command line, trains and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_characters")
    parser.add_argument("task", choices=BATCH_SIZES)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    given = runs.parse(parser)
    parts = read(given.task, given.data)
    if parts is None:
        print(f"not run: {given.data} has no text for {given.task}")
        return
    found = run(*parts, BATCH_SIZES[given.task], given.seed)
    runs.keep(f"{given.task}_{found['backend']}_seed{given.seed}", found)
    print(runs.as_text(found))


def run(train, held_out, batch_size, seed):
    """Counts, trains and measures.

    Args:
        train: str.
        held_out: str.
        batch_size: int, windows a step.
        seed: int.

    Returns:
        dictionary for JSON: nats a character, parameters, seconds.
    """
    import keras

    from keras_lm import training

    counts = collections.Counter(train)
    characters = [UNKNOWN, *sorted(c for c in counts if counts[c] > 1)]
    train_ids, held_out_ids = (ids_of(text, characters) for text in (train, held_out))
    found = {
        "backend": keras.backend.backend(),
        "seed": seed,
        "characters": {"train": len(train_ids), "held_out": len(held_out_ids)},
        "vocabulary": len(characters),
        "unknown": float(np.mean(held_out_ids == 0)),
        "nats": {},
    }
    counted, tuning = np.split(train_ids, [int(0.95 * len(train_ids))])
    for order, name in ((1, "unigram"), (2, "bigram")):
        n_gram = training.NGramModel(order, len(characters))
        n_gram.fit(counted, tuning)
        found["nats"][name] = float(np.log(n_gram.perplexity(held_out_ids)))
    for name, make in MODELS.items():
        keras.utils.set_random_seed(seed)
        model = make(len(characters))
        began = time.perf_counter()
        fit(model, train_ids, batch_size, seed)
        starts = np.arange(0, len(held_out_ids) - LENGTH, LENGTH)
        inputs, targets = windows(held_out_ids, starts)
        loss = model.evaluate(inputs, targets, batch_size=64, verbose=0)
        found["nats"][name] = loss
        found[name] = {
            "parameters": model.count_params(),
            "seconds": round(time.perf_counter() - began),
        }
        print(f"{name}: {loss:.4f} nats, {found[name]}", flush=True)
    return found


def make_decoder(vocabulary_size):
    """Sizes of nanoGPT, with rotary positions."""
    from keras_lm import models

    return models.TransformerDecoder(vocabulary_size, 4, 4, 128, 512, LENGTH)


def make_lstm(vocabulary_size):
    """Two layers, of 320 and 128; logits share the embeddings."""
    from keras_lm import models

    return models.LSTMLanguageModel(
        vocabulary_size, 128, 320, num_layers=2, tie_embeddings=True
    )


MODELS = {"TransformerDecoder": make_decoder, "LSTMLanguageModel": make_lstm}


def fit(model, train_ids, batch_size, seed):
    """Trains on random windows."""
    import keras

    from keras_lm import training

    schedule = training.WarmupCosine(1e-3, 100, STEPS)
    model.compile(
        keras.optimizers.AdamW(
            schedule, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0
        ),
        loss=training.MaskedCrossEntropy(),
    )
    draw = np.random.default_rng(seed)
    starts = draw.integers(0, len(train_ids) - LENGTH, STEPS * batch_size)
    inputs, targets = windows(train_ids, starts)
    model.fit(inputs, targets, batch_size=batch_size, shuffle=False, verbose=0)


def windows(ids, starts):
    """`(inputs, targets)`, the next character of each."""
    places = starts[:, None] + np.arange(LENGTH + 1)
    return ids[places[:, :-1]], ids[places[:, 1:]]


def ids_of(text, characters):
    """int32 ids, 0 for what is unknown."""
    known = {character: number for number, character in enumerate(characters)}
    return np.array([known.get(character, 0) for character in text], "int32")


def read(task, data):
    """`(train, held_out)`, or `None` where the data are absent."""
    if task == "shakespeare":
        path = data / "tinyshakespeare" / "input.txt"
        if not path.exists():
            return None
        text = path.read_text("utf-8")
        return text[: int(0.9 * len(text))], text[int(0.9 * len(text)) :]
    path = data / "chinese-poetry" / "tang_first_10000.jsonl.gz"
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8") as file:
        poems = ["\n".join(json.loads(line)["p"]) + "\n\n" for line in file]
    train = [poem for place, poem in enumerate(poems) if place % 20]
    return "".join(train), "".join(poems[::20])


if __name__ == "__main__":
    main()
