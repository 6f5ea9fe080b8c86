"""TensorFlow: chunks under `recompute_grad`, slot writes, and a decoding loop."""

import functools
import weakref

import keras
import tensorflow as tf

from keras_lm.backend.hashed_bits import hashed_dropout
from keras_lm.backend.lstm_steps import lstm_slopes, lstm_step, lstm_step_back


def fused_attention(query, key, value, mask, is_causal, scale):
    """TensorFlow has no fused attention kernel."""
    return None


def dropout(inputs, rate, seed):
    """By hashed bits, which are made where they are needed and never stored."""
    return hashed_dropout(inputs, rate, seed)


def map_recomputed(function, chunks, shared):
    """`tf.map_fn`, with the body under `tf.recompute_grad`."""
    given = [_numbers(chunk) for chunk in chunks if chunk is not None]
    handed = [_numbers(x) for x in shared if x is not None]

    # recompute_grad sees gradients of its own arguments only: nothing by closure.
    @tf.recompute_grad
    def body(*arrays):
        rest = iter(arrays)

        def again(array):
            return None if array is None else tf.cast(next(rest), array.dtype)

        return function(tuple(map(again, chunks)), tuple(map(again, shared)))

    dtype = next(x for x in chunks if x is not None and x.dtype.is_floating).dtype
    return tf.map_fn(
        lambda turn: body(*turn, *handed),
        given,
        fn_output_signature=dtype,
        parallel_iterations=1,  # ten chunks at a time would be ten in memory
    )


def gains_in_turn():
    """As on JAX."""
    return not tf.config.list_physical_devices("GPU")


def _numbers(array):
    """Floats for all: a loop fails at the gradient of a bool, though there is none."""
    dtype = "float16" if array.dtype == "bool" else "float32"
    return array if array.dtype.is_floating else tf.cast(array, dtype)


# Set by the exporter: a SavedModel must do without XLA, which a server may not have.
STOCK_OPS_ONLY = False
# Set by the other: LiteRT's converter does not lower every list of tensors.
NO_TENSOR_LISTS = False


def multiply_heads(left, right):
    """Keras' own product."""
    return keras.ops.matmul(left, right)


def write_slots(buffer, update, index, axis):
    """One dynamic update, which LiteRT has too; or a scatter for a SavedModel."""
    update = tf.cast(update, buffer.dtype)
    if STOCK_OPS_ONLY:
        return _scatter_slots(buffer, update, index, axis)
    start = [0] * len(buffer.shape)
    start[axis] = index
    return keras.ops.slice_update(buffer, tf.stack(start), update)


def _scatter_slots(buffer, update, index, axis):
    """The same by a scatter, in place too when nobody else holds the buffer."""
    axes = [tf.range(tf.shape(update)[i]) for i in range(axis + 1)]
    axes[axis] += index
    places = tf.stack(tf.meshgrid(*axes, indexing="ij"), axis=-1)
    return tf.tensor_scatter_nd_update(buffer, places, update)


