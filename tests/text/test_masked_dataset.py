"""masked_dataset: rows as MaskedRows makes them, new masks in each pass, feeds fit."""

import keras
import numpy as np
import pytest

from keras_lm.models import MaskedLanguageModel, TransformerEncoder
from keras_lm.text import WordMasking, masked_dataset
from keras_lm.training import MaskedCrossEntropy
from tests.text.samples import MASKER

TEXTS = [
    "def area(width, height):\n    return width",
    "中文分词",
    "",
    "🙂 of a square.",
] * 6
MASKING = WordMasking(MASKER)
FIT = {"jit_compile": keras.backend.backend() == "jax"}  # XLA takes longer


def dataset_of(texts=TEXTS, sequence_length=12, batch_size=4, **options):
    return masked_dataset(texts, MASKING, sequence_length, batch_size, **options)


def arrays_of(dataset):
    return [
        ({name: array.numpy().tolist() for name, array in inputs.items()}, *others)
        for inputs, *others in (
            (inputs, labels.numpy().tolist(), weights.numpy().tolist())
            for inputs, labels, weights in dataset
        )
    ]


@pytest.mark.once
def test_each_pass_hides_other_words_of_the_same_texts():
    dataset = dataset_of(shuffle=False, drop_remainder=False)

    first, second = arrays_of(dataset), arrays_of(dataset)

    assert first != second
    for (one, *_), (two, *_) in zip(first, second, strict=True):
        assert one["padding_mask"] == two["padding_mask"]
    again = dataset_of(shuffle=False, drop_remainder=False)
    assert (arrays_of(again), arrays_of(again)) == (first, second)
    endless = dataset_of(shuffle=False, drop_remainder=False, repeat=True)
    assert arrays_of(endless.skip(len(first)).take(len(second))) == second
    assert arrays_of(dataset_of(seed=1)) != arrays_of(dataset_of())


@pytest.mark.once
def test_types_and_number_are_known():
    dataset = dataset_of()

    inputs, labels, weights = dataset.element_spec

    kinds = {
        name: (spec.dtype.name, tuple(spec.shape)) for name, spec in inputs.items()
    }
    most = labels.shape[1]
    assert kinds == {
        "token_ids": ("int32", (4, 12)),
        "padding_mask": ("bool", (4, 12)),
        "masked_positions": ("int32", (4, most)),
    }
    assert (labels.dtype.name, weights.dtype.name) == ("int32", "float32")
    assert tuple(weights.shape) == (4, most) and most < 12
    assert int(dataset.cardinality()) == len(arrays_of(dataset))
    assert int(dataset_of(repeat=True).cardinality()) == -1


@pytest.mark.slow_elsewhere
def test_fit_learns_and_evaluate_takes_it():
    encoder = TransformerEncoder(
        vocabulary_size=MASKER.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=12,
    )
    model = MaskedLanguageModel(encoder)
    model.compile(keras.optimizers.Adam(0.02), MaskedCrossEntropy(), **FIT)
    dataset = dataset_of(repeat=True)

    history = model.fit(dataset, epochs=3, steps_per_epoch=12, verbose=0)

    first, *_, last = history.history["loss"]
    assert np.log(MASKER.vocabulary_size) + 0.5 > first > last + 0.5
    assert model.evaluate(dataset_of(), verbose=0) < first


@pytest.mark.once
def test_errors():
    with pytest.raises(ValueError, match="`texts` must hold some text"):
        dataset_of([""])
    with pytest.raises(ValueError, match="`sequence_length` must have room"):
        dataset_of(sequence_length=1)
    with pytest.raises(ValueError, match="too few for one batch.*Received: 1 rows"):
        dataset_of(["a"])
