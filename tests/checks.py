"""Checks that many tests share: the contract of layers, attention, models, decoders."""

import functools
import tempfile
import weakref

import hypothesis
import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.layers import advance_clock, start_clock

# XLA compiles on these two; Keras' `jit_compile` on PyTorch is another compiler.
JIT = keras.backend.backend() != "torch"
# How far mixed precision may be from float32, relative to the largest output.
MIXED = {"mixed_float16": 5e-3, "mixed_bfloat16": 4e-2}
# Calls that JAX has compiled, by layer.
_COMPILED = weakref.WeakKeyDictionary()


def variants(settings, everywhere, others=pytest.mark.slow_elsewhere):
    """Parameters of a check that takes seconds: one setting on each backend.

    `make test` sees the others on one backend, `make test-slow` on all three.

    Args:
        settings: dictionary by name.
        everywhere: str, the name of the setting that asks most of a backend.
        others: the mark of the others; `slow` where they take PyTorch half a minute.

    Returns:
        list for `pytest.mark.parametrize`.
    """
    assert everywhere in settings
    return [
        pytest.param(
            setting,
            id=name,
            marks=() if name == everywhere else others,
        )
        for name, setting in settings.items()
    ]


def assert_close(actual, expected, tolerance=1e-5):
    """Fails unless both have one shape and differ nowhere by more than tolerance.

    Large numbers are compared relative to their size.
    """
    actual = np.asarray(ops.convert_to_numpy(actual), dtype="float64")
    expected = np.asarray(ops.convert_to_numpy(expected), dtype="float64")
    np.testing.assert_equal(actual.shape, expected.shape)
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def assert_share(hits, share):
    """Fails unless as many are true as independent draws of this chance would give.

    Within four standard deviations: a right share fails once in 15,000 seeds, and seeds
    are fixed.
    """
    hits = np.asarray(hits, "float64")
    deviation = (share * (1 - share) / hits.size) ** 0.5
    assert abs(hits.mean() - share) < 4 * deviation, (hits.mean(), share, deviation)


def check_layer(
    layer, inputs, output_shapes, unmoved=(), trains_mixed=False, **options
):
    """What holds for every layer: eager, symbolic, saved, trained, mixed precision.

    Args:
        layer: a layer, built or not.
        inputs: dictionary of call arguments, NumPy arrays or dictionaries of these.
        output_shapes: of the output, or a list of these (a dictionary of outputs is
            listed by name).
        unmoved: ends of paths of weights that no training moves, by the mathematics
            (a bias of the keys shifts all scores of a query alike).
        trains_mixed: bool. Whether a step of training is done in float16 too, in
            which numbers end at 65,504: for what has masks and a softmax.
        **options: call arguments that are no arrays.
    """
    if isinstance(output_shapes, tuple):
        output_shapes = [output_shapes]
    expected = outputs_of(layer(**inputs, **options))
    assert [output.shape for output in expected] == output_shapes
    _jitter(layer)
    expected = outputs_of(layer(**inputs, **options))

    copy = type(layer).from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    _check_same(_copied(copy, layer, inputs, options), inputs, options, expected)

    model = _functional(layer, inputs, output_shapes, options)
    _check_same(model, [inputs], {}, expected)
    _check_same(_from_file(model), [inputs], {}, expected)
    targets = [np.ones(output.shape, "float32") for output in expected]
    for policy in MIXED:
        mixed = type(layer).from_config(with_dtype(layer.get_config(), policy))
        call = compiled(_copied(mixed, layer, inputs, options), **options)
        _check_near(outputs_of(call(**inputs)), expected, policy)
        if trains_mixed and policy == "mixed_float16":
            trained = _functional(mixed, inputs, output_shapes, options)
            _check_training(trained, inputs, targets, "mse", unmoved)
    _check_training(model, inputs, targets, "mse", unmoved)


def check_attention(layer_class, decodes=True, **arguments):
    """What holds for every attention layer with queries, keys and values.

    Args:
        layer_class: an `Attention`.
        decodes: bool. Whether it has `initial_state` and `step`.
        **arguments: of the class; not `use_bias`. Without a `dropout`, 0.3 is taken
            where leakage in training is looked for.
    """
    rng = np.random.default_rng(seed=1)
    hidden = rng.normal(size=(2, 7, 6)).astype("float32")  # (B, T, E)
    symbol = keras.Input((None, hidden.shape[-1]))  # builds without computing
    layer = layer_class(use_bias=False, **{"dropout": 0.3, "seed": 5, **arguments})
    layer(symbol, symbol)
    check_leakage(layer, hidden)
    check_leakage(layer, hidden, training=True)
    check_weights(layer, hidden)
    check_query_mask(layer, hidden)
    if decodes:
        with_bias = layer_class(use_bias=True, **arguments)
        with_bias(symbol, symbol)
        _jitter(with_bias)
        check_decoding(with_bias, hidden)
    targets = [hidden.shape]
    # Without positions, key biases shift all scores of a query alike.
    check_layer(
        layer_class(**arguments),
        {"query": hidden, "value": hidden, "value_mask": padding(2, 7)},
        targets,
        unmoved=("key/bias",),
        trains_mixed=True,
        use_causal_mask=True,
    )


