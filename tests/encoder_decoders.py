"""What the tests of encoder-decoders share: their contract, a task that they learn."""

import contextlib
from unittest import mock

import keras
import numpy as np
from keras import ops

from keras_lm.generation import beam_search
from tests.checks import assert_close, compiled, outputs_of, padding

rng = np.random.default_rng(seed=0)
SOURCE_IDS = rng.integers(0, 13, size=(2, 5), dtype="int32")
TARGET_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
NEXT_IDS = rng.integers(0, 13, size=(2, 7), dtype="int32")
SOURCE_REAL, TARGET_REAL = padding(2, 5), padding(2, 7)
# What a model is called with, by name.
ARRAYS = {
    "encoder_token_ids": SOURCE_IDS,
    "decoder_token_ids": TARGET_IDS,
    "encoder_padding_mask": SOURCE_REAL,
    "decoder_padding_mask": TARGET_REAL,
}
START, STOP = 1, 2


def check_encoder_decoder(model, attends=True):
    """Causal, blind to padding, step == whole, and it says where it looked.

    Args:
        model: an encoder-decoder of 13 tokens on both sides.
        attends: bool. Whether it says where it looked.
    """
    call = compiled(model)
    logits = outputs_of(call(**ARRAYS))[0]
    check_masks(call, logits)
    check_causality(call, logits)
    check_row_alone(call, logits, TARGET_REAL)
    left = padding(2, 7, left=True)
    whole = outputs_of(call(**{**ARRAYS, "decoder_padding_mask": left}))[0]
    check_row_alone(call, whole, left)
    begin = compiled(model.initial_state, max_length=8)
    step = compiled(model.step)
    if attends:
        check_steps(begin, step, whole, left, [3], attends=False)
        step = compiled(model.step_with_attention)
    check_steps(begin, step, whole, left, [3], attends)
    check_steps(begin, step, logits, TARGET_REAL, [1, 3], attends)


def check_masks(call, logits):
    """What stands at padding moves nothing; and what stands elsewhere does."""
    changed = {
        **ARRAYS,
        "encoder_token_ids": np.where(SOURCE_REAL, SOURCE_IDS, (SOURCE_IDS + 5) % 13),
        "decoder_token_ids": np.where(TARGET_REAL, TARGET_IDS, (TARGET_IDS + 5) % 13),
    }
    after = outputs_of(call(**changed))[0]
    np.testing.assert_allclose(after[TARGET_REAL], logits[TARGET_REAL], atol=1e-5)
    for place in np.flatnonzero(SOURCE_REAL.all(axis=0)):
        moved = SOURCE_IDS.copy()
        moved[:, place] = (moved[:, place] + 1) % 13
        after = outputs_of(call(**{**ARRAYS, "encoder_token_ids": moved}))[0]
        assert np.all(np.abs(after - logits).max(axis=(1, 2)) > 1e-4)


def check_causality(call, logits):
    """A later target token changes nothing before it."""
    for place in (2, 5):
        later = TARGET_IDS.copy()
        later[:, place:] = (later[:, place:] + 1) % 13
        after = outputs_of(call(**{**ARRAYS, "decoder_token_ids": later}))[0]
        np.testing.assert_allclose(after[:, :place], logits[:, :place], atol=1e-5)
        assert np.abs(after[:, place:] - logits[:, place:]).max() > 1e-4


def check_row_alone(call, logits, target_real):
    """The last row gets in the batch what it gets alone, without padding."""
    source, target = SOURCE_REAL[-1], target_real[-1]
    alone = call(
        encoder_token_ids=SOURCE_IDS[-1:, source],
        decoder_token_ids=TARGET_IDS[-1:, target],
    )
    assert_close(logits[-1:, target], alone, 1e-4)


