"""Models of the decoding protocol that need no training: what comes next is known."""

import keras
import numpy as np
from keras import ops

from keras_lm import backend
from keras_lm.layers.clock import advance_clock, start_clock

WRONG = 0  # the token that says: position, visibility or state was not what it must be
LETTERS = "?abcdefghijklmnopqrstuvwxyz"


class AlphabetModel:
    """After `a` comes `b`, after `z` comes `a`.

    A prompt must be a run of the alphabet: then the letter and the position of every
    token have one difference, the row's offset. `?` (token 0) comes instead of a
    letter wherever what the model was told is not so: a padded slot is seen, a real
    one is not, a position is wrong, a row's state belongs to another row.

    Args:
        keeps: "slots" (as a Transformer: something for each slot, looked up by the
            clock's visibility) or "newest" (as an LSTM: a state that each real token
            moves on, and padding does not).
        max_sequence_length: int.
    """

    vocabulary_size = len(LETTERS)

    def __init__(self, keeps="slots", max_sequence_length=1000):
        self.keeps = keeps
        self.max_sequence_length = max_sequence_length
        self.variables = []
        self.num_steps = 0  # calls of `step`; where the loop is compiled, tracings

    def initial_state(self, inputs, max_length):
        if self.keeps == "slots":
            rows = {"offset": ops.zeros((inputs, max_length), "int32")}
        else:
            rows = {
                "newest": ops.zeros((inputs,), "int32"),
                "count": ops.zeros((inputs,), "int32"),
            }
        return {"clock": start_clock(inputs, max_length), "rows": rows}

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        self.num_steps += 1
        clock, now = advance_clock(state["clock"], token_ids.shape[1], padding_mask)
        look = self._look_at_slots if self.keeps == "slots" else self._move_on
        letters, is_right, rows = look(token_ids, state["rows"], now)
        following = ops.where(is_right, letters % 26 + 1, WRONG)  # (B, n)
        logits = 9.0 * ops.one_hot(following, self.vocabulary_size, dtype="float32")
        if last_only:
            logits = logits[:, -1:]
        return logits, {"clock": clock, "rows": rows}

    def _look_at_slots(self, token_ids, rows, now):
        offset = (token_ids - now.position_ids) % 26  # (B, n)
        slots = backend.write_slots(rows["offset"], offset, now.index, axis=1)
        seen = now.attention_mask[:, 0]  # (B, n, L)
        is_run = ops.equal(ops.expand_dims(slots, 1), ops.expand_dims(offset, 2))
        is_run = ops.all(ops.logical_or(is_run, ops.logical_not(seen)), axis=-1)
        count = ops.sum(ops.cast(seen, "int32"), axis=-1)
        is_right = ops.logical_and(is_run, ops.equal(count, now.position_ids + 1))
        return token_ids, is_right, {"offset": slots}

    def _move_on(self, token_ids, rows, now):
        n = token_ids.shape[1]
        real = now.padding_mask
        if real is None:
            real = ops.ones_like(token_ids, dtype="bool")
        places = ops.where(real, ops.arange(1, n + 1, dtype="int32"), 0)  # (B, n)
        earlier = ops.tril(ops.ones((n, n), "int32")) * ops.expand_dims(places, 1)
        newest = ops.max(earlier, axis=-1)  # (B, n): place of the newest real token
        known = ops.concatenate([ops.expand_dims(rows["newest"], 1), token_ids], 1)
        letters = ops.take_along_axis(known, newest, axis=1)
        count = ops.cumsum(ops.cast(real, "int32"), axis=1)
        count = ops.expand_dims(rows["count"], 1) + count
        is_right = ops.equal(count, now.position_ids + 1)
        if n == 1:  # the state must be this row's own
            is_right = ops.logical_and(is_right, token_ids == known[:, :1] % 26 + 1)
        return letters, is_right, {"newest": letters[:, -1], "count": count[:, -1]}


def run_of(first, length):
    """`length` letters of the alphabet from the letter `first` on, as token ids."""
    start = LETTERS.index(first) - 1
    return [(start + i) % 26 + 1 for i in range(length)]


def spell(token_ids):
    """A row of token ids as letters."""
    return "".join(LETTERS[int(token_id)] for token_id in token_ids)


class ScriptModel:
    """Whatever the prompt: the new tokens are those of `play`, again and again.

    The script is a variable, so that another one compiles nothing.

    Args:
        vocabulary_size: int.
        num_steps: int. Length of the script.
        max_sequence_length: int.
    """

    def __init__(self, vocabulary_size, num_steps, max_sequence_length=1000):
        self.vocabulary_size = vocabulary_size
        self.max_sequence_length = max_sequence_length
        self.script = keras.Variable(
            np.zeros(num_steps), dtype="int32", trainable=False, name="script"
        )
        self.variables = [self.script]

    def play(self, token_ids, rest=0):
        """The next answers are `token_ids`, then `rest` for ever."""
        script = np.full(self.script.shape, rest, "int32")
        script[: len(token_ids)] = token_ids
        self.script.assign(script)

    def initial_state(self, inputs, max_length):
        rows = {"turn": ops.zeros((inputs,), "int32")}
        return {"clock": start_clock(inputs, max_length), "rows": rows}

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        clock, _ = advance_clock(state["clock"], token_ids.shape[1], padding_mask)
        turn = state["rows"]["turn"]  # (B,)
        following = ops.take(self.script, turn % self.script.shape[0])
        logits = ops.one_hot(following, self.vocabulary_size, dtype="float32")
        state = {"clock": clock, "rows": {"turn": turn + 1}}
        return ops.expand_dims(9.0 * logits, 1), state  # (B, 1, V)


