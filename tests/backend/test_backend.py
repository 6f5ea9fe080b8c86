"""backend: each function against its twin in keras.ops or NumPy."""

import importlib
import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm import backend, models
from keras_lm.backend.hashed_bits import hashed_bits
from keras_lm.backend.lstm_steps import lstm_step
from keras_lm.generation import generate
from tests import reference
from tests.checks import assert_close, gradients

rng = np.random.default_rng(seed=0)
QUERY = rng.normal(size=(2, 6, 5, 4)).astype("float32")  # (B, H, T, D)
KEY = rng.normal(size=(2, 3, 7, 4)).astype("float32")  # (B, K, S, D)
VALUE = rng.normal(size=(2, 3, 7, 11)).astype("float32")  # (B, K, S, Dv)
MASK = rng.random((2, 1, 5, 7)) < 0.6
MASK[0, 0, 3] = False  # a query that sees nothing


def test_the_chosen_module_is_that_of_keras():
    name = f"keras_lm.backend.{keras.backend.backend()}"

    assert backend.chosen() is importlib.import_module(name)


def fused(key, value, mask, is_causal):
    arrays = [ops.convert_to_tensor(array) for array in (QUERY, key, value)]
    mask = None if mask is None else ops.convert_to_tensor(mask)
    context = backend.fused_attention(*arrays, mask, is_causal, 0.3)
    if context is None:
        pytest.skip("no fused kernel here")
    return ops.convert_to_numpy(context)


@pytest.mark.parametrize("masked", [False, True])
def test_fused_attention_equals_a_loop(masked):
    seen = MASK if masked else np.ones_like(MASK)
    expected, _ = reference.attention(QUERY, KEY, VALUE, seen, 0.3)

    context = fused(KEY, VALUE, MASK if masked else None, False)

    assert np.isfinite(context).all()
    sees = seen.any(axis=-1, keepdims=True)
    assert_close(context * sees, expected)


def test_fused_causal_attention_equals_a_loop():
    key, value = KEY[:, :, :5], VALUE[:, :, :5]
    seen = reference.causal(5, 5)

    context = fused(key, value, None, True)

    assert_close(context, reference.attention(QUERY, key, value, seen, 0.3)[0])


def body(chunk, shared):
    """Uses every kind of argument: numbers, a mask, a place, `None`."""
    some, mask, place, nothing = chunk
    weights, shared_mask, also_nothing = shared
    assert nothing is None
    assert also_nothing is None
    some = ops.where(ops.logical_and(mask, shared_mask), some, 0.0)
    return ops.tanh(ops.matmul(some, weights)) * ops.cast(place + 1, "float32")


CHUNKS = rng.normal(size=(5, 2, 3)).astype("float32")
CHUNK_MASKS = rng.random((5, 2, 3)) < 0.7
WEIGHTS = rng.normal(size=(3, 4)).astype("float32")
SHARED_MASK = np.array([True, False, True])


def mapped(chunks, weights):
    masks, shared = (
        ops.convert_to_tensor(CHUNK_MASKS),
        ops.convert_to_tensor(SHARED_MASK),
    )
    places = ops.arange(0, 5, dtype="int32")
    return backend.map_recomputed(
        body, (chunks, masks, places, None), (weights, shared, None)
    )


def twin(chunks, weights):
    places = ops.reshape(ops.arange(0, 5, dtype="int32"), (5, 1, 1))
    chunk = (chunks, ops.convert_to_tensor(CHUNK_MASKS), places, None)
    return body(chunk, (weights, ops.convert_to_tensor(SHARED_MASK), None))


def test_map_recomputed_equals_all_at_once():
    chunks, weights = ops.convert_to_tensor(CHUNKS), ops.convert_to_tensor(WEIGHTS)

    assert_close(mapped(chunks, weights), twin(chunks, weights))