def check_leakage(layer, hidden, training=False):
    """A hidden key moves nothing anywhere; the future moves nothing before it.

    Args:
        layer: an `Attention`, built.
        hidden: float32 `(B, T, E)`.
        training: bool. Whether it drops weights, the same ones at each call.
    """
    real = padding(*hidden.shape[:2])
    rows = real[..., None]
    louder = np.where(rows, hidden, hidden + 100.0)
    for causal in (False, True):
        call = _repeatable(layer, use_causal_mask=causal, training=training)
        before = ops.convert_to_numpy(call(hidden, hidden, value_mask=real))
        after = ops.convert_to_numpy(call(louder, louder, value_mask=real))
        np.testing.assert_allclose(after * rows, before * rows, atol=1e-6)
    for options in ({"value_mask": real}, {}):
        before = ops.convert_to_numpy(call(hidden, hidden, **options))
        for place in range(1, hidden.shape[1]):
            later = hidden.copy()
            later[:, place:] += 100.0
            after = ops.convert_to_numpy(call(later, later, **options))[:, :place]
            np.testing.assert_allclose(after, before[:, :place], atol=1e-6)


def check_weights(layer, hidden):
    """Weights are at least 0, rows sum to 1 or 0, and asking for them moves nothing."""
    blind = padding(*hidden.shape[:2])
    blind[1] = False
    for real, causal in [(None, False), (None, True), (blind, False), (blind, True)]:
        options = {"use_causal_mask": causal}
        call = compiled(layer, return_attention_scores=True, **options)
        output, weights = call(hidden, hidden, value_mask=real)
        weights = ops.convert_to_numpy(weights)
        assert np.all(weights >= 0)
        sums = np.sum(weights, axis=-1)
        sees = np.ones(hidden.shape[:2], "bool")
        if real is not None:
            sees = np.cumsum(real, axis=1) > 0 if causal else real.any(1, keepdims=True)
        sees = np.broadcast_to(np.expand_dims(sees, 1), sums.shape)
        np.testing.assert_allclose(sums, sees, atol=1e-5)
        without = compiled(layer, **options)(hidden, hidden, value_mask=real)
        assert_close(without, output)
        if real is not None:
            assert np.all(weights * ~real[:, None, None, :] == 0)
            assert_close(output[1], np.zeros(hidden.shape[1:]), tolerance=0)


def check_query_mask(layer, hidden):
    """Rows that `query_mask` hides are 0; the layer must have no bias to show it."""
    real = padding(*hidden.shape[:2])
    rows = real[..., None]

    masked = compiled(layer)(hidden, hidden, query_mask=real)

    assert np.all(ops.convert_to_numpy(masked) * ~rows == 0)
    whole = ops.convert_to_numpy(compiled(layer)(hidden, hidden))
    assert_close(masked, whole * rows)


def check_decoding(layer, hidden):
    """Step by step, in pieces, with padding anywhere == the whole sequence at once."""
    batch, length = hidden.shape[:2]

    def advance(some, state, clock, mask):
        clock, now = advance_clock(clock, some.shape[1], mask)
        return *layer.step(some, state, now), clock

    step = compiled(advance)
    for real in (None, padding(batch, length), padding(batch, length, left=True)):
        call = compiled(layer, use_causal_mask=True)
        whole = call(hidden, hidden, value_mask=real)
        whole = ops.convert_to_numpy(whole)
        rows = 1.0 if real is None else real[..., None]
        for piece in (1, 3):
            clock = start_clock(batch, length + 2)
            state = layer.initial_state(batch, length + 2)
            outputs = []
            for start in range(0, length, piece):
                some = ops.convert_to_tensor(hidden[:, start : start + piece])
                mask = None if real is None else real[:, start : start + piece]
                output, state, clock = step(some, state, clock, mask)
                outputs.append(ops.convert_to_numpy(output))
            assert_close(np.concatenate(outputs, axis=1) * rows, whole * rows)


