"""LSTMEncoderDecoder: its contract, its parts, decoding, learning, its errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.generation import beam_search
from keras_lm.models import LSTMEncoderDecoder
from tests.checks import assert_close, check_model, outputs_of, variants
from tests.encoder_decoders import (
    ARRAYS,
    NEXT_IDS,
    SOURCE_IDS,
    SOURCE_REAL,
    START,
    TARGET_IDS,
    TARGET_REAL,
    check_beams,
    check_beams_of_one,
    check_encoder_decoder,
    check_it_learns_to_reverse,
)
from tests.fakes import random_weights

SIZES = {
    "vocabulary_size": 13,
    "embedding_dim": 6,
    "hidden_dim": 5,
    "max_sequence_length": 29,
}
KINDS = {
    "bahdanau": {"num_layers": 2},
    "fed": {"attention": "luong", "num_layers": 2, "tie_embeddings": True}
    | {"share_embeddings": True},
    "luong": {"attention": "luong", "input_feeding": False, "bidirectional": False},
    "none": {"attention": None, "source_vocabulary_size": 17},
}
kinds = pytest.mark.parametrize(
    "kind", variants({name: name for name in KINDS}, "bahdanau")
)


def make_model(**changes):
    return LSTMEncoderDecoder(**{**SIZES, **changes})


# PyTorch traces a recurrent layer step by step.
@pytest.mark.parametrize(
    "kind", variants({name: name for name in KINDS}, "bahdanau", pytest.mark.slow)
)
def test_model_contract(kind):
    check_model(make_model(**KINDS[kind]), ARRAYS, (2, 7, 13), targets=NEXT_IDS)


@kinds
def test_encoder_decoder_contract(kind):
    model = make_model(**KINDS[kind])
    random_weights(model, seed=2)

    check_encoder_decoder(model, attends=kind != "none")


@pytest.mark.parametrize(
    ("kind", "seed", "stop"),
    [
        ("bahdanau", 6, 2),
        pytest.param("fed", 3, 7, marks=pytest.mark.slow_elsewhere),
        pytest.param("none", 3, 2, marks=pytest.mark.slow_elsewhere),
    ],
)
def test_beam_search(kind, seed, stop):
    # Seeds whose answers differ from source to source.
    model = make_model(**{**KINDS[kind], "tie_embeddings": False})
    random_weights(model, seed)

    attention = model.decoder.attention_layer
    if kind == "bahdanau":  # the only weights whose first values a backend draws
        attention.score_vector.assign(np.linspace(-1, 1.5, 5))
    found = check_beams(model, stop, attention and attention.key_projection)

    if kind == "bahdanau":  # the same on each backend: PyTorch gave these
        assert found.token_ids.tolist() == [
            [[2, 2, 2, 2], [3, 4, 4, 4], [3, 8, 10, 2]],
            [[2, 2, 2, 2], [3, 12, 3, 12], [3, 12, 3, 3]],
            [[2, 2, 2, 2], [3, 8, 10, 2], [3, 8, 10, 9]],
        ]
        assert_close(
            found.scores,
            [[-1.7429, -5.1887, -5.1992], [-1.8034, -5.2208, -5.2216]]
            + [[-1.7883, -5.176, -5.4143]],
            1e-4,
        )


@pytest.mark.slow_elsewhere
def test_beams_of_one():
    model = make_model(**{**KINDS["bahdanau"], "tie_embeddings": False})
    random_weights(model, seed=6)

    check_beams_of_one(model, 2)


def test_it_is_made_of_its_parts():
    model = make_model()
    source = ops.convert_to_tensor(SOURCE_IDS)
    states, (last,) = model.encoder(
        model.source_embedding(source), padding_mask=SOURCE_REAL
    )
    first = {
        "hidden": np.tanh(reference_dense(model.hidden_bridges[0], last["hidden"])),
        "cell": np.tanh(reference_dense(model.cell_bridges[0], last["cell"])),
    }
    first = {name: ops.convert_to_tensor(array) for name, array in first.items()}
    outputs, _, _ = model.decoder(
        model.token_embedding(ops.convert_to_tensor(TARGET_IDS)),
        model.decoder.remember(states, SOURCE_REAL),
        model.decoder.initial_state([first]),
        padding_mask=TARGET_REAL,
    )

    logits = outputs_of(model(**ARRAYS))[0]

    assert_close(logits, reference_dense(model.logits_layer, outputs), 1e-4)


def reference_dense(layer, inputs):
    kernel, bias = layer.get_weights()
    return ops.convert_to_numpy(inputs) @ kernel + bias


def test_the_state_of_a_decode():
    model = make_model(**KINDS["fed"])

    state = model.initial_state({"token_ids": SOURCE_IDS}, 300)

    assert tuple(state["rows"]["fed"].shape) == (2, 6)
    shapes = [tuple(x.shape) for row in state["rows"]["lstms"] for x in row.values()]
    assert shapes == [(2, 5)] * 4
    assert sorted(state["source"]["memory"]) == ["key", "place", "value"]
    nothing = make_model(attention=None).initial_state({"token_ids": SOURCE_IDS}, 300)
    assert sorted(nothing["source"]) == ["padding_mask"]


@pytest.mark.slow_elsewhere
def test_embeddings_are_one_table_or_several():
    shared = make_model(share_embeddings=True)
    apart = make_model(source_vocabulary_size=17)
    tied = make_model(tie_embeddings=True)

    assert apart.count_params() == shared.count_params() + 17 * 6
    assert tied.decoder.output_dim == 6
    assert tied.logits_layer is None


@pytest.mark.slow_elsewhere
def test_dropout_in_training_only():
    model = make_model(dropout=0.3, seed=3, num_layers=2)
    still = outputs_of(model(**ARRAYS))[0]

    assert_close(model(**ARRAYS, training=False), still, tolerance=0)
    trained = outputs_of(model(**ARRAYS, training=True))[0]
    assert np.abs(trained - still).max() > 1e-3
    dropouts = [*model.encoder.dropouts, *model.decoder.dropouts]
    assert [layer.seed for layer in dropouts] == [3, 4, 5, 6, 7]


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("kind", ["bahdanau", "fed"])
def test_it_learns_to_reverse(kind):
    model = make_model(
        embedding_dim=16, hidden_dim=32, attention=KINDS[kind].get("attention", kind)
    )

    check_it_learns_to_reverse(model, num_steps=70, learning_rate=0.03)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be at least 1"),
        ({"embedding_dim": 0}, "`embedding_dim` must be at least 1"),
        ({"hidden_dim": 0}, "`hidden_dim` must be at least 1"),
        ({"num_layers": 0}, "`num_layers` must be at least 1"),
        ({"max_sequence_length": 0}, "`max_sequence_length` must be at least 1"),
        ({"dropout": 1.0}, "`dropout` must be at least 0 and below 1"),
        ({"attention": "additive"}, "`attention` must be one of"),
        (
            {"share_embeddings": True, "source_vocabulary_size": 17},
            "`source_vocabulary_size` must be `vocabulary_size`",
        ),
    ],
)
def test_what_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_model(**changes)


def test_without_attention_it_cannot_say_where_it_looked():
    with pytest.raises(ValueError, match="must have attention to say where it looked"):
        beam_search(
            make_model(attention=None), [[3]], START, 1, 2, return_attention=True
        )