def test_map_recomputed_has_the_same_gradients():
    found = gradients(lambda *a: ops.sum(mapped(*a) ** 2), (CHUNKS, WEIGHTS))
    expected = gradients(lambda *a: ops.sum(twin(*a) ** 2), (CHUNKS, WEIGHTS))

    assert_close(found[0], expected[0])
    for actual, wanted in zip(found[1], expected[1], strict=True):
        assert np.abs(wanted).max() > 0
        assert_close(actual, wanted)


@pytest.mark.parametrize("num_rows", [1, 2])
@pytest.mark.parametrize("num_steps", [1, 5])
def test_heads_are_multiplied_one_by_one(num_steps, num_rows):
    left = rng.normal(size=(num_rows, 3, num_steps, 4)).astype("float32")
    right = rng.normal(size=(num_rows, 3, 4, 7)).astype("float32")

    product = backend.multiply_heads(*map(ops.convert_to_tensor, (left, right)))

    assert_close(product, np.einsum("bhtx,bhxy->bhty", left, right))


@pytest.mark.parametrize("num_rows", [1, 2])
@pytest.mark.parametrize("index", [0, 2, 4])
@pytest.mark.parametrize(("axis", "dtype"), [(1, "bool"), (1, "int32"), (2, "float32")])
def test_write_slots_equals_slices(axis, dtype, index, num_rows):
    # 7 slots, of which 3 are written.
    buffer = rng.integers(0, 2, size=(num_rows, *((7,) if axis == 1 else (5, 7, 4))))
    shape = (num_rows, *((3,) if axis == 1 else (5, 3, 4)))
    update = rng.integers(0, 2, size=shape)
    start = [0] * buffer.ndim
    start[axis] = index

    written = backend.write_slots(
        ops.convert_to_tensor(buffer, dtype),
        ops.convert_to_tensor(update, dtype),
        ops.convert_to_tensor(index, "int32"),
        axis,
    )

    twin = ops.slice_update(
        ops.convert_to_tensor(buffer, dtype),
        start,
        ops.convert_to_tensor(update, dtype),
    )
    assert keras.backend.standardize_dtype(written.dtype) == dtype
    assert_close(ops.cast(written, "float32"), ops.cast(twin, "float32"))
    expected = np.array(buffer)
    places = [slice(None)] * buffer.ndim
    places[axis] = slice(index, index + 3)
    expected[tuple(places)] = update
    assert_close(ops.cast(written, "float32"), expected)


def test_write_slots_keeps_the_dtype_of_the_buffer():
    written = backend.write_slots(
        ops.zeros((2, 5), "float16"),
        ops.ones((2, 1), "float32"),
        ops.convert_to_tensor(3, "int32"),
        axis=1,
    )

    assert keras.backend.standardize_dtype(written.dtype) == "float16"
    assert_close(written, [[0, 0, 0, 1, 0]] * 2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's own")
@pytest.mark.parametrize("axis", [1, 2])
def test_stock_operations_write_the_same_slots(axis, monkeypatch):
    arrays = ops.zeros((2, 5, 7)), ops.ones((2, 3, 7) if axis == 1 else (2, 5, 3))
    expected = backend.write_slots(*arrays, ops.convert_to_tensor(2), axis)

    monkeypatch.setattr(backend.chosen(), "STOCK_OPS_ONLY", True)

    assert_close(backend.write_slots(*arrays, ops.convert_to_tensor(2), axis), expected)


def count_up(model, token_ids, padding_mask, num_slots, noise):
    """`begin` of a decode that counts from the last token of the prompt."""
    token = ops.cast(ops.convert_to_tensor(token_ids)[:, -1], "int32") + model.stride
    return {"token": token, "finished": token >= 7}


def count_on(model, carry, noise):
    token = carry["token"] + model.stride
    return {"token": token, "finished": ops.logical_or(carry["finished"], token >= 7)}


class Counter(keras.Model):
    stride = 2


@pytest.mark.parametrize("number", [1, 2, 4])
def test_the_decoding_loop_counts(number):
    counter = Counter()
    decoder = backend.decoder(counter, count_up, count_on)
    prompts = np.array([[5, 0], [5, -2]], "int32"), np.ones((2, 2), "bool")

    tokens = decoder.run(*prompts, 11, 5, number, 0)
    streamed = list(decoder.stream(*prompts, 11, number, 0))

    counted = np.array([[2, 4, 6, 8], [0, 2, 4, 6]])[:, :number]
    assert_close(ops.convert_to_numpy(tokens)[:, :number], counted)
    streamed = [ops.convert_to_numpy(token) for token in streamed]
    assert_close(np.stack(streamed, axis=1), counted)


def test_the_decoding_loop_ends_when_all_rows_have():
    counter = Counter()
    decoder = backend.decoder(counter, count_up, count_on)
    prompts = np.array([[3], [5]], "int32"), np.ones((2, 1), "bool")

    streamed = list(decoder.stream(*prompts, 11, 9, 0))

    assert len(streamed) == 2  # 5 and 7; then 7 and 9: both rows have ended


def noisy(model, token_ids, padding_mask, num_slots, noise):
    token = ops.argmax(noise((2, 11)), axis=-1)
    return {"token": ops.cast(token, "int32"), "finished": ops.zeros((2,), "bool")}


def noisier(model, carry, noise):
    return noisy(model, None, None, None, noise)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="XLA's own copies")