def check_steps(begin, step, whole, target_real, pieces, attends):
    """So many target tokens at a time give what all at once do."""
    source = {"token_ids": SOURCE_IDS, "padding_mask": SOURCE_REAL}
    for piece in pieces:
        state, logits = begin(source), []
        for start in range(0, 7, piece):
            some = ops.convert_to_tensor(TARGET_IDS[:, start : start + piece])
            mask = ops.convert_to_tensor(target_real[:, start : start + piece])
            output, state, *looked = step(some, state, mask)
            logits.append(ops.convert_to_numpy(output))
            if attends:
                check_attention(looked[0], some.shape[1])
        logits = np.concatenate(logits, axis=1)
        assert_close(logits[target_real], whole[target_real], 1e-4)


def check_attention(attention, num_steps):
    """Rows sum to 1 over the real steps of the source, and are 0 elsewhere."""
    attention = ops.convert_to_numpy(attention)
    assert attention.shape == (2, num_steps, 5)
    assert_close(attention.sum(axis=-1), np.ones((2, num_steps)))
    assert np.all(attention * ~SOURCE_REAL[:, None] == 0)


def check_beams(model, stop, key_projection=None):
    """A beam of 1 is greedy; three have the scores of the model called at once.

    And each row gets what it gets alone; what is attended to is projected once.

    Args:
        model: an encoder-decoder of 13 tokens, whose weights are not small.
        stop: int: a token with which some of the hypotheses end, and others do not.
        key_projection: the layer that projects the keys of a source, if it attends.

    Returns:
        `Hypotheses` of a beam of three.
    """
    sources, given = [[3, 4, 5, 6], [7], [9, 8]], {"max_new_tokens": 4}
    expected = greedily(model, sources, 4)

    found = beam_search(model, sources, START, beam_size=1, **given)

    assert found.token_ids[:, 0].tolist() == expected
    assert len({tuple(row) for row in expected}) == 3

    given |= {"beam_size": 3, "num_hypotheses": 3, "stop_token_ids": [stop]}
    given |= {"return_attention": key_projection is not None}
    with calls_of(key_projection) as calls:
        wide = beam_search(model, sources, START, **given)
    assert len(set(wide.finished.ravel())) == 2
    after = np.cumsum(wide.token_ids == stop, axis=2) > 1  # it is repeated
    assert_close(wide.scores, rescored(model, sources, wide, after), 1e-4)
    for row, source in enumerate(sources):
        alone = beam_search(model, [source], START, **given)
        np.testing.assert_array_equal(wide.token_ids[row], alone.token_ids[0])
        assert_close(wide.scores[row], alone.scores[0], 1e-4)
    if key_projection is not None:
        assert calls == [3]  # a row for each source, not for each beam, and once
        assert wide.attention.shape == (3, 3, 4, 4)
        only = np.arange(4) == 0  # all that source has
        assert_close(wide.attention[1], only & ~after[1, ..., None])
    return wide


def check_beams_of_one(model, stop):
    """Groups of one beam, and alternatives: a source has alone what it has with others.

    No beam takes another's place, so that each writes where its row began.

    Args:
        model: as in `check_beams`.
        stop: the same.
    """
    sources = [[3, 4, 5, 6], [7]]
    given = {"max_new_tokens": 4, "stop_token_ids": [stop], "num_hypotheses": 3}
    for of_one in (
        {"beam_size": 3, "num_groups": 3, "diversity_penalty": 9.0},
        {"beam_size": 1, "alternatives": True},
    ):
        both = beam_search(model, sources, START, **given, **of_one)
        alone = beam_search(model, sources[:1], START, **given, **of_one)
        np.testing.assert_array_equal(both.token_ids[0], alone.token_ids[0])
        assert_close(both.scores[0], alone.scores[0], 1e-4)
        assert len({tuple(row) for row in alone.token_ids[0]}) == 3


@contextlib.contextmanager
def calls_of(layer):
    """The batch sizes of a layer's calls, as they come."""
    sizes = []
    if layer is None:
        yield sizes
        return
    call = layer.call

    def counted(inputs, *args, **kwargs):
        sizes.append(inputs.shape[0])
        return call(inputs, *args, **kwargs)

    with mock.patch.object(layer, "call", counted):
        yield sizes