class TableModel:
    """Logits from a table, looked up by a hash of the row's text and of its source.

    So every text has probabilities of its own, which `log_probs` computes in float64,
    and a state, source or clock of another row gives other ones.

    Args:
        vocabulary_size: int.
        scale: float. How far probabilities differ.
        has_source: bool. An encoder-decoder, which is given
            `{"token_ids": (B, S), "padding_mask": (B, S)}`.
        seed: int.
        max_sequence_length: int.
    """

    num_entries = 9973  # a prime, so that few texts share a row of the table

    def __init__(
        self,
        vocabulary_size,
        scale=1.5,
        has_source=False,
        seed=0,
        max_sequence_length=1000,
    ):
        self.vocabulary_size = vocabulary_size
        self.max_sequence_length = max_sequence_length
        self.has_source = has_source
        self.variables = []
        self.num_steps = 0  # calls of `step`; where the loop is compiled, tracings
        numbers = np.random.default_rng(seed)
        shape = (self.num_entries, vocabulary_size)
        self.logits = scale * numbers.normal(size=shape).astype("float32")
        self.factors = numbers.integers(1, 2000, size=max_sequence_length).astype(
            "int32"
        )
        self.looks = 2 * numbers.normal(size=(self.num_entries, 64)).astype("float32")

    def log_probs(self, token_ids, source=()):
        """float64 `(V,)`: of the token after these."""
        logits = self.logits_after(token_ids, source)
        return logits - np.log(np.sum(np.exp(logits)))

    def logits_after(self, token_ids, source=()):
        """float64 `(V,)`: of the token after these."""
        return self.logits[self._entry(token_ids, source)].astype("float64")

    def attention(self, token_ids, source):
        """float64 `(S,)`: where the model looks when it chooses the next token."""
        looks = self.looks[self._entry(token_ids, source)].astype("float64")
        weights = np.exp(looks[: len(source)])
        return weights / weights.sum()

    def _entry(self, token_ids, source):
        entry = 0
        for factor, token_id in zip(self.factors, token_ids, strict=False):
            entry += factor * (int(token_id) + 1)
        for place, token_id in enumerate(source, start=1):
            entry += place * int(token_id)
        return entry % self.num_entries

    def initial_state(self, inputs, max_length):
        batch_size = ops.shape(inputs["token_ids"])[0] if self.has_source else inputs
        state = {
            "clock": start_clock(batch_size, max_length),
            "rows": [{"entry": ops.zeros((batch_size,), "int32")}],
        }
        if self.has_source:
            places = ops.arange(1, inputs["token_ids"].shape[1] + 1, dtype="int32")
            real = inputs["padding_mask"]
            share = ops.where(real, inputs["token_ids"] * places, 0)
            share = ops.sum(ops.cast(share, "int32"), axis=1)
            state["source"] = {"share": share, "padding_mask": real}
        return state

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        logits, state, _ = self._step(token_ids, state, padding_mask)
        return logits[:, -1:] if last_only else logits, state

    def step_with_attention(self, token_ids, state, padding_mask=None, last_only=False):
        logits, state, entries = self._step(token_ids, state, padding_mask)
        real = state["source"]["padding_mask"]  # (B, S)
        looks = ops.take(self.looks, entries, axis=0)[:, :, : real.shape[1]]
        looks = ops.where(ops.expand_dims(real, 1), looks, -1e9)
        attention = ops.softmax(looks, axis=-1)
        return logits[:, -1:] if last_only else logits, state, attention

    def _step(self, token_ids, state, padding_mask):
        self.num_steps += 1
        clock, now = advance_clock(state["clock"], token_ids.shape[1], padding_mask)
        shares = ops.take(self.factors, now.position_ids) * (token_ids + 1)  # (B, n)
        if padding_mask is not None:
            shares = ops.where(padding_mask, shares, 0)
        entry = ops.expand_dims(state["rows"][0]["entry"], 1)
        entries = (entry + ops.cumsum(shares, axis=1)) % self.num_entries
        state = {**state, "clock": clock, "rows": [{"entry": entries[:, -1]}]}
        if self.has_source:
            share = ops.expand_dims(state["source"]["share"], 1)
            entries = (entries + share) % self.num_entries
        logits = ops.take(self.logits, entries, axis=0)  # (B, n, V)
        return logits, state, entries