def check_model(model, inputs, output_shape, targets, unmoved=()):
    """What holds for every model: saved, reloaded, trained, mixed precision.

    Args:
        model: a model.
        inputs: dictionary of call arguments, NumPy arrays.
        output_shape: of the logits.
        targets: int `(B, T)`.
        unmoved: ends of paths of weights that no training moves.
    """
    _jitter(model)
    expected = outputs_of(model(**inputs))
    assert [output.shape for output in expected] == [output_shape]

    copy = type(model).from_config(model.get_config())
    assert copy.get_config() == model.get_config()
    _check_same(_copied(copy, model, inputs, {}), inputs, {}, expected, 1e-4)
    _check_same(_from_file(model), inputs, {}, expected, 1e-4)
    for policy in MIXED:
        mixed = type(model).from_config(with_dtype(model.get_config(), policy))
        logits = compiled(_copied(mixed, model, inputs, {}))(**inputs)
        assert keras.backend.standardize_dtype(logits.dtype) == "float32"
        _check_near(outputs_of(logits), expected, policy)
    functional = _functional(model, inputs, [output_shape], {})
    _check_same(functional, [inputs], {}, expected, 1e-4)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    _check_training(functional, inputs, [targets], loss, unmoved)


def check_decoder(model, token_ids):
    """What holds for every model that decodes: causal, blind to padding, step == whole.

    Args:
        model: answers the decoding protocol; a decoder only.
        token_ids: int32 `(B, T)`.
    """
    batch, length = token_ids.shape
    call, step = compiled(model), compiled(model.step)
    whole = ops.convert_to_numpy(call(token_ids))
    for place in range(1, length):
        later = token_ids.copy()
        later[:, place:] = (later[:, place:] + 1) % model.vocabulary_size
        after = ops.convert_to_numpy(call(later))
        np.testing.assert_allclose(after[:, :place], whole[:, :place], atol=1e-6)
    for real in (padding(batch, length), padding(batch, length, left=True)):
        padded = ops.convert_to_numpy(call(token_ids, padding_mask=real))
        alone = call(token_ids[-1:, real[-1]])  # no padding at all
        assert_close(padded[-1:, real[-1]], alone, 1e-4)
        for piece in (1, 3):
            assert_close(
                decode(model, token_ids, piece, real, step) * real[..., None],
                padded * real[..., None],
                1e-4,
            )
    assert_close(decode(model, token_ids, 3, step=step), whole, 1e-4)


def decode(model, token_ids, piece, padding_mask=None, step=None):
    """Logits of the whole sequence, `piece` tokens at a time, as NumPy."""
    batch, length = token_ids.shape
    state = model.initial_state(batch, length + 1)
    step = step or compiled(model.step)
    logits = []
    for start in range(0, length, piece):
        some = ops.convert_to_tensor(token_ids[:, start : start + piece])
        mask = None if padding_mask is None else padding_mask[:, start : start + piece]
        output, state = step(some, state, mask)
        logits.append(ops.convert_to_numpy(output))
    return np.concatenate(logits, axis=1)


def padding(batch, length, left=False):
    """Two kinds of padding, bool `(B, T)`: in the middle and at the end, or left."""
    real = np.ones((batch, length), "bool")
    for row in range(batch):
        if left:
            real[row, : row + 1] = False
        else:
            real[row, [row + 1, length - 1]] = False
    return real


def compiled(function, **options):
    """`function` with these options; on JAX as one, where op by op takes seconds.

    A layer that is built compiles once for the same options (numbers, strings, bools),
    whatever becomes of its weights; arrays are passed at the call.
    """
    if keras.backend.backend() != "jax":
        return functools.partial(function, **options)
    import jax

    arrays = {name: x for name, x in options.items() if isinstance(x, np.ndarray)}
    options = {name: x for name, x in options.items() if name not in arrays}
    if not (isinstance(function, keras.Layer) and function.built):
        return functools.partial(
            jax.jit(functools.partial(function, **options)), **arrays
        )
    calls, key = _COMPILED.setdefault(function, {}), tuple(sorted(options.items()))
    if key not in calls:
        calls[key] = jax.jit(functools.partial(function.stateless_call, **options))
    call = calls[key]

    def call_with_weights(*args, **kwargs):
        trained = [variable.value for variable in function.trainable_variables]
        others = [variable.value for variable in function.non_trainable_variables]
        return call(trained, others, *args, **arrays, **kwargs)[0]

    return call_with_weights


