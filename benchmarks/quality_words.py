"""Trains a word model on Penn Treebank, beside `torch.nn.LSTM` with the same settings.

    KERAS_BACKEND=torch python -m benchmarks.quality_words keras_lm --data DIR
        [--minutes N | --total-steps N] [--seed N] [--steps N]
    KERAS_BACKEND=torch python -m benchmarks.quality_words torch --data DIR
        --total-steps N ..

10,000 words, the split of the data set; a line ends in `<eos>`. Two LSTMs of 320, whose
word vectors serve the logits too (4.8 million parameters, a fourth of the "medium" LSTM
that has 82.7 in the literature after 39 epochs), dropout 0.2 before each layer and
before the logits. Rows of 20 go on through the text in segments of 35 steps (truncated
backpropagation). Gradient descent as in the literature, 20 falling to a tenth by a
cosine, gradients of norm 0.25. (By Adam, 2e-3, outputs are near -1 or 1 within 60
steps, whatever comes, and stay there for hundreds.)

The budget is `--minutes` of training, 60 by default. A model that is thrown away takes
20 steps, and 20 more by the clock; as many steps as then fit the budget are trained,
with the cosine ending at the last of them, be it within an epoch. So the time is kept
as well as those 20 steps foretold it, and a run can be repeated: `--total-steps` says
how many, in place of the budget. The peer needs it: it starts from the same weights and
takes as many steps as ours took.

Perplexity is that of all words of the test part, `<eos>` before the first, in one row
with the state carried on, by the last weights. What was found is kept in
`.cache/quality/`; `--steps N` trains so many, measures a part of the words and keeps
nothing.
"""

import argparse
import time
import zipfile
from pathlib import Path

import numpy as np

from benchmarks import quality_runs as runs

WIDTH, NUM_LAYERS, DROPOUT = 320, 2, 0.2
BATCH_SIZE, LENGTH = 20, 35
LEARNING_RATE, FINAL_FRACTION, CLIP = 20.0, 0.1, 0.25
NUM_TIMED = 20  # steps that say how many fit the budget


