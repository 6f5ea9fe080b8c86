"""Training an LSTM language model of 2 x 650: 35 steps, batches of 20, 10,000 words.

SGD with the gradient's norm at most 5. `keras.layers.LSTM` stands in the same model on
the same backend, `torch.nn.LSTM` in a plain PyTorch loop beside any backend of ours.
"""

import keras
import numpy as np

from benchmarks.speed.fit_rows import fit_rows
from benchmarks.speed.goal import Goal, times_as_fast
from benchmarks.speed.training import torch_steps
from keras_lm.models import LSTMLanguageModel
from keras_lm.training import MaskedCrossEntropy

VOCABULARY, WIDTH, LAYERS, LENGTH, BATCH, STEPS = 10_000, 650, 2, 35, 20, 4

GOALS = [
    Goal("LSTM training / keras.layers.LSTM", times_as_fast("keras.layers.LSTM"), 1.2),
    Goal(
        "LSTM training / torch.nn.LSTM",
        times_as_fast("torch.nn.LSTM"),
        1.05,
        best=True,
    ),
]


def rivals():
    """Calls of `STEPS` steps each."""
    token_ids = np.random.default_rng(0).integers(
        0, VOCABULARY, (STEPS * BATCH, LENGTH + 1), dtype="int32"
    )
    inputs, targets = token_ids[:, :-1], token_ids[:, 1:]
    ours = LSTMLanguageModel(VOCABULARY, WIDTH, WIDTH, LAYERS, tie_embeddings=False)
    return {
        "keras_lm": trained(ours, inputs, targets),
        "keras.layers.LSTM": trained(keras_model(), inputs, targets),
        "torch.nn.LSTM": torch_lstm_steps(inputs, targets),
    }


def tokens(_rival):
    """What a call learns from."""
    return BATCH * LENGTH * STEPS


def trained(model, inputs, targets):
    """`fit` over all rows once."""
    model.compile(keras.optimizers.SGD(1.0, global_clipnorm=5.0), MaskedCrossEntropy())
    return fit_rows(model, inputs, targets, BATCH)


def keras_model():
    """The same of Keras' own layers."""
    lstms = [keras.layers.LSTM(WIDTH, return_sequences=True) for _ in range(LAYERS)]
    return keras.Sequential(
        [
            keras.layers.Embedding(VOCABULARY, WIDTH),
            *lstms,
            keras.layers.Dense(VOCABULARY),
        ]
    )


def torch_lstm_steps(inputs, targets):
    """The same in PyTorch alone."""
    import torch

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = torch.nn.Embedding(VOCABULARY, WIDTH)
            self.lstm = torch.nn.LSTM(WIDTH, WIDTH, LAYERS, batch_first=True)
            self.head = torch.nn.Linear(WIDTH, VOCABULARY)

        def forward(self, token_ids):
            return self.head(self.lstm(self.tokens(token_ids))[0])

    model = Model()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    return torch_steps(model, inputs, targets, optimizer, STEPS, most_norm=5.0)