def test_the_loop_of_one_text_copies_no_keys_and_no_values(monkeypatch):
    module, programs = backend.chosen(), []

    class Decoder(module.Decoder):
        def run(self, *given):
            weights = [variable.value for variable in self.model().variables]
            compiled = self.run_jit.lower(weights, *given).compile()
            programs.append(compiled.as_text())
            return super().run(*given)

    monkeypatch.setattr(module, "Decoder", Decoder)
    model = models.TransformerDecoder(97, 2, 3, 24, 48, 64)

    generate(model, np.ones((1, 8), "int32"), 8)

    body = re.search(r"while\(.*body=%?([\w.\-]+)", programs[0]).group(1)
    lines = programs[0].split(f"\n%{body} ")[1].split("\n\n")[0].splitlines()
    kept = [line for line in lines if re.search(r"f32\[(1,)?3,32,8\]", line)]
    assert len(kept) >= 4  # two blocks, keys and values
    assert not [line for line in kept if " copy(" in line]


def test_noise_depends_on_seed_and_step_alone():
    counter = Counter()
    decoder = backend.decoder(counter, noisy, noisier)
    prompts = np.ones((2, 1), "int32"), np.ones((2, 1), "bool")

    runs = [
        ops.convert_to_numpy(decoder.run(*prompts, 17, 16, 16, seed))
        for seed in (1, 1, 2)
    ]
    streamed = [ops.convert_to_numpy(x) for x in decoder.stream(*prompts, 17, 16, 1)]

    assert_close(runs[0], runs[1])
    assert_close(np.stack(streamed, axis=1), runs[0])
    assert np.any(runs[0] != runs[2])
    assert len(set(runs[0].ravel())) > 3


def count_from(model, inputs, num_slots):
    """`begin` of a search that counts to 7 from what it is given."""
    number = inputs["from"]["number"] + num_slots
    return {"number": number, "finished": number >= 7, "steps": ops.zeros((), "int32")}


def count_further(model, carry):
    number = ops.where(carry["finished"], carry["number"], carry["number"] + 2)
    return {"number": number, "finished": number >= 7, "steps": carry["steps"] + 1}


def told(carry):
    return carry["number"] * 10, {"steps": carry["steps"]}