def examples(count):
    """Settings of hypothesis; on JAX, which compiles each example, a third as many."""
    if keras.backend.backend() == "jax":
        count = -(-count // 3)
    return hypothesis.settings(max_examples=count)


def gradients(function, arrays):
    """`(value, gradients)` of `function(*arrays)`, a float, compiled as in `fit`."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        places = tuple(range(len(arrays)))
        value, grads = jax.jit(jax.value_and_grad(function, places))(*arrays)
    elif backend == "tensorflow":
        import tensorflow as tf

        @tf.function
        def compiled(*arrays):
            with tf.GradientTape() as tape:
                tape.watch(arrays)
                value = function(*arrays)
            return value, tape.gradient(value, arrays)

        value, grads = compiled(*[ops.convert_to_tensor(a) for a in arrays])
    else:
        arrays = [ops.convert_to_tensor(a).requires_grad_() for a in arrays]
        value = function(*arrays)
        value.backward()
        grads = [a.grad for a in arrays]
    return _to_numpy(value), [_to_numpy(grad) for grad in grads]


def outputs_of(outputs):
    """The outputs of a call as a list of NumPy arrays."""
    return [_to_numpy(output) for output in keras.tree.flatten(outputs)]


def with_dtype(config, policy):
    """The configuration with another dtype policy, also in the layers inside it."""
    if isinstance(config, list):
        return [with_dtype(item, policy) for item in config]
    if not isinstance(config, dict):
        return config
    return {
        key: policy if key == "dtype" else with_dtype(value, policy)
        for key, value in config.items()
    }


def _repeatable(layer, **options):
    """`compiled`, and from the same random numbers at each call."""
    if keras.backend.backend() == "jax":
        return compiled(layer, **options)  # what was drawn stays inside

    def call(*inputs, **masks):
        with keras.StatelessScope():  # the generators stay where they are
            return layer(*inputs, **options, **masks)

    return call


def _to_numpy(array):
    return ops.convert_to_numpy(ops.cast(array, "float32"))  # NumPy has no bfloat16


def _jitter(layer):
    """Weights that start as 0 or 1 become different, so that a lost one shows."""
    rng = np.random.default_rng(seed=2)
    noisy = [w + 0.1 * rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(noisy)


def _copied(copy, layer, inputs, options):
    copy(**_symbols(inputs), **options)  # builds it
    copy.set_weights(layer.get_weights())
    return copy


def _functional(layer, inputs, output_shapes, options):
    """A model of the layer with unknown batch and length."""
    symbols = _symbols(inputs)
    outputs = layer(**symbols, **options)
    flat = keras.tree.flatten(outputs)
    for symbol, shape in zip(flat, output_shapes, strict=True):
        assert len(symbol.shape) == len(shape)
        assert all(a in (None, b) for a, b in zip(symbol.shape, shape, strict=True)), (
            symbol.shape,
            shape,
        )
    return keras.Model(symbols, outputs)


def _symbols(inputs, prefix=""):
    symbols = {}
    for name, array in inputs.items():
        if isinstance(array, dict):
            symbols[name] = _symbols(array, f"{name}_")
        else:
            shape = (None, *array.shape[2:]) if array.ndim > 1 else ()
            symbols[name] = keras.Input(
                shape, dtype=str(array.dtype), name=prefix + name
            )
    return symbols


def _from_file(model):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/model.keras"
        model.save(path)
        return keras.saving.load_model(path)


def _check_same(layer, inputs, options, expected, tolerance=1e-6):
    outputs = layer(*inputs) if isinstance(inputs, list) else layer(**inputs, **options)
    for actual, wanted in zip(outputs_of(outputs), expected, strict=True):
        assert_close(actual, wanted, tolerance)


def _check_near(outputs, expected, policy):
    for actual, wanted in zip(outputs, expected, strict=True):
        assert np.all(np.isfinite(actual))
        distance = np.abs(actual.astype("float64") - wanted).max()
        assert distance <= MIXED[policy] * np.abs(wanted).max(), (policy, distance)


def _check_training(model, inputs, targets, loss, unmoved):
    """One step of `fit` moves every weight."""
    if not model.trainable_weights:
        return
    model.compile(keras.optimizers.SGD(0.5), loss, jit_compile=JIT)
    before = [np.array(ops.convert_to_numpy(w)) for w in model.trainable_weights]
    targets = keras.tree.pack_sequence_as(model.output, targets)
    batch_size = len(keras.tree.flatten(inputs)[0])
    model.fit(inputs, targets, batch_size=batch_size, verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        new = ops.convert_to_numpy(weight)
        assert np.all(np.isfinite(new)), weight.path
        moved = np.abs(new - old).max() > 1e-7
        assert moved or weight.path.endswith(tuple(unmoved)), weight.path
