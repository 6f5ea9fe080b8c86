"""A stack of LSTMs that reads a source, in one direction or in both."""

import keras
from keras import ops

from keras_lm.layers.arguments import check_dropout, check_sizes, seed_of
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.lstm import LSTM


@keras.saving.register_keras_serializable(package="keras_lm")
class LSTMEncoder(keras.layers.Layer):
    """Layers of LSTMs, each of which reads the source forwards, and backwards as well.

    Both directions of a layer stand side by side and go into the next. Padding,
    wherever it stands, leaves their states as they were.

    Shapes: `B` batch, `S` steps, `E` width of the input, `U` hidden width, `W` that of
    the states: `2 U`, or `U` in one direction.

    Args:
        hidden_dim: int, at least 1, `U`. Width of each LSTM.
        num_layers: int, at least 1.
        bidirectional: bool. Whether it reads backwards as well.
        dropout: float, 0 to 1. Fraction dropped before each layer, in training.
        seed: int or `None`. Of the dropout.

    Call arguments:
        inputs: float `(B, S, E)`.
        padding_mask: bool `(B, S)` or `None`. `True` = real.
        training: bool. Whether dropout applies.

    Returns:
        `(states, last)`: float `(B, S, W)`, those of the last layer; and for each layer
        `{"hidden": (B, W), "cell": (B, W)}`, after the last step that is read.

    Raises:
        ValueError: a size is below 1, or `dropout` is not a fraction.

    Example:
        >>> encoder = LSTMEncoder(hidden_dim=8, num_layers=2)
        >>> states, last = encoder(keras.random.normal((3, 7, 5)))
        >>> tuple(states.shape), tuple(last[0]["hidden"].shape)
        ((3, 7, 16), (3, 16))

    Source: https://arxiv.org/abs/1409.0473, section 3.2.
    """

    def __init__(
        self,
        hidden_dim,
        num_layers=1,
        bidirectional=True,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        check_sizes(hidden_dim=hidden_dim, num_layers=num_layers)
        check_dropout(dropout)
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.bidirectional = bidirectional
        self.dropout = dropout
        self.seed = seed
        policy = self.dtype_policy
        self.forwards = [
            LSTM(hidden_dim, dtype=policy, name=f"forward_{i}")
            for i in range(num_layers)
        ]
        self.backwards = [
            LSTM(hidden_dim, reverse=True, dtype=policy, name=f"backward_{i}")
            for i in range(num_layers if bidirectional else 0)
        ]
        self.dropouts = [
            Dropout(dropout, seed=seed_of(seed, i), dtype=policy)
            for i in range(num_layers)
        ]

    def build(self, inputs_shape):
        shape = tuple(inputs_shape)
        for group in self._groups():
            for lstm in group:
                lstm.build(shape)
            shape = (None, None, len(group) * self.hidden_dim)

    def call(self, inputs, padding_mask=None, training=None):
        states, last = inputs, []
        for group, dropout in zip(self._groups(), self.dropouts, strict=True):
            states = dropout(states, training=training)
            read = [lstm(states, padding_mask=padding_mask) for lstm in group]
            states = _beside([outputs for outputs, _ in read])  # (B, S, W)
            last.append(
                {
                    name: _beside([state[name] for _, state in read])
                    for name in ("hidden", "cell")
                }
            )
        return states, last

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "bidirectional": self.bidirectional,
            "dropout": self.dropout,
            "seed": self.seed,
        }

    def _groups(self):
        """The LSTMs of each layer."""
        if not self.bidirectional:
            return [(lstm,) for lstm in self.forwards]
        return list(zip(self.forwards, self.backwards, strict=True))


def _beside(arrays):
    return arrays[0] if len(arrays) == 1 else ops.concatenate(arrays, axis=-1)
