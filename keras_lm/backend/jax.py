"""JAX: chunks under `jax.checkpoint`, dynamic slices, and a jitted decoding loop."""

import weakref

import jax
import jax.numpy as jnp
import keras
from jax import lax

from keras_lm.backend.hashed_bits import hashed_dropout
from keras_lm.backend.lstm_steps import lstm_slopes, lstm_step, lstm_step_back


def fused_attention(query, key, value, mask, is_causal, scale):
    """Keras' own call on an accelerator; XLA has no kernel on processors."""
    if jax.default_backend() == "cpu":
        return None
    query, key, value = (x.swapaxes(1, 2) for x in (query, key, value))
    context = keras.ops.dot_product_attention(
        query, key, value, mask=mask, scale=scale, is_causal=is_causal
    )
    return context.swapaxes(1, 2)


def dropout(inputs, rate, seed):
    """By hashed bits, which are made where they are needed and never stored."""
    return hashed_dropout(inputs, rate, seed)


def map_recomputed(function, chunks, shared):
    """`lax.map`, with the body under `jax.checkpoint`."""
    return lax.map(jax.checkpoint(lambda chunk: function(chunk, shared)), chunks)


def gains_in_turn():
    """On a processor, where scores would go through memory; no accelerator waits."""
    return jax.default_backend() == "cpu"


def multiply_heads(left, right):
    """For one text with one batch axis: see `_is_one_row`."""
    if _is_one_row(left) and _is_one_row(right):
        return jnp.expand_dims(jnp.matmul(left.squeeze(0), right.squeeze(0)), 0)
    return jnp.matmul(left, right)


def write_slots(buffer, update, index, axis):
    """One dynamic update, in place when the buffer is donated or carried by a loop."""
    update = update.astype(buffer.dtype)
    if axis > 0 and _is_one_row(buffer):
        written = write_slots(buffer.squeeze(0), update.squeeze(0), index, axis - 1)
        return jnp.expand_dims(written, 0)
    return lax.dynamic_update_slice_in_dim(buffer, update, index, axis)


def _is_one_row(array):
    """Whether this may be the keys or values of one text, `(1, K, L, D)`.

    XLA's products have one batch axis. Written and carried with two, the array is
    written once for the product and once for the loop, each time with a copy.
    """
    return array.ndim == 4 and isinstance(array.shape[0], int) and array.shape[0] == 1


def _squeeze_rows(carry):
    """The carry of one text without the batch axis of its keys and values."""
    return jax.tree.map(lambda x: x.squeeze(0) if _is_one_row(x) else x, carry)


class Decoder:
    """`lax.while_loop` under one `jax.jit`; see `backend.decoder`."""

    def __init__(self, model, begin, advance):
        self.model = weakref.ref(model)
        self.begin, self.advance = begin, advance
        # Weights are arguments, so that a model that is trained on keeps its loop.
        self.run_jit = jax.jit(self._run, static_argnums=(3, 4))
        self.begin_jit = jax.jit(self._begin, static_argnums=(3,))
        self.advance_jit = jax.jit(self._advance, donate_argnums=(1,))

    def run(self, token_ids, padding_mask, num_slots, capacity, num_new, seed):
        return self.run_jit(
            _weights(self.model()),
            token_ids,
            padding_mask,
            num_slots,
            capacity,
            num_new,
            seed,
        )

    def stream(self, token_ids, padding_mask, num_slots, num_new, seed):
        weights = _weights(self.model())
        carry = self.begin_jit(weights, token_ids, padding_mask, num_slots, seed)
        for step in range(1, num_new + 1):
            yield jnp.copy(carry["token"])  # the next step uses the carry up
            if step == num_new or carry["finished"].all():
                return
            carry = self.advance_jit(weights, carry, seed, step)

    def _begin(self, weights, token_ids, padding_mask, num_slots, seed):
        with _scope(self.model(), weights):
            return self.begin(
                self.model(), token_ids, padding_mask, num_slots, gumbel(seed, 0)
            )

    def _advance(self, weights, carry, seed, step):
        with _scope(self.model(), weights):
            return self.advance(self.model(), carry, gumbel(seed, step))

    def _run(
        self, weights, token_ids, padding_mask, num_slots, capacity, num_new, seed
    ):
        first = self._begin(weights, token_ids, padding_mask, num_slots, seed)
        generated = jnp.zeros((token_ids.shape[0], capacity), "int32")

        def goes_on(loop):
            step, carry, _ = loop
            return (step < num_new) & ~carry["finished"].all()

        def turn(loop):
            step, carry, generated = loop
            carry = jax.tree.map(lambda x, like: x.reshape(like.shape), carry, first)
            carry = self._advance(weights, carry, seed, step)
            generated = generated.at[:, step].set(carry["token"])
            return step + 1, _squeeze_rows(carry), generated

        generated = generated.at[:, 0].set(first["token"])
        loop = (jnp.int32(1), _squeeze_rows(first), generated)
        return lax.while_loop(goes_on, turn, loop)[2]


