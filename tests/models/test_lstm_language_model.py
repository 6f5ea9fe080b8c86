"""LSTMLanguageModel: its contract, a loop, padding, decoding, exports, its errors."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.generation import beam_search, generate
from keras_lm.models import LSTMLanguageModel
from keras_lm.text import read_word_vectors
from tests import reference
from tests.checks import (
    assert_close,
    check_decoder,
    check_model,
    compiled,
    outputs_of,
    padding,
    variants,
)
from tests.fakes import random_weights

SIZES = {
    "vocabulary_size": 13,
    "embedding_dim": 6,
    "hidden_dim": 5,
    "num_layers": 2,
    "max_sequence_length": 29,
}
TOKEN_IDS = np.random.default_rng(seed=0).integers(0, 13, size=(2, 7), dtype="int32")
NEXT_IDS = np.random.default_rng(seed=1).integers(0, 13, size=(2, 7), dtype="int32")
REAL = padding(2, 7)
VARIANTS = {"plain": {}, "tied": {"tie_embeddings": True}}


def make_model(**changes):
    return LSTMLanguageModel(**{**SIZES, **changes})


@pytest.mark.parametrize("changes", variants(VARIANTS, "tied", pytest.mark.slow))
def test_model_contract(changes):
    check_model(
        make_model(**changes),
        {"token_ids": TOKEN_IDS, "padding_mask": REAL},
        (2, 7, 13),
        targets=NEXT_IDS,
    )


@pytest.mark.parametrize("changes", variants(VARIANTS, "plain"))
def test_decoder_contract(changes):
    model = make_model(**changes)
    random_weights(model, seed=2)

    check_decoder(model, TOKEN_IDS)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_it_equals_a_loop(changes):
    model = make_model(**changes)
    random_weights(model, seed=2)
    hidden = ops.convert_to_numpy(model.token_embedding.embeddings)[TOKEN_IDS]
    for lstm in model.lstms:
        zeros = np.zeros((2, lstm.units))
        weights = lstm.get_weights()
        hidden, _, _ = reference.lstm(hidden, *weights, REAL, zeros, zeros)
    if changes:
        last = model.token_embedding.get_weights()[0].T
        expected = hidden @ last
    else:
        kernel, bias = model.logits_layer.get_weights()
        expected = hidden @ kernel + bias

    logits = model(TOKEN_IDS, padding_mask=REAL)

    assert_close(logits, expected, tolerance=1e-4)


@pytest.mark.once
@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_word_vectors_from_a_file_are_what_it_reads(changes, tmp_path):
    words = ["be", "?", "中文", *map(str, range(10))]
    vectors = np.arange(12, dtype="float32").reshape(2, 6) / 10
    lines = [f"{w} {' '.join(map(str, v))}\n" for w, v in zip(["中文", "be"], vectors)]
    (tmp_path / "vectors.txt").write_text("".join(lines), encoding="utf-8")
    model = make_model(**changes)
    random_weights(model, seed=2)
    own = model.token_embedding.get_weights()[0]
    before = outputs_of(model(np.array([[1, 3], [0, 2]])))[0]

    known = read_word_vectors(tmp_path / "vectors.txt", words, own)
    model.token_embedding.set_weights([known])

    expected = np.concatenate([vectors[1:], own[1:2], vectors[:1], own[3:]])
    assert_close(model.token_embedding(np.arange(13)), expected)
    after = outputs_of(model(np.array([[1, 3], [0, 2]])))[0]
    assert np.abs(after[1] - before[1]).min() > 1e-4
    moved = np.abs(after[0] - before[0]).max(axis=0) > 1e-6  # by tied logits only
    assert moved.tolist() == [bool(changes) and n in (0, 2) for n in range(13)]


def test_the_last_layer_is_as_wide_as_tied_embeddings():
    widths = [lstm.units for lstm in make_model(tie_embeddings=True).lstms]

    assert widths == [5, 6]
    assert [lstm.units for lstm in make_model().lstms] == [5, 5]


def test_its_state_has_one_size():
    model = make_model()
    short, long = (model.initial_state(2, n)["rows"] for n in (3, 300))

    shapes = [
        [tuple(a.shape) for a in keras.tree.flatten(rows)] for rows in (short, long)
    ]
    assert shapes == [[(2, 5)] * 4] * 2


def test_logits_of_the_last_position_only():
    model = make_model()
    whole = outputs_of(model(TOKEN_IDS))[0]

    logits, state = compiled(model.step, last_only=True)(
        ops.convert_to_tensor(TOKEN_IDS), model.initial_state(2, 9)
    )

    assert_close(logits, whole[:, -1:], tolerance=1e-4)
    assert int(state["clock"]["index"]) == 7


def test_read_goes_on_from_a_state():
    model = make_model()
    whole = outputs_of(model(TOKEN_IDS))[0]
    read = compiled(model.read)

    first, rows = read(TOKEN_IDS[:, :3], model.empty_rows(2))
    second, _ = read(TOKEN_IDS[:, 3:], rows)

    parts = [ops.convert_to_numpy(part) for part in (first, second)]
    assert_close(np.concatenate(parts, axis=1), whole, tolerance=1e-4)


def greedily(model, prompt, number):
    """Without a state: the whole text anew for each token."""
    text = list(prompt)
    for _ in range(number):
        logits = outputs_of(model(np.array([text])))[0]
        text.append(int(np.argmax(logits[0, -1])))
    return text[len(prompt) :]


def test_generation_equals_the_whole_sequence_and_a_beam_of_one():
    model = make_model()
    random_weights(model, seed=3)
    prompts = [[1, 2, 3, 4], [5], [6, 7]]

    tokens = generate(model, prompts, 4)
    found = beam_search(model, prompts, None, beam_size=1, max_new_tokens=4)
    wide = beam_search(model, prompts, None, beam_size=3, max_new_tokens=4)

    expected = [greedily(model, prompt, 4) for prompt in prompts]
    assert tokens.tolist() == expected
    assert found.token_ids[:, 0].tolist() == expected
    assert (wide.scores >= found.scores - 1e-5).all()
    assert len({tuple(row) for row in tokens.tolist()}) == 3


def test_dropout_in_training_only():
    model = make_model(dropout=0.3, seed=3)
    still = outputs_of(model(TOKEN_IDS))[0]

    assert_close(model(TOKEN_IDS, training=False), still, tolerance=0)
    trained = outputs_of(model(TOKEN_IDS, training=True))[0]
    assert np.abs(trained - still).max() > 1e-3
    assert len({layer.seed for layer in model.dropouts}) == 3


@pytest.mark.slow_elsewhere
def test_it_learns():
    # 20 tokens by heart; a uniform guess has loss ln 13 = 2.56.
    rng = np.random.default_rng(seed=3)
    token_ids = rng.integers(0, 13, size=(1, 21), dtype="int32")
    model = make_model(hidden_dim=24)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.05), loss)
    known, following = token_ids[:, :-1], token_ids[:, 1:]

    before = float(loss(following, model(known)))
    steps = [np.repeat(x, 60, axis=0) for x in (known, following)]
    model.fit(*steps, batch_size=1, verbose=0)

    assert before > 2.0
    assert float(loss(following, model(known))) < 0.3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be at least 1"),
        ({"embedding_dim": 0}, "`embedding_dim` must be at least 1"),
        ({"hidden_dim": 0}, "`hidden_dim` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"max_sequence_length": 0}, "`max_sequence_length` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_model(**changes)
