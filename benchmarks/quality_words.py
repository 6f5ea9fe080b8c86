"""Trains a word model on Penn Treebank, beside `torch.nn.LSTM` with the same settings.

    KERAS_BACKEND=torch python -m benchmarks.quality_words keras_lm --data DIR
        [--epochs N] [--seed N] [--steps N]
    KERAS_BACKEND=torch python -m benchmarks.quality_words torch --data DIR ..

10,000 words, the split of the data set; a line ends in `<eos>`. Two LSTMs of 320, whose
word vectors serve the logits too (4.8 million parameters, a fourth of the "medium" LSTM
that has 82.7 in the literature after 39 epochs), dropout 0.4 before each layer and
before the logits. Rows of 20 go on through the text in segments of 35 steps (truncated
backpropagation). Adam, 2e-3 falling to a tenth by a cosine, gradients of norm 1. The
peer starts from the same weights. Perplexity is that of all words of the test part, in
one row with the state carried on, by the weights of the last epoch.
"""

import argparse
import time
import zipfile
from pathlib import Path

import numpy as np

from benchmarks import quality_runs as runs

WIDTH, NUM_LAYERS, DROPOUT = 320, 2, 0.4
BATCH_SIZE, LENGTH = 20, 35
LEARNING_RATE, FINAL_FRACTION, CLIP = 2e-3, 0.1, 1.0
# So small that it does not matter that Keras adds it before, PyTorch after the bias is
# corrected: gradients of rare words are near their usual 1e-7.
EPSILON = 1e-10


def main():
    """Reads the command line, trains and prints."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_words")
    parser.add_argument("model", choices=["keras_lm", "torch"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--steps", type=int, help="of an epoch; keeps nothing")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    parts = read(given.data)
    if parts is None:
        print(f"not run: {given.data} has no ptb/ptb.zip")
        return
    began = time.perf_counter()
    train = fit_ours if given.model == "keras_lm" else fit_torch
    found = train(parts, given.epochs, given.steps, given.seed)
    found |= {"epochs": given.epochs, "seed": given.seed}
    found["seconds"] = round(time.perf_counter() - began)
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


def segments(ids, num_rows, steps=None):
    """`(inputs, targets)`, `num_rows` rows of a segment, then those that continue them.

    Args:
        ids: int32 `(N,)`.
        num_rows: int.
        steps: int or `None`. At most so many segments.

    Returns:
        two int32 `(segments * num_rows, LENGTH)`; what does not fill one is left out.
    """
    count = (len(ids) - 1) // (num_rows * LENGTH)
    kept = count if steps is None else min(steps, count)
    rows = np.arange(num_rows) * count * LENGTH
    starts = (rows + LENGTH * np.arange(kept)[:, None]).reshape(-1)
    places = starts[:, None] + np.arange(LENGTH + 1)
    return ids[places[:, :-1]], ids[places[:, 1:]]


def make_model(vocabulary_size, seed):
    """The word model."""
    import keras

    from keras_lm import models

    keras.utils.set_random_seed(seed)
    return models.LSTMLanguageModel(
        vocabulary_size, WIDTH, WIDTH, NUM_LAYERS, DROPOUT, tie_embeddings=True
    )


def fit_ours(parts, epochs, steps, seed):
    """Trains with `model.fit`; test perplexity with one row."""
    import keras

    from keras_lm import training

    inputs, targets = segments(parts["train"], BATCH_SIZE, steps)
    model = make_model(int(parts["train"].max()) + 1, seed)
    carried = training.ConsecutiveSegments(model, BATCH_SIZE)
    schedule = training.WarmupCosine(
        LEARNING_RATE, 0, epochs * len(inputs) // BATCH_SIZE, FINAL_FRACTION
    )
    carried.compile(
        keras.optimizers.Adam(schedule, epsilon=EPSILON, global_clipnorm=CLIP),
        loss=training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    history = carried.fit(
        inputs,
        targets,
        BATCH_SIZE,
        epochs,
        shuffle=False,
        verbose=2,
        validation_data=segments(parts["valid"], BATCH_SIZE),
        validation_batch_size=BATCH_SIZE,
    ).history
    whole = training.ConsecutiveSegments(model, 1)
    whole.compile(
        loss=training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    inputs, targets = segments(parts["test"], 1)
    measured = whole.evaluate(
        inputs,
        targets,
        1,
        verbose=0,
        return_dict=True,
    )
    return {
        "backend": keras.backend.backend(),
        "parameters": model.count_params(),
        "valid_perplexity": history["val_perplexity"],
        "test_perplexity": measured["perplexity"],
    }


def fit_torch(parts, epochs, steps, seed):
    """The same by PyTorch alone, from the same weights."""
    import torch

    from keras_lm.training import WarmupCosine

    ours = make_model(int(parts["train"].max()) + 1, seed)
    model = make_peer(ours)
    inputs, targets = (torch.tensor(x) for x in segments(parts["train"], BATCH_SIZE))
    count = len(inputs) // BATCH_SIZE if steps is None else steps
    schedule = WarmupCosine(LEARNING_RATE, 0, epochs * count, FINAL_FRACTION)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON)
    valid = []
    for epoch in range(epochs):
        state = None
        model.train()
        for step in range(count):
            rows = slice(step * BATCH_SIZE, (step + 1) * BATCH_SIZE)
            rate = float(schedule(epoch * count + step))
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            loss, state = model(inputs[rows], targets[rows], state)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
            optimizer.step()
        valid.append(peer_perplexity(model, *segments(parts["valid"], BATCH_SIZE)))
        print(f"epoch {epoch + 1}: {valid[-1]:.2f}", flush=True)
    return {
        "backend": "torch",
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "valid_perplexity": valid,
        "test_perplexity": peer_perplexity(model, *segments(parts["test"], 1), 1),
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

        def forward(self, inputs, targets, states):
            states = states or [None] * len(self.lstms)
            hidden = torch.nn.functional.embedding(inputs, self.embedding)
            after = []
            for lstm, state in zip(self.lstms, states):
                hidden, state = lstm(self.dropout(hidden), state)
                after.append(tuple(array.detach() for array in state))
            logits = self.dropout(hidden) @ self.embedding.T
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), targets.flatten().long()
            )
            return loss, after

    return Peer()


def peer_perplexity(model, inputs, targets, num_rows=BATCH_SIZE):
    """Of the rows, segment after segment."""
    import torch

    model.eval()
    state, losses = None, []
    with torch.no_grad():
        for start in range(0, len(inputs), num_rows):
            rows = slice(start, start + num_rows)
            one = torch.tensor(inputs[rows]), torch.tensor(targets[rows])
            loss, state = model(*one, state)
            losses.append(float(loss))
    return float(np.exp(np.mean(losses)))


if __name__ == "__main__":
    main()
