"""The data pipeline beside the training step that it feeds.

Batches are drawn from `language_model_dataset` while the model of `training` learns.
"batches alone" is what the pipeline by itself needs for the batches of one training
call: the share of many more than its buffer, which fills while the model trains, holds.
"""

import time

from benchmarks.speed.decoding import made_tokenizer
from benchmarks.speed.goal import Goal
from benchmarks.speed.training import BATCH, LENGTH, decoder
from keras_lm.training import MaskedCrossEntropy

STEPS, DRAWN, THREADS = 1, 200, [1]
GOALS = [
    Goal(
        "waiting for data, share of a training step",
        lambda seconds: seconds["batches alone"] / seconds["training on them"],
        at_most=0.05,
    )
]


def rivals():
    """A training call, and the same batches without the training."""
    import keras

    from keras_lm import text

    tokenizer = made_tokenizer()
    texts = [document.text for document in text.docstring_corpus(["numpy"])]
    batches = text.language_model_dataset(texts, tokenizer, LENGTH, BATCH, repeat=True)
    endless = iter(batches)
    model = decoder(0.0)
    model.compile(keras.optimizers.AdamW(3e-4), MaskedCrossEntropy())

    def train():
        model.fit(batches, steps_per_epoch=STEPS, shuffle=False, verbose=0)

    def draw():
        began = time.perf_counter()
        for _ in range(DRAWN):
            next(endless)
        return (time.perf_counter() - began) / DRAWN * STEPS

    return {"batches alone": draw, "training on them": train}


def tokens(rival):
    """What a call learns from; the batches alone teach nothing."""
    return STEPS * BATCH * LENGTH if rival == "training on them" else None