def main():
    """Reads the command line, trains and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_words")
    parser.add_argument("model", choices=["keras_lm", "torch"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--total-steps", type=int, help="in place of the budget")
    parser.add_argument("--steps", type=int, help="to try it out; keeps nothing")
    parser.add_argument("--seed", type=int, default=0)
    given = runs.parse(parser)
    parts = read(given.data)
    if parts is None:
        print(f"not run: {given.data} has no ptb/ptb.zip")
        return
    total = given.steps or given.total_steps
    if given.model == "torch" and total is None:
        parser.error("the peer needs --total-steps, those that keras_lm took")
    if given.steps is not None:
        parts |= {part: parts[part][: 50 * LENGTH] for part in ("valid", "test")}
    began = time.perf_counter()
    train = fit_ours if given.model == "keras_lm" else fit_torch
    found = train(parts, total or steps_within(given.minutes, parts), given.seed)
    found |= {"seed": given.seed, "seconds": round(time.perf_counter() - began)}
    found["peak_memory_mb"] = runs.peak_memory_mb()
    print(runs.as_text(found))
    if given.steps is None:
        runs.keep(f"ptb_{given.model}_{found['backend']}_seed{given.seed}", found)


def read(data):
    """int32 ids of the parts by name, or `None` where the data are absent."""
    path = data / "ptb" / "ptb.zip"
    if not path.exists():
        return None
    words = {}
    with zipfile.ZipFile(path) as archive:
        for part in ("train", "valid", "test"):
            text = archive.read(f"ptb/{part}.txt").decode("utf-8")
            words[part] = text.replace("\n", " <eos> ").split()
    known = {word: place for place, word in enumerate(sorted(set(words["train"])))}
    return {
        part: np.array([known[word] for word in some], "int32")
        for part, some in words.items()
    }


def segments(ids, num_rows):
    """`text.consecutive_segments` of all words: the first follows an end of line.

    Args:
        ids: int32 `(N,)`, whose last is an end of line.
        num_rows: int.

    Returns:
        `(inputs, targets, weights)`: two int32 and a float32 `(segments * num_rows,
        LENGTH)`.
    """
    from keras_lm import text

    whole = np.concatenate([ids[-1:], ids])
    return text.consecutive_segments(whole, num_rows, LENGTH)


def passes(num_steps, an_epoch):
    """The steps of each epoch; the last may be cut off."""
    return [min(an_epoch, num_steps - n) for n in range(0, num_steps, an_epoch)]


def steps_within(minutes, parts):
    """How many steps a model that is thrown away could take."""
    import tensorflow as tf

    arrays = segments(parts["train"], BATCH_SIZE)
    batches = tf.data.Dataset.from_tensor_slices(arrays).batch(BATCH_SIZE)
    carried = compiled(make_model(int(parts["train"].max()) + 1, 0), NUM_TIMED)
    a_step = runs.time_of(carried, batches, NUM_TIMED, 1)["a_step"]["seconds"]
    print(f"a step takes {a_step:.3f} s", flush=True)
    return max(int(60 * minutes / a_step), 1)


def make_model(vocabulary_size, seed):
    """The word model."""
    import keras

    from keras_lm import models

    keras.utils.set_random_seed(seed)
    return models.LSTMLanguageModel(
        vocabulary_size, WIDTH, WIDTH, NUM_LAYERS, DROPOUT, tie_embeddings=True
    )


def compiled(model, num_steps):
    """The model on consecutive segments, with its optimizer."""
    import keras

    from keras_lm import training

    carried = training.ConsecutiveSegments(model, BATCH_SIZE)
    schedule = training.WarmupCosine(LEARNING_RATE, 0, num_steps, FINAL_FRACTION)
    carried.compile(
        keras.optimizers.SGD(schedule, global_clipnorm=CLIP),
        loss=training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    return carried


def fit_ours(parts, num_steps, seed):
    """Trains with `model.fit`; test perplexity with one row."""
    import keras

    from keras_lm import training

    arrays = segments(parts["train"], BATCH_SIZE)
    model = make_model(int(parts["train"].max()) + 1, seed)
    carried = compiled(model, num_steps)
    an_epoch = len(arrays[0]) // BATCH_SIZE
    valid, began = [], time.perf_counter()
    for count in passes(num_steps, an_epoch):
        inputs, targets, weights = (array[: count * BATCH_SIZE] for array in arrays)
        history = carried.fit(
            inputs,
            targets,
            BATCH_SIZE,
            sample_weight=weights,
            shuffle=False,
            verbose=2,
            validation_data=segments(parts["valid"], BATCH_SIZE),
            validation_batch_size=BATCH_SIZE,
        ).history
        valid += history["val_perplexity"]
    seconds = time.perf_counter() - began
    whole = training.ConsecutiveSegments(model, 1)
    whole.compile(
        loss=training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    inputs, targets, weights = segments(parts["test"], 1)
    measured = whole.evaluate(
        inputs,
        targets,
        1,
        sample_weight=weights,
        verbose=0,
        return_dict=True,
    )
    return {
        "backend": keras.backend.backend(),
        "parameters": model.count_params(),
        "steps": num_steps,
        "epochs": round(num_steps / an_epoch, 2),
        "training_seconds": round(seconds),
        "valid_perplexity": valid,
        "test_perplexity": measured["perplexity"],
    }


def fit_torch(parts, num_steps, seed):
    """The same by PyTorch alone, from the same weights."""
    import torch

    from keras_lm.training import WarmupCosine

    model = make_peer(make_model(int(parts["train"].max()) + 1, seed))
    arrays = [torch.tensor(x) for x in segments(parts["train"], BATCH_SIZE)]
    an_epoch = len(arrays[0]) // BATCH_SIZE
    schedule = WarmupCosine(LEARNING_RATE, 0, num_steps, FINAL_FRACTION)
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    valid, began, done = [], time.perf_counter(), 0
    for count in passes(num_steps, an_epoch):
        state = None
        model.train()
        for step in range(count):
            rows = slice(step * BATCH_SIZE, (step + 1) * BATCH_SIZE)
            optimizer.param_groups[0]["lr"] = float(schedule(done))
            optimizer.zero_grad()
            loss, state = model(*(array[rows] for array in arrays), state)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
            done += 1
        valid.append(peer_perplexity(model, segments(parts["valid"], BATCH_SIZE)))
        print(f"after {done} steps: {valid[-1]:.2f}", flush=True)
    seconds = time.perf_counter() - began
    return {
        "backend": "torch",
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "steps": num_steps,
        "epochs": round(num_steps / an_epoch, 2),
        "training_seconds": round(seconds),
        "valid_perplexity": valid,
        "test_perplexity": peer_perplexity(model, segments(parts["test"], 1), 1),
    }


def make_peer(ours):
    """A module of `torch.nn.LSTM`s with the weights of our model."""
    import torch

    class Peer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            embedding, *others = (torch.tensor(weight) for weight in ours.get_weights())
            self.embedding = torch.nn.Parameter(embedding)
            self.lstms = torch.nn.ModuleList()
            self.dropout = torch.nn.Dropout(DROPOUT)
            for kernel, recurrent, bias in zip(*[iter(others)] * 3, strict=True):
                lstm = torch.nn.LSTM(WIDTH, WIDTH, batch_first=True)
                lstm.weight_ih_l0.data = kernel.T.contiguous()
                lstm.weight_hh_l0.data = recurrent.T.contiguous()
                lstm.bias_ih_l0.data = bias
                lstm.bias_hh_l0.data.zero_()
                lstm.bias_hh_l0.requires_grad = False
                self.lstms.append(lstm)

        def forward(self, inputs, targets, weights, states):
            states = states or [None] * len(self.lstms)
            hidden = torch.nn.functional.embedding(inputs, self.embedding)
            after = []
            for lstm, state in zip(self.lstms, states):
                hidden, state = lstm(self.dropout(hidden), state)
                after.append(tuple(array.detach() for array in state))
            logits = self.dropout(hidden) @ self.embedding.T
            losses = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), targets.flatten().long(), reduction="none"
            )
            weights = weights.flatten()
            return (losses * weights).sum() / weights.sum(), after

    return Peer()


def peer_perplexity(model, arrays, num_rows=BATCH_SIZE):
    """Of the rows, segment after segment."""
    import torch

    model.eval()
    state, losses, counts = None, [], []
    with torch.no_grad():
        for start in range(0, len(arrays[0]), num_rows):
            some = [array[start : start + num_rows] for array in arrays]
            loss, state = model(*map(torch.tensor, some), state)
            losses.append(float(loss))
            counts.append(some[-1].sum())
    return float(np.exp(np.average(losses, weights=counts)))


if __name__ == "__main__":
    main()
