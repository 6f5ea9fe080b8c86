"""The few functions that are faster, or only possible, with a backend's own calls.

`keras_lm.backend.tensorflow`, `.jax` and `.torch` hold the same names; the one that
`KERAS_BACKEND` chose is imported at the first use, and no other.
"""

import functools
import importlib

import keras


@functools.cache
def chosen():
    """The module of the backend that Keras runs on."""
    return importlib.import_module(f"keras_lm.backend.{keras.backend.backend()}")


def fused_attention(query, key, value, mask, is_causal, scale):
    """Softmax attention by the backend's own kernel, or `None` where there is none.

    Shapes: `B` batch, `H` heads, `K` key and value heads, `T` query steps, `S` key
    steps, `D` width of a head.

    Args:
        query: float `(B, H, T, D)`.
        key: float `(B, K, S, D)`; `H` is a multiple of `K`.
        value: float `(B, K, S, Dv)`.
        mask: bool, broadcastable to `(B, H, T, S)`, or `None`.
        is_causal: bool. Only with `T == S`, and without `mask`.
        scale: float, times which the scores are taken.

    Returns:
        float `(B, H, T, Dv)` or `None`. Rows that see nothing hold anything finite.
    """
    return chosen().fused_attention(query, key, value, mask, is_causal, scale)


def dropout(inputs, rate, seed):
    """Zeroes each input with probability `rate` and divides the rest by `1 - rate`.

    Args:
        inputs: float, any shape.
        rate: float, above 0 and below 1.
        seed: uint32 `(2,)`, as a `keras.random.SeedGenerator` gives them.

    Returns:
        Like `inputs`.
    """
    return chosen().dropout(inputs, rate, seed)


def map_recomputed(function, chunks, shared):
    """`function(chunk, shared)` for each chunk in turn; gradients recompute it.

    Like `keras.ops.map`, but what the function makes inside is thrown away after each
    chunk and made again for the gradient, so that memory holds one chunk at a time.

    Args:
        function: of a tuple of arrays and a tuple of arrays, to one array.
        chunks: tuple of arrays with the same leading axis, or `None`s.
        shared: tuple of arrays or `None`s, given whole to every call.

    Returns:
        The results, stacked on a new leading axis.
    """
    return chosen().map_recomputed(function, chunks, shared)


def gains_in_turn():
    """Whether `map_recomputed` over small pieces beats all of them in one batch.

    Where scores are built, a piece that fits the cache is faster on a processor; an
    accelerator wants one large batch.
    """
    return chosen().gains_in_turn()


def multiply_heads(left, right):
    """The matrix product for each text and head.

    Args:
        left: float `(B, H, T, X)`.
        right: float `(B, H, X, Y)`, of the dtype of `left`.

    Returns:
        float `(B, H, T, Y)`.
    """
    return chosen().multiply_heads(left, right)


def write_slots(buffer, update, index, axis):
    """Writes `update` into `buffer` from slot `index` on, in place where possible.

    `buffer` must not be used again: it may have been overwritten.

    Args:
        buffer: array with `L` slots on `axis`.
        update: array like `buffer`, with `n <= L - index` slots on `axis`.
        index: int32 `()`, the first slot to write.
        axis: int, the axis of the slots.

    Returns:
        The array written to, of the shape of `buffer`.
    """
    return chosen().write_slots(buffer, update, index, axis)


def decoder(model, begin, advance):
    """The decoding loop of a model, compiled as the backend compiles best.

    Args:
        model: answers the decoding protocol. It is held weakly.
        begin: `begin(model, token_ids, padding_mask, num_slots, noise) -> carry`.
        advance: `advance(model, carry, noise) -> carry`; the carry is used up.
            `noise(shape)` gives Gumbel noise. In the carry, `token`, int32 `(B,)`, is
            the newest token, and `finished`, bool `(B,)`, says which rows have ended.

    Returns:
        An object with
        `run(token_ids, padding_mask, num_slots, capacity, num_new, seed)` -> int32
        `(B, capacity)`, of which `num_new` columns are filled, or as many as were
        needed until every row had ended; and with
        `stream(token_ids, padding_mask, num_slots, num_new, seed)` -> an iterator of
        int32 `(B,)`.
    """
    return chosen().Decoder(model, begin, advance)


def search(model, begin, advance, end):
    """A loop over a carry that ends in an answer, compiled as `decoder` is.

    Args:
        model: answers the decoding protocol. It is held weakly.
        begin: `begin(model, inputs, num_slots) -> carry`.
        advance: `advance(model, carry) -> carry`; the carry is used up. In the carry,
            `finished`, bool of any shape, is true everywhere when the loop is to end.
        end: `end(carry) -> answer`.

    Returns:
        An object with `run(inputs, num_slots) -> answer`; `inputs` is a nested
        structure of NumPy arrays, `num_slots` an int. Other shapes, another structure
        and another `num_slots` compile anew.
    """
    return chosen().Search(model, begin, advance, end)


def lstm(inputs, kernel, recurrent_kernel, bias, mask, hidden, cell):
    """A long short-term memory over a sequence; the inputs' product is one for all.

    Shapes: `B` batch, `T` steps, `D` width of the input, `U` units.

    Args:
        inputs: float `(B, T, D)`.
        kernel: float `(D, 4U)`; gates in the order input, forget, candidate, output.
        recurrent_kernel: float `(U, 4U)`.
        bias: float `(4U,)`.
        mask: bool `(B, T)` or `None`. `False` leaves the state as it was.
        hidden: float `(B, U)`, before the first step.
        cell: float `(B, U)`.

    Returns:
        `(outputs, hidden, cell)`: float `(B, T, U)`, the hidden state after each step,
        and the state after the last.
    """
    return chosen().lstm(inputs, kernel, recurrent_kernel, bias, mask, hidden, cell)


def scan(function, state, steps):
    """`state = function(state, step)` for each step in turn, with gradients.

    Args:
        function: of a state and one step to the next state, of the same shapes and
            dtypes.
        state: dictionary of float arrays, before the first step.
        steps: dictionary of float or bool arrays with the same leading axis, the steps.

    Returns:
        The states after each step, stacked on a new leading axis.
    """
    return chosen().scan(function, state, steps)
