"""A stack of LSTMs that looks at a source at each step, and how they do so."""

import keras
from keras import ops

from keras_lm.layers.arguments import (
    check_choice,
    check_dropout,
    check_sizes,
    seed_of,
)
from keras_lm.layers.bahdanau_attention import BahdanauAttention
from keras_lm.layers.dropout import Dropout
from keras_lm.layers.lstm import LSTM
from keras_lm.layers.lstm_loop import (
    advance_lstm,
    input_sums,
    joined_kernel,
    run_steps,
)
from keras_lm.layers.luong_attention import LuongAttention

ATTENTIONS = ("bahdanau", "luong", None)


@keras.saving.register_keras_serializable(package="keras_lm")
class LSTMDecoder(keras.layers.Layer):
    """Layers of LSTMs that read a target and look at a source as they do.

    With `y_t` the inputs, `h_t` the states of the last layer, and `a(h)` the context of
    the source that attention gives for `h`:

        "bahdanau"    c_t = a(s_{t-1});  s_t = LSTM([y_t; c_t], s_{t-1}), the first
                      layer; output_t = tanh(W [h_t; c_t; y_t])
        "luong"       h_t = LSTM(y_t, h_{t-1});  output_t = tanh(W [a(h_t); h_t]);
                      with input feeding, LSTM([y_t; output_{t-1}], h_{t-1})
        None          h_t = LSTM(y_t, h_{t-1});  output_t = tanh(W h_t)

    Only what depends on where it looked goes step by step: the first layer for
    "bahdanau", all layers for "luong" with input feeding. Everything else, and without
    either all of it, goes through the LSTMs' kernels for the whole target at once.

    Shapes: `B` batch, `T` steps, `S` source steps, `E` width of the inputs, `U` hidden
    width, `W` width of the source, `R` width of the output.

    Args:
        hidden_dim: int, at least 1, `U`. Width of each LSTM, and in which Bahdanau's
            attention scores.
        num_layers: int, at least 1.
        attention: "bahdanau", "luong" or `None`.
        input_feeding: bool. Whether Luong's decoder is fed its last output, so that it
            knows where it has looked. The others do not ask.
        output_dim: int. Width of the output, `R`; `hidden_dim` when `None`.
        dropout: float, 0 to 1. Fraction dropped before each layer and of the output, in
            training.
        seed: int or `None`. Of the dropout.

    Call arguments:
        inputs: float `(B, T, E)`. The target's embeddings.
        memory: what `remember` gives of the source; `None` without attention.
        state: as `initial_state` or a call gives it.
        padding_mask: bool `(B, T)` or `None`. `True` = real. Padding leaves the state
            as it was.
        training: bool. Whether dropout applies.

    Returns:
        `(outputs, state, weights)`: float `(B, T, R)`; the state after the last step;
        and where it looked, float `(B, T, S)`, or `None` without attention.

    Raises:
        ValueError: a size is below 1, `dropout` is not a fraction, or `attention` is
            unknown.

    Example:
        >>> decoder = LSTMDecoder(hidden_dim=8)
        >>> decoder.build((None, None, 5), (None, None, 6))
        >>> memory = decoder.remember(ops.ones((3, 9, 6)))
        >>> zeros = [{"hidden": ops.zeros((3, 8)), "cell": ops.zeros((3, 8))}]
        >>> state = decoder.initial_state(zeros)
        >>> outputs, state, weights = decoder(ops.ones((3, 7, 5)), memory, state)
        >>> tuple(outputs.shape), tuple(weights.shape)
        ((3, 7, 8), (3, 7, 9))

    Source: https://arxiv.org/abs/1409.0473, appendix A.2;
        https://arxiv.org/abs/1508.04025, section 3.3 (input feeding);
        https://arxiv.org/abs/1609.08144, section 3 (attention in the first layer).
    """

    def __init__(
        self,
        hidden_dim,
        num_layers=1,
        attention="bahdanau",
        input_feeding=True,
        output_dim=None,
        dropout=0.0,
        seed=None,
        **kwargs,
    ):
        output_dim = hidden_dim if output_dim is None else output_dim
        check_sizes(hidden_dim=hidden_dim, num_layers=num_layers, output_dim=output_dim)
        check_dropout(dropout)
        check_choice("attention", attention, ATTENTIONS)
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.num_layers = num_layers
        self.attention = attention
        self.input_feeding = input_feeding
        self.output_dim = output_dim
        self.dropout = dropout
        self.seed = seed
        self.feeds = attention == "luong" and input_feeding
        policy = self.dtype_policy
        self.lstms = [
            LSTM(hidden_dim, dtype=policy, name=f"lstm_{i}") for i in range(num_layers)
        ]
        self.dropouts = [
            Dropout(dropout, seed=seed_of(seed, i), dtype=policy)
            for i in range(num_layers + 1)
        ]
        options = {"dtype": policy, "name": "attention"}
        self.attention_layer = self.readout = None
        if attention == "bahdanau":
            self.attention_layer = BahdanauAttention(hidden_dim, **options)
        if attention == "luong":
            self.attention_layer = LuongAttention(output_dim=output_dim, **options)
        else:  # Luong's attention has its own
            self.readout = keras.layers.Dense(
                output_dim, "tanh", dtype=policy, name="readout"
            )

    def build(self, inputs_shape, memory_shape=None):
        width, units = inputs_shape[-1], self.hidden_dim
        extra, readout = 0, units
        if self.attention == "bahdanau":
            extra = memory_shape[-1]
            readout = units + extra + width
        elif self.feeds:
            extra = self.output_dim
        widths = [width + extra] + [units] * (self.num_layers - 1)
        for lstm, wide in zip(self.lstms, widths, strict=True):
            lstm.build((None, None, wide))
        if self.attention_layer is not None:
            self.attention_layer.build((None, None, units), memory_shape)
        if self.readout is not None:
            self.readout.build((None, None, readout))
        self.built = True

    def call(self, inputs, memory, state, padding_mask=None, training=None):
        if padding_mask is not None:
            padding_mask = ops.cast(padding_mask, "bool")
        inputs = self.dropouts[0](inputs, training=training)
        if self.feeds:
            found = self._feed(inputs, memory, state, padding_mask, training)
        elif self.attention == "bahdanau":
            found = self._look_first(inputs, memory, state, padding_mask, training)
        else:
            found = self._look_last(inputs, memory, state, padding_mask, training)
        outputs, state, weights = found
        return self.dropouts[-1](outputs, training=training), state, weights

    def get_config(self):
        return {
            **super().get_config(),
            "hidden_dim": self.hidden_dim,
            "num_layers": self.num_layers,
            "attention": self.attention,
            "input_feeding": self.input_feeding,
            "output_dim": self.output_dim,
            "dropout": self.dropout,
            "seed": self.seed,
        }

    def initial_state(self, lstms):
        """The state before the first step.

        Args:
            lstms: list of `{"hidden": (B, U), "cell": (B, U)}`, of each layer.

        Returns:
            `{"lstms": lstms}`, and with input feeding `"fed"`, zeros `(B, R)`.
        """
        if not self.feeds:
            return {"lstms": lstms}
        fed = ops.zeros((ops.shape(lstms[0]["hidden"])[0], self.output_dim))
        return {"lstms": lstms, "fed": ops.cast(fed, self.compute_dtype)}

    def remember(self, source, padding_mask=None):
        """What attention needs of a source, projected once.

        Args:
            source: float `(B, S, W)`.
            padding_mask: bool `(B, S)` or `None`. `True` = real.

        Returns:
            See `RecurrentAttention.remember`; `None` without attention.
        """
        if self.attention_layer is None:
            return None
        return self.attention_layer.remember(source, value_mask=padding_mask)

    def _look_last(self, inputs, memory, state, padding_mask, training):
        """No step needs to know where the last one looked."""
        hidden, lstms = self._read(inputs, state["lstms"], 0, padding_mask, training)
        if self.attention_layer is None:
            return self.readout(hidden), {"lstms": lstms}, None
        outputs, weights = self.attention_layer.step(hidden, memory)
        return outputs, {"lstms": lstms}, ops.squeeze(weights, 1)

    def _look_first(self, inputs, memory, state, padding_mask, training):
        """The context goes into the first layer, the others follow."""
        first, *others = state["lstms"]
        kernel = joined_kernel(self.lstms[0], inputs.shape[-1])

        def advance(before, step):
            context, weights = self._look(before["hidden"], memory)
            after = advance_lstm(
                kernel, step["sums"], context, before, step.get("mask")
            )
            return {**after, "context": context, "weights": weights}

        before = {
            **first,
            "context": ops.zeros_like(memory["value"][:, 0]),
            "weights": ops.zeros_like(memory["value"][:, :, 0]),
        }
        steps = self._steps(inputs, padding_mask)
        after = run_steps(advance, before, steps)
        hidden, lstms = self._read(after["hidden"], others, 1, padding_mask, training)
        outputs = self.readout(
            ops.concatenate([hidden, after["context"], inputs], axis=-1)
        )
        lstms = [{name: after[name][:, -1] for name in first}, *lstms]
        return outputs, {"lstms": lstms}, after["weights"]

    def _feed(self, inputs, memory, state, padding_mask, training):
        """The output goes into the next step: all layers go step by step."""
        first, *others = self.lstms
        kernels = [joined_kernel(first, inputs.shape[-1])]
        kernels += [joined_kernel(lstm) for lstm in others]
        biases = [input_sums(lstm, inputs[:1, 0, :0]) for lstm in others]  # (1, 4U)

        def advance(before, step):
            mask, extra, after = step.get("mask"), before["fed"], {}
            for i, kernel in enumerate(kernels):
                sums = step["sums"] if i == 0 else biases[i - 1]
                if i > 0 and f"drop_{i}" in step:
                    extra = extra * step[f"drop_{i}"]
                lstm = {name: before[f"{name}_{i}"] for name in ("hidden", "cell")}
                lstm = advance_lstm(kernel, sums, extra, lstm, mask)
                after |= {f"{name}_{i}": array for name, array in lstm.items()}
                extra = lstm["hidden"]
            output, weights = self._look(extra, memory)
            if mask is not None:
                output = ops.where(mask, output, before["fed"])
            return {**after, "fed": output, "weights": weights}

        before = {
            f"{name}_{i}": array
            for i, lstm in enumerate(state["lstms"])
            for name, array in lstm.items()
        }
        before["fed"] = state["fed"]
        before["weights"] = ops.zeros_like(memory["value"][:, :, 0])
        steps = self._steps(inputs, padding_mask)
        if training and self.dropout > 0:  # drawn here: a loop draws no numbers
            ones = ops.ones_like(steps["sums"][:, :, : self.hidden_dim])
            for i in range(1, self.num_layers):
                steps[f"drop_{i}"] = self.dropouts[i](ones, training=True)
        after = run_steps(advance, before, steps)
        last = {name: array[:, -1] for name, array in after.items()}
        lstms = [
            {name: last[f"{name}_{i}"] for name in ("hidden", "cell")}
            for i in range(self.num_layers)
        ]
        return after["fed"], {"lstms": lstms, "fed": last["fed"]}, after["weights"]

    def _steps(self, inputs, padding_mask):
        steps = {"sums": input_sums(self.lstms[0], inputs)}
        if padding_mask is not None:
            steps["mask"] = ops.expand_dims(padding_mask, 2)
        return steps

    def _look(self, query, memory):
        """Of one query a row, `(B, U)`: what attention gives, and `(B, S)`."""
        output, weights = self.attention_layer.step(ops.expand_dims(query, 1), memory)
        return output[:, 0], weights[:, 0, 0]

    def _read(self, hidden, states, first, padding_mask, training):
        """The layers from `first` on, each for all steps at once."""
        after = []
        for i, state in enumerate(states, start=first):
            if i > 0:
                hidden = self.dropouts[i](hidden, training=training)
            hidden, state = self.lstms[i](
                hidden, padding_mask=padding_mask, state=state
            )
            after.append(state)
        return hidden, after