class Decoder:
    """The prompt by TensorFlow's kernels, which compile sooner, then a loop in XLA."""

    def __init__(self, model, begin, advance):
        self.model = weakref.ref(model)
        self.begin, self.advance = begin, advance
        self.graphs = {}

    def run(self, token_ids, padding_mask, num_slots, capacity, num_new, seed):
        num_new, seed = tf.constant(num_new), tf.constant(seed)
        carry = self._first(token_ids, padding_mask, num_slots, seed)
        loop = self._graph(self._loop, (capacity,), (len(token_ids), num_slots))
        return loop(carry, num_new, seed)

    def stream(self, token_ids, padding_mask, num_slots, num_new, seed):
        seed = tf.constant(seed)
        carry = self._first(token_ids, padding_mask, num_slots, seed)
        advance = self._graph(self._advance, (), (len(token_ids), num_slots))
        for step in range(1, num_new + 1):
            yield carry["token"]
            if step == num_new or bool(tf.reduce_all(carry["finished"])):
                return
            carry = advance(carry, seed, tf.constant(step))

    def _first(self, token_ids, padding_mask, num_slots, seed):
        begin = self._graph(self._begin, (num_slots,), token_ids.shape, in_xla=False)
        return begin(tf.constant(token_ids), tf.constant(padding_mask), seed)

    def _graph(self, method, static, sizes, in_xla=True):
        """One function for each shape: TensorFlow warns of one with many graphs."""
        key = (method.__name__, static, sizes)
        if key not in self.graphs:
            function = functools.partial(method, *static)
            self.graphs[key] = tf.function(
                function, jit_compile=in_xla or None, autograph=False
            )
        return self.graphs[key]

    def _begin(self, num_slots, token_ids, padding_mask, seed):
        return self.begin(
            self.model(), token_ids, padding_mask, num_slots, gumbel(seed, 0)
        )

    def _advance(self, carry, seed, step):
        return self.advance(self.model(), carry, gumbel(seed, step))

    def _loop(self, capacity, carry, num_new, seed):
        generated = tf.zeros((capacity, tf.shape(carry["token"])[0]), "int32")
        generated = _set_row(generated, 0, carry["token"])

        def goes_on(step, carry, generated):
            return (step < num_new) & ~tf.reduce_all(carry["finished"])

        def turn(step, carry, generated):
            carry = self._advance(carry, seed, step)
            return step + 1, carry, _set_row(generated, step, carry["token"])

        loop = (tf.constant(1), carry, generated)
        return tf.transpose(tf.while_loop(goes_on, turn, loop)[2])


class Search:
    """The prompt by TensorFlow's kernels, then a loop in XLA; see `backend.search`."""

    def __init__(self, model, begin, advance, end):
        self.model = weakref.ref(model)
        self.begin, self.advance, self.end = begin, advance, end
        self.graphs = {}

    def run(self, inputs, num_slots):
        inputs = tf.nest.map_structure(tf.constant, inputs)
        shapes = tuple(tuple(array.shape) for array in tf.nest.flatten(inputs))
        begin, loop = self._graphs(num_slots, shapes)
        return loop(begin(inputs))

    def _graphs(self, num_slots, shapes):
        """Functions of their own for each shape: see `Decoder`."""
        key = (num_slots, shapes)
        if key not in self.graphs:
            begin = functools.partial(self._begin, num_slots)
            self.graphs[key] = (
                tf.function(begin, autograph=False),
                tf.function(self._loop, autograph=False, jit_compile=True),
            )
        return self.graphs[key]

    def _begin(self, num_slots, inputs):
        return self.begin(self.model(), inputs, num_slots)

    def _loop(self, carry):
        def turn(carry):
            return (self.advance(self.model(), carry),)

        found = tf.while_loop(lambda c: ~tf.reduce_all(c["finished"]), turn, (carry,))
        return self.end(found[0])


def gumbel(seed, step):
    """Gumbel noise of one step: a function of the shape."""

    def noise(shape):
        uniform = tf.random.stateless_uniform(shape, (seed, step), minval=1e-20)
        return -tf.math.log(-tf.math.log(uniform))

    return noise


def _set_row(array, index, row):
    return tf.tensor_scatter_nd_update(array, [[index]], [row])


def lstm(inputs, kernel, recurrent_kernel, bias, mask, hidden, cell):
    """A loop over the steps, whose gradient is another; all else is done at once."""
    # Handed on as it is, a variable would be one that the gradient must know of.
    recurrent_kernel = tf.convert_to_tensor(recurrent_kernel)
    gates = tf.transpose(inputs, (1, 0, 2)) @ kernel + bias  # (T, B, 4U)
    masks = () if mask is None else (tf.expand_dims(tf.transpose(mask), 2),)

    # Left to TensorFlow, the gradient would add up that of the kernel step by step.
    @tf.custom_gradient
    def run(*given):
        hiddens, cells = _lstm_forward(*given, masks)

        def back(to_hiddens, to_cells):
            return _lstm_back(given, masks, (hiddens, cells), (to_hiddens, to_cells))

        return (hiddens, cells), back

    hiddens, cells = run(gates, recurrent_kernel, hidden, cell)
    return tf.transpose(hiddens, (1, 0, 2)), hiddens[-1], cells[-1]