@pytest.mark.parametrize("numbers", [[1, 3, 4], [-2], [6, 7]])
def test_the_search_runs_until_all_have_ended(numbers):
    counter = Counter()
    search = backend.search(counter, count_from, count_further, told)

    tens, rest = search.run({"from": {"number": np.array(numbers, "int32")}}, 1)

    expected, steps = [], 0
    for number in numbers:
        turns = max(0, -((number + 1 - 7) // 2))
        expected.append(10 * (number + 1 + 2 * turns))
        steps = max(steps, turns)
    assert_close(tens, expected)
    assert int(rest["steps"]) == steps


@pytest.mark.skipif(
    keras.backend.backend() == "torch", reason="PyTorch's loop is a Python loop"
)
def test_the_search_compiles_once_for_each_shape():
    counter, traced = Counter(), []

    def begin(model, inputs, num_slots):
        traced.append(num_slots)
        return count_from(model, inputs, num_slots)

    search = backend.search(counter, begin, count_further, told)
    for numbers, num_slots in [([1, 2], 1), ([5, 0], 1), ([1, 2], 2), ([1], 2)]:
        search.run({"from": {"number": np.array(numbers, "int32")}}, num_slots)

    assert traced == [1, 2, 2]


class Scaled(keras.Model):
    def __init__(self):
        super().__init__()
        self.stride = self.add_weight(shape=(), initializer="ones", name="stride")


def test_the_search_uses_the_weights_of_now():
    model = Scaled()

    def start(model, inputs, num_slots):
        return {"number": inputs + model.stride, "finished": inputs > 1e9}

    def go_on(model, carry):
        number = carry["number"] + model.stride
        return {"number": number, "finished": number > 5}

    search = backend.search(model, start, go_on, lambda carry: carry["number"])
    answers = []
    for stride in (1.0, 2.5):
        model.stride.assign(stride)
        answers.append(search.run(np.zeros((1,), "float32"), 3))

    assert_close(answers[0], [6.0])
    assert_close(answers[1], [7.5])


LSTM_SHAPES = ((2, 6, 3), (3, 20), (5, 20), (20,), (2, 5), (2, 5))
LSTM_ARRAYS = [rng.normal(size=shape).astype("float32") for shape in LSTM_SHAPES]


def lstm_twin(inputs, kernel, recurrent_kernel, bias, mask, hidden, cell):
    """A step at a time."""
    outputs = []
    for t in range(6):
        sums = ops.matmul(inputs[:, t], kernel) + bias
        sums = sums + ops.matmul(hidden, recurrent_kernel)
        seen = None if mask is None else mask[:, t : t + 1]
        hidden, cell = lstm_step(sums, hidden, cell, seen)
        outputs.append(hidden)
    return ops.stack(outputs, axis=1), hidden, cell


@pytest.mark.parametrize("masked", [False, True])
def test_lstm_equals_steps_and_so_do_its_gradients(masked):
    mask = np.array([[True, False, True, True, False, False], [False] * 2 + [True] * 4])

    def total(run, *arrays):
        given = [ops.convert_to_tensor(array) for array in arrays]
        given.insert(4, ops.convert_to_tensor(mask) if masked else None)
        outputs, hidden, cell = run(*given)
        weights = ops.cast(ops.arange(1, 7, dtype="int32"), "float32")
        sums = ops.sum(outputs**2, axis=(0, 2)) * weights
        return ops.sum(sums) + ops.sum(hidden) + ops.sum(cell**2)

    found = gradients(lambda *a: total(backend.lstm, *a), LSTM_ARRAYS)
    expected = gradients(lambda *a: total(lstm_twin, *a), LSTM_ARRAYS)

    assert_close(found[0], expected[0])
    for actual, wanted in zip(found[1], expected[1], strict=True):
        assert np.abs(wanted).max() > 0.01
        assert_close(actual, wanted)


SCAN_STATE = {"sum": np.zeros((2, 3), "float32"), "last": np.ones((2, 4), "float32")}
SCAN_STEPS = rng.normal(size=(5, 2, 3)).astype("float32")
SCAN_KERNEL = rng.normal(size=(3, 4)).astype("float32")
SCAN_MASK = rng.random((5, 2, 1)) < 0.6


def scan_twin(function, state, steps):
    states = []
    for t in range(5):
        state = function(state, {name: array[t] for name, array in steps.items()})
        states.append(state)
    return {name: ops.stack([one[name] for one in states]) for name in state}


def scanned(run, last, steps, kernel):
    """Every state after every step, in one number."""
    kernel = ops.convert_to_tensor(kernel)

    def function(state, step):
        total = ops.where(step["mask"], state["sum"] + step["new"], state["sum"])
        last = ops.tanh(ops.matmul(total, kernel) * state["last"])
        return {"sum": total, "last": last}

    state = {"sum": ops.convert_to_tensor(SCAN_STATE["sum"])}
    state["last"] = ops.convert_to_tensor(last)
    steps = {"new": ops.convert_to_tensor(steps)}
    steps["mask"] = ops.convert_to_tensor(SCAN_MASK)
    states = run(function, state, steps)
    weights = ops.cast(ops.arange(1, 6, dtype="int32"), "float32")
    sums = [ops.sum(array**2, axis=(1, 2)) for array in states.values()]
    return ops.sum((sums[0] + sums[1]) * weights)


def test_scan_equals_a_loop_and_so_do_its_gradients():
    arrays = (SCAN_STATE["last"], SCAN_STEPS, SCAN_KERNEL)

    found = gradients(lambda *a: scanned(backend.scan, *a), arrays)
    expected = gradients(lambda *a: scanned(scan_twin, *a), arrays)

    assert_close(found[0], expected[0])
    for actual, wanted in zip(found[1], expected[1], strict=True):
        assert np.abs(wanted).max() > 0.01
        assert_close(actual, wanted)


def test_shapes_are_told_without_taking_the_steps():
    turns = []

    def function(state, step):
        turns.append(1)
        return {"sum": state["sum"] + step["new"]}

    class Scan(keras.layers.Layer):
        def call(self, steps):
            return backend.scan(function, {"sum": steps[0]}, {"new": steps})["sum"]

    symbol = Scan(dtype="float16")(keras.Input(batch_shape=(40, 2, 3)))

    assert (tuple(symbol.shape)[1:], symbol.dtype) == ((2, 3), "float16")
    assert symbol.shape[0] in (40, None)  # TensorFlow leaves it open
    assert 0 < len(turns) < 40


@pytest.mark.parametrize("masked", [False, True])
def test_an_lstm_tells_the_shapes_that_it_gives(masked):
    class LSTM(keras.layers.Layer):
        def call(self, inputs, *others):
            mask = inputs[..., 0] > 0 if masked else None
            return backend.lstm(inputs, *others[:3], mask, *others[3:])

    layer = LSTM(dtype="float16")
    symbols = layer(*[keras.Input(batch_shape=shape) for shape in LSTM_SHAPES])
    found = layer(*LSTM_ARRAYS)

    for symbol, one in zip(symbols, found, strict=True):
        assert len(symbol.shape) == len(one.shape)
        assert all(a in (None, b) for a, b in zip(symbol.shape, one.shape, strict=True))
        assert symbol.dtype == keras.backend.standardize_dtype(one.dtype) == "float16"


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="PyTorch draws its own")
def test_dropout_is_the_same_on_every_backend_that_hashes():
    inputs = ops.ones((2, 20))
    seed = ops.convert_to_tensor(np.array([3, 5], "uint32"))

    bits = hashed_bits(4, seed)
    outputs = ops.convert_to_numpy(backend.dropout(inputs, 0.3, seed))

    by_hand = [871946820, 3653426531, 2594357701, 3351435545]
    np.testing.assert_array_equal(ops.convert_to_numpy(bits), by_hand)
    np.testing.assert_array_equal(outputs[0, :4] == 0, np.array(by_hand) < 0.3 * 2**32)