class Search:
    """`lax.while_loop` under one `jax.jit`; see `backend.search`."""

    def __init__(self, model, begin, advance, end):
        self.model = weakref.ref(model)
        self.begin, self.advance, self.end = begin, advance, end
        self.run_jit = jax.jit(self._run, static_argnums=(2,))

    def run(self, inputs, num_slots):
        return self.run_jit(_weights(self.model()), inputs, num_slots)

    def _run(self, weights, inputs, num_slots):
        model = self.model()
        inputs = jax.tree.map(jnp.asarray, inputs)
        with _scope(model, weights):
            carry = self.begin(model, inputs, num_slots)

        def goes_on(carry):
            return ~carry["finished"].all()

        def turn(carry):
            with _scope(model, weights):
                return self.advance(model, carry)

        return self.end(lax.while_loop(goes_on, turn, carry))


def _weights(model):
    """The arrays of a model's variables, as an argument of a compiled function."""
    return [variable.value for variable in model.variables]


def _scope(model, weights):
    """Where the model's variables have these values."""
    pairs = zip(model.variables, weights, strict=True)
    return keras.StatelessScope(state_mapping=list(pairs))


def gumbel(seed, step):
    """Gumbel noise of one step: a function of the shape."""

    def noise(shape):
        key = jax.random.fold_in(jax.random.key(seed), step)
        return jax.random.gumbel(key, shape)

    return noise


def lstm(inputs, kernel, recurrent_kernel, bias, mask, hidden, cell):
    """`lax.scan`, whose gradient is another; all else is done at once."""
    gates = inputs.swapaxes(0, 1) @ kernel + bias  # (T, B, 4U)
    masks = () if mask is None else (mask.T[:, :, None],)
    hiddens, cell = _recurrence(gates, recurrent_kernel, hidden, cell, masks)
    return hiddens.swapaxes(0, 1), hiddens[-1], cell


# Left to JAX, the gradient would add up that of the kernel step by step.
@jax.custom_vjp
def _recurrence(gates, kernel, hidden, cell, masks):
    """Hidden states of all steps, `(T, B, U)`, and the last cell."""

    def step(state, given):
        sums, *seen = given
        state = lstm_step(sums + state[0] @ kernel, *state, *seen)
        return state, state[0]

    (_, cell), hiddens = lax.scan(step, (hidden, cell), (gates, *masks))
    return hiddens, cell


def _recurrence_forward(gates, kernel, hidden, cell, masks):
    def step(state, given):
        sums, *seen = given
        state = lstm_step(sums + state[0] @ kernel, *state, *seen)
        return state, state

    _, (hiddens, cells) = lax.scan(step, (hidden, cell), (gates, *masks))
    every = jnp.concatenate([cell[None], cells])
    return (hiddens, every[-1]), (gates, kernel, hidden, masks, hiddens, every)


def _recurrence_back(kept, gradients):
    gates, kernel, hidden, masks, hiddens, cells = kept
    to_hiddens, to_cell = gradients
    earlier = jnp.concatenate([hidden[None], hiddens])[:-1]
    slopes = lstm_slopes(gates + earlier @ kernel, cells[:-1], cells[1:], *masks)

    def step(state, given):
        slopes, to_output, *seen = given
        to_gates, *state = lstm_step_back(slopes, kernel.T, to_output, *state, *seen)
        return tuple(state), to_gates

    start = (jnp.zeros_like(hidden), to_cell)
    given = (slopes, to_hiddens, *masks)
    (to_hidden, to_cell), to_gates = lax.scan(step, start, given, reverse=True)
    to_kernel = jnp.tensordot(earlier, to_gates, ((0, 1), (0, 1)))
    return to_gates, to_kernel, to_hidden, to_cell, None


_recurrence.defvjp(_recurrence_forward, _recurrence_back)


def scan(function, state, steps):
    """`lax.scan`."""

    def turn(state, step):
        state = function(state, step)
        return state, state

    return lax.scan(turn, state, steps)[1]