def _lstm_forward(gates, kernel, hidden, cell, masks):
    """Hidden states and cells of all steps, `(T, B, U)`."""

    def step(state, given):
        sums = given["sums"] + tf.matmul(state["hidden"], kernel)
        hidden, cell = lstm_step(sums, **state, mask=given.get("mask"))
        return {"hidden": hidden, "cell": cell}

    steps = {"sums": gates, **dict(zip(("mask",), masks))}
    states = scan(step, {"hidden": hidden, "cell": cell}, steps)
    return states["hidden"], states["cell"]


def _lstm_back(given, masks, found, gradients):
    """The gradients of what `_lstm_forward` was given."""
    gates, kernel, hidden, cell = given
    (hiddens, cells), (to_hiddens, to_cells) = found, gradients
    num_steps = tf.shape(gates)[0]
    earlier = tf.concat([tf.expand_dims(hidden, 0), hiddens], 0)[:-1]
    before = tf.concat([tf.expand_dims(cell, 0), cells], 0)[:-1]
    slopes = lstm_slopes(gates + earlier @ kernel, before, cells, *masks)
    turned = tf.transpose(kernel)

    def step(turn, to_hidden, to_cell, to_gates):
        here = [tf.gather(slope, turn) for slope in slopes]
        moved, to_hidden, to_cell = lstm_step_back(
            here,
            turned,
            tf.gather(to_hiddens, turn),
            to_hidden,
            to_cell + tf.gather(to_cells, turn),
            *(tf.gather(mask, turn) for mask in masks),
        )
        return turn - 1, to_hidden, to_cell, to_gates.write(turn, moved)

    # A list in any case: LiteRT has no gradient, but one is traced as it is saved.
    written = tf.TensorArray(gates.dtype, num_steps, element_shape=gates[0].shape)
    loop = (num_steps - 1, tf.zeros_like(hidden), tf.zeros_like(cell), written)
    found = tf.while_loop(lambda turn, *_: turn >= 0, step, loop)
    to_gates = found[3].stack()
    to_kernel = tf.tensordot(earlier, to_gates, [[0, 1], [0, 1]])
    return to_gates, to_kernel, found[1], found[2]


def scan(function, state, steps):
    """A loop over lists of tensors, whose gradients are lists too; or over tensors."""
    num_steps = tf.shape(next(iter(steps.values())))[0]
    if not NO_TENSOR_LISTS:
        lists = {name: tf.TensorArray(x.dtype, num_steps) for name, x in steps.items()}
        steps = {name: lists[name].unstack(array) for name, array in steps.items()}

    def turn(step, state, states):
        state = function(state, {name: _read(x, step) for name, x in steps.items()})
        states = {name: _write(states[name], state[name], step) for name in state}
        return step + 1, state, states

    states = {name: _steps_like(x, num_steps) for name, x in state.items()}
    found = tf.while_loop(
        lambda step, *_: step < num_steps,
        turn,
        (tf.constant(0), state, states),
        # Without, XLA knows no gradient; LiteRT needs none.
        maximum_iterations=None if NO_TENSOR_LISTS else num_steps,
    )[2]
    return {n: x if NO_TENSOR_LISTS else x.stack() for n, x in found.items()}


def _steps_like(array, num_steps):
    """Room for such an array for each step."""
    if NO_TENSOR_LISTS:
        return tf.zeros(tf.concat([[num_steps], tf.shape(array)], 0), array.dtype)
    return tf.TensorArray(array.dtype, num_steps, element_shape=array.shape)


def _read(steps, step):
    return tf.gather(steps, step) if NO_TENSOR_LISTS else steps.read(step)


def _write(steps, new, step):
    if NO_TENSOR_LISTS:
        return write_slots(steps, tf.expand_dims(new, 0), step, axis=0)
    return steps.write(step, new)