def rescored(model, sources, found, after):
    """Scores of hypotheses, but what comes after them, by one call with all."""
    token_ids, number = found.token_ids, found.token_ids.shape[1]
    targets = token_ids.reshape(len(sources) * number, -1)
    starts = np.full((len(targets), 1), START, "int32")
    log_probs = called(
        model,
        [source for source in sources for _ in range(number)],
        np.concatenate([starts, targets[:, :-1]], axis=1),
    )
    log_probs -= np.log(np.exp(log_probs).sum(axis=-1, keepdims=True))
    chosen = np.take_along_axis(log_probs, targets[..., None], axis=2)[..., 0]
    real = ~after.reshape(targets.shape)
    total, length = (chosen * real).sum(axis=1), real.sum(axis=1)
    return (total * 6 / (5 + length)).reshape(found.scores.shape)


def called(model, sources, targets):
    """Logits, float64, of sources of different lengths and targets of one."""
    lengths = np.array([len(source) for source in sources])
    real = np.arange(lengths.max()) < lengths[:, None]
    token_ids = np.zeros(real.shape, "int32")
    token_ids[real] = np.concatenate(sources)
    logits = compiled(model)(token_ids, targets, encoder_padding_mask=real)
    return outputs_of(logits)[0].astype("float64")


def greedily(model, sources, number):
    """Without a state: the whole targets anew for each token, behind padding."""
    targets = np.zeros((len(sources), number + 1), "int32")
    targets[:, 0] = START
    for place in range(number):
        logits = called(model, sources, targets[:, :-1])
        targets[:, place + 1] = np.argmax(logits[:, place], axis=1)
    return targets[:, 1:].tolist()


def reversing(number, length):
    """`(arrays, labels, weights)`: sources of up to `length` tokens, to be reversed."""
    numbers = np.random.default_rng(seed=5)
    sources = numbers.integers(3, 13, size=(number, length), dtype="int32")
    lengths = numbers.integers(2, length + 1, size=number)
    source_real = np.arange(length) < lengths[:, None]
    target_real = np.arange(length + 1) <= lengths[:, None]
    sources = np.where(source_real, sources, 0)
    labels = np.zeros((number, length + 1), "int32")
    for row, size in enumerate(lengths):
        labels[row, : size + 1] = [*sources[row, :size][::-1], STOP]
    starts = np.full((number, 1), START, "int32")
    arrays = {
        "encoder_token_ids": sources,
        "decoder_token_ids": np.concatenate([starts, labels[:, :-1]], axis=1),
        "encoder_padding_mask": source_real,
        "decoder_padding_mask": target_real,
    }
    return arrays, labels, target_real.astype("float32")


def check_it_learns_to_reverse(model, num_steps, learning_rate):
    """`fit` on a dataset of dictionaries; then beam search reverses what it has seen.

    Args:
        model: an encoder-decoder of 13 tokens, targets up to 6.
        num_steps: int. Steps of training, a batch of all 24 sources each.
        learning_rate: float.
    """
    import tensorflow as tf

    arrays, labels, weights = reversing(24, 5)
    dataset = tf.data.Dataset.from_tensors((arrays, labels, weights))
    model.compile(
        keras.optimizers.Adam(learning_rate),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )

    history = model.fit(dataset.repeat(num_steps), verbose=0, epochs=1)

    real = arrays["encoder_padding_mask"]
    sources = [
        row[is_real].tolist()
        for row, is_real in zip(arrays["encoder_token_ids"], real, strict=True)
    ]
    found = beam_search(model, sources, START, 1, 6, [STOP])
    answers = [
        row[: len(source) + 1].tolist()
        for row, source in zip(found.token_ids[:, 0], sources, strict=True)
    ]
    assert history.history["loss"][0] < 2.0
    assert answers == [[*source[::-1], STOP] for source in sources]