def random_weights(model, seed):
    """Weights from NumPy, the same on every backend, so large that many tokens come."""
    numbers = np.random.default_rng(seed)
    for variable in model.trainable_variables:
        if len(variable.shape) > 1:
            scale = 1.0 if "embedding" in variable.path else 0.4
            variable.assign(scale * numbers.normal(size=variable.shape))


@keras.saving.register_keras_serializable(package="tests")
class SumModel(keras.Model):
    """The smallest encoder-decoder with weights: logits of sums of embeddings.

    A state is the sum of the embeddings of the target so far, halved at each token, and
    the mean of the source's.

    Args:
        vocabulary_size: int.
        source_vocabulary_size: int.
        max_sequence_length: int.
        hidden_dim: int.
    """

    def __init__(
        self,
        vocabulary_size,
        source_vocabulary_size,
        max_sequence_length=40,
        hidden_dim=8,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.source_vocabulary_size = source_vocabulary_size
        self.max_sequence_length = max_sequence_length
        self.hidden_dim = hidden_dim
        self.source_embedding = keras.layers.Embedding(
            source_vocabulary_size, hidden_dim, name="source_embedding"
        )
        self.target_embedding = keras.layers.Embedding(
            vocabulary_size, hidden_dim, name="target_embedding"
        )
        self.output_layer = keras.layers.Dense(vocabulary_size, name="output")
        self.source_embedding.build((None, None))
        self.target_embedding.build((None, None))
        self.output_layer.build((None, None, hidden_dim))
        self.built = True

    def call(self, encoder_token_ids, decoder_token_ids=None, **masks):
        if isinstance(encoder_token_ids, dict):
            return self.call(**encoder_token_ids)
        source = self._source(encoder_token_ids, masks["encoder_padding_mask"])
        places = ops.arange(ops.shape(decoder_token_ids)[1], dtype="int32")
        ago = ops.cast(places[:, None] - places, "float32")  # (T, T)
        share = ops.where(ago >= 0, 0.5 ** ops.maximum(ago, 0.0), 0.0)
        totals = ops.matmul(share, self.target_embedding(decoder_token_ids))
        return self._logits(totals + ops.expand_dims(source, 1))

    def get_config(self):
        return {
            "vocabulary_size": self.vocabulary_size,
            "source_vocabulary_size": self.source_vocabulary_size,
            "max_sequence_length": self.max_sequence_length,
            "hidden_dim": self.hidden_dim,
        }

    def initial_state(self, inputs, max_length):
        batch_size = ops.shape(inputs["token_ids"])[0]
        mask = inputs["padding_mask"]
        vector = self._source(inputs["token_ids"], mask)
        return {
            "clock": start_clock(batch_size, max_length),
            "rows": [ops.zeros((batch_size, self.hidden_dim))],
            "source": {"vector": vector, "padding_mask": mask},
        }

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        number = token_ids.shape[1]
        clock, _ = advance_clock(state["clock"], number, padding_mask)
        total, logits = state["rows"][0], []
        for place in range(number):
            after = self._next(total, token_ids[:, place])
            if padding_mask is not None:
                after = ops.where(padding_mask[:, place, None], after, total)
            total = after
            logits.append(self._logits(total + state["source"]["vector"]))
        state = {**state, "clock": clock, "rows": [total]}
        return ops.stack(logits[-1:] if last_only else logits, axis=1), state

    def _source(self, token_ids, mask):
        real = ops.cast(mask, "float32")[..., None]  # (B, S, 1)
        total = ops.sum(self.source_embedding(token_ids) * real, axis=1)
        return total / ops.sum(real, axis=1)

    def _next(self, total, token_ids):
        return 0.5 * total + self.target_embedding(token_ids)

    def _logits(self, hidden):
        return self.output_layer(ops.tanh(hidden))


class EchoModel:
    """An encoder-decoder that answers each source with itself.

    Args:
        vocabulary_size: int.
        max_sequence_length: int.
    """

    def __init__(self, vocabulary_size, max_sequence_length=40):
        self.vocabulary_size = vocabulary_size
        self.max_sequence_length = max_sequence_length
        self.variables = []

    def initial_state(self, inputs, max_length):
        batch_size = ops.shape(inputs["token_ids"])[0]
        return {
            "clock": start_clock(batch_size, max_length),
            "rows": [ops.zeros((batch_size,), "int32")],
            "source": inputs,
        }

    def step(self, token_ids, state, padding_mask=None, last_only=False):
        clock, now = advance_clock(state["clock"], token_ids.shape[1], padding_mask)
        source = state["source"]["token_ids"]  # (B, S)
        places = ops.minimum(now.position_ids, source.shape[1] - 1)  # (B, n)
        following = ops.take_along_axis(source, places, axis=1)
        logits = 9.0 * ops.one_hot(following, self.vocabulary_size, dtype="float32")
        # Of the wrong ones those that end an answer are the least likely.
        logits = logits + 0.01 * ops.arange(self.vocabulary_size, dtype="float32")
        state = {**state, "clock": clock}
        return logits[:, -1:] if last_only else logits, state
