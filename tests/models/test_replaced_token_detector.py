"""ReplacedTokenDetector: its contract, draws by hand, no gradient through them."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.models import LSTMEncoder, ReplacedTokenDetector, TransformerEncoder
from keras_lm.training import MaskedCrossEntropy, ReplacedTokenCrossEntropy
from tests.checks import assert_close, check_layer, compiled, outputs_of, padding
from tests.fakes import random_weights

MASK = 12
TOKENS = [[3, MASK, 5, 1, MASK, MASK, 2], [4, 7, MASK, 0, 6, 9, 3]]
TOKEN_IDS = np.array(TOKENS, "int32")
POSITIONS = np.array([[1, 4, 5], [2, 0, 0]], "int32")
ORIGINAL = np.array([[3, 11, 5, 1, 8, 0, 2], [4, 7, 10, 0, 6, 9, 3]], "int32")
# Draws the first, the last and the first token whatever the softmax, in any precision.
NOISE = np.array([[0.0, 0.99999, 0.0], [0.99999, 0.0, 0.0]], "float32")
REAL = padding(2, 7)
INPUTS = {
    "token_ids": TOKEN_IDS,
    "masked_positions": POSITIONS,
    "guess_noise": NOISE,
    "padding_mask": REAL,
}
LABELS = {"guesses": np.array([[11, 8, 0], [10, 4, 4]]), "detections": ORIGINAL}
WEIGHTS = {
    "guesses": np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]),
    "detections": REAL.astype("float32"),
}
BERT = {"num_segments": 2, "embedding_dim": 8, "normalize_first": False}


def make_model(changes=None, **settings):
    sizes = {
        "vocabulary_size": 13,
        "num_layers": 1,
        "num_heads": 3,
        "hidden_dim": 18,
        "intermediate_dim": 11,
        "max_sequence_length": 19,
    }
    encoder = TransformerEncoder(**{**sizes, **(changes or {})})
    generator = {"generator_dim": 16, "generator_heads": 2}
    generator["generator_intermediate_dim"] = 7
    return ReplacedTokenDetector(encoder, **{"mask_id": MASK, **generator, **settings})


@pytest.mark.slow_elsewhere
def test_model_contract():
    segment_ids = np.array([[0] * 3 + [1] * 4] * 2, "int32")

    check_layer(
        make_model(BERT),
        {**INPUTS, "segment_ids": segment_ids},
        [(2, 7, 2), (2, 3, 13)],
        unmoved=("key/bias",),
    )


def test_each_mask_token_takes_its_guess():
    shown = outputs_of(make_model()(**INPUTS)["detections"])[0][..., 1]

    assert shown.tolist() == [[3, 0, 5, 1, 12, 0, 2], [4, 7, 12, 0, 6, 9, 3]]


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_guesses_are_drawn_from_the_softmax(policy):
    # Without weights the logits are the bias: tokens 3, 5 and 8 with 1/4, 1/2, 1/4.
    model = make_model({"dtype": policy}, dtype=policy)
    model.set_weights([np.zeros(weight.shape) for weight in model.weights])
    chances = np.full(13, 1e-9)
    chances[[3, 5, 8]] = [0.25, 0.5, 0.25]
    model.head.bias.assign(np.log(chances))
    noise = np.array([[0.2499, 0.2501, 0.7499], [0.7501, 0.0, 0.0]], "float32")

    outputs = model({**INPUTS, "guess_noise": noise})

    shown = outputs_of(outputs["detections"])[0][..., 1]
    assert shown[0, [1, 4, 5]].tolist() == [3, 5, 5]
    assert shown[1, 2] == 8
    assert_close(ops.softmax(outputs["guesses"]), np.tile(chances, (2, 3, 1)))


def test_detections_are_those_of_the_text_that_is_shown():
    model = make_model()
    random_weights(model, seed=1)
    detections = outputs_of(model(**INPUTS)["detections"])[0]
    text = detections[..., 1].astype("int32")

    hidden = model.encoder(text, padding_mask=REAL)
    logits = outputs_of(model.detector(model.dense(hidden)))[0]
    assert_close(logits[..., 0], detections[..., 0], 1e-4)
    whole = outputs_of(compiled(model)(**INPUTS)["detections"])[0]
    assert_close(whole, detections, 1e-4)


def moved_by(guesses, detections):
    """Names of weights that a step with these loss weights moves."""
    model = make_model(BERT)
    random_weights(model, seed=1)
    model.compile(
        keras.optimizers.SGD(0.5),
        loss={
            "guesses": MaskedCrossEntropy(),
            "detections": ReplacedTokenCrossEntropy(),
        },
        loss_weights={"guesses": guesses, "detections": detections},
        jit_compile=keras.backend.backend() == "jax",  # XLA takes longer
    )
    before = [outputs_of(weight)[0].copy() for weight in model.weights]
    dataset = keras.tree.map_structure(np.asarray, (INPUTS, LABELS, WEIGHTS))
    model.train_on_batch(*dataset)
    return {
        weight.path.split("/", 1)[1]
        for weight, old in zip(model.weights, before, strict=True)
        if np.abs(outputs_of(weight)[0] - old).max() > 1e-7
    }


@pytest.mark.slow_elsewhere
def test_no_gradient_passes_the_draw_and_embeddings_are_shared():
    by_guesses, by_detections = moved_by(1.0, 0.0), moved_by(0.0, 50.0)

    shared = {one for one in by_guesses & by_detections if "embedding" in one}
    assert by_guesses & by_detections == shared
    assert any("token_embedding" in one for one in shared)
    assert any(one.startswith("generator_block") for one in by_guesses)
    assert not any(one.startswith("generator") for one in by_detections)
    assert any(one.startswith("detector") for one in by_detections)
    assert not any(one.startswith("detector") for one in by_guesses)


def test_errors():
    for settings, message in [
        ({"generator_dim": 0}, "`generator_dim` must be at least 1"),
        ({"generator_heads": 3}, "`hidden_dim` must be a multiple of `num_heads`"),
        ({"generator_intermediate_dim": 0}, "`generator_intermediate_dim` must be at"),
        ({"mask_id": None}, "`mask_id` must be at least 0 .* Received: mask_id=None"),
        ({"mask_id": 13}, "`mask_id` must be at least 0 and below .*, 13. Received"),
    ]:
        with pytest.raises(ValueError, match=message):
            make_model(**settings)
    with pytest.raises(ValueError, match="`masked_positions` and `guess_noise` must"):
        make_model()(TOKEN_IDS)
    message = "`encoder` must be a `models.TransformerEncoder`.*<LSTMEncoder name="
    with pytest.raises(TypeError, match=message):
        ReplacedTokenDetector(LSTMEncoder(13, 5, 6), MASK, 16, 2, 7)
