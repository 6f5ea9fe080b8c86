"""similarity_dataset: pairs with their similarity, training, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import DualEncoder, TransformerEncoder
from keras_lm.text import similarity_dataset
from keras_lm.training import SimilarityError
from tests.checks import JIT
from tests.text.samples import TOKENIZER

PAIRS = [("q", "u"), ("q", "v"), (b"r", "w")]
SIMILARITIES = [0.25, 1.0, -0.5]


@pytest.mark.once
def test_a_case_done_by_hand():
    dataset = similarity_dataset(
        PAIRS, SIMILARITIES, TOKENIZER, 2, num_buckets=1, shuffle=False
    )

    (_, first, weights), (inputs, second, last) = dataset

    assert first.numpy().tolist() == [[0.25, 0], [0, 1]]
    assert weights.numpy().tolist() == [[1, 0], [0, 1]]
    # The first pair fills the last batch.
    assert second.numpy().tolist() == [[-0.5, 0], [0, 0.25]]
    assert last.numpy().tolist() == [[1, 0], [0, 0]]
    assert inputs["other_token_ids"].shape == (2, 1, len(TOKENIZER.encode("u")) + 1)


@pytest.mark.slow_elsewhere
def test_fit_brings_the_cosines_there():
    keras.utils.set_random_seed(1)
    encoder = TransformerEncoder(TOKENIZER.vocabulary_size, 1, 2, 8, 6, 40)
    model = DualEncoder(encoder)
    model.compile(keras.optimizers.Adam(0.02), SimilarityError(), jit_compile=JIT)
    pairs = [("area", "width"), ("area", "中文"), ("🙂", "circle"), ("🙂", "width")]
    dataset = similarity_dataset(
        pairs, [0.9, 0.0, 0.3, -0.4], TOKENIZER, 4, num_buckets=1
    )

    history = model.fit(dataset, epochs=40, verbose=0, shuffle=False).history["loss"]

    assert history[-1] < 0.01 < 0.1 < history[0]


@pytest.mark.once
@pytest.mark.parametrize(
    ("pairs", "similarities", "message"),
    [
        (PAIRS, [1.0], "a similarity for each pair. Received: 3 pairs and 1 sim"),
        (PAIRS, [0, 1, 5], "must be from -1 to 1. Received: 5.0 of pair 2"),
        (PAIRS, [0, np.nan, 1], "must be from -1 to 1. Received: nan of pair 1"),
        ([], [], "`pairs` must hold at least one tuple. Received: none"),
        ([("a",)], [1], "`pairs` must be tuples of two texts or more.*1 in row 0"),
        ([("a", "b", "c")], [1], "`pairs` must be of two texts. Received: 3 in row 0"),
    ],
)
def test_what_does_not_fit_is_refused(pairs, similarities, message):
    with pytest.raises(ValueError, match=message):
        similarity_dataset(pairs, similarities, TOKENIZER)


@pytest.mark.once
@pytest.mark.parametrize(
    "similarity", ["0.5", b"1", [1.0], [[1.0], 2.0], np.ones(1), None, {}]
)
def test_what_is_no_number_is_refused(similarity):
    with pytest.raises(TypeError, match="must be a number. Received: .* of pair 2"):
        similarity_dataset(PAIRS, [0, np.float32(1), similarity], TOKENIZER)
    with pytest.raises(TypeError, match="`pairs` must be a list of tuples. Received"):
        similarity_dataset("中文", [1], TOKENIZER)
    for similarities in (None, 1.0, "1"):
        with pytest.raises(TypeError, match="`similarities` must be a list. Received"):
            similarity_dataset(PAIRS, similarities, TOKENIZER)
    with pytest.raises(TypeError, match="`pairs` must be tuples or lists of texts. Re"):
        similarity_dataset([3], [1], TOKENIZER)
