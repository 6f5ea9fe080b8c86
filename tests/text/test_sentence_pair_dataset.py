"""sentence_pair_dataset: new pairs in each pass by the seed, feeds fit."""

import keras
import numpy as np
import pytest

from keras_lm.models import (
    MaskedLanguageModel,
    SequenceClassifier,
    TransformerEncoder,
)
from keras_lm.text import WordMasking, sentence_pair_dataset
from keras_lm.training import MaskedCrossEntropy
from tests.text.samples import TOKENIZER

TEXTS = ["A width. A height! An area?", "中文。分词！", "🙂 of a. ÿ."] * 4
FIT = {"jit_compile": keras.backend.backend() == "jax"}  # XLA takes longer


def dataset_of(kind="order", **options):
    return sentence_pair_dataset(TEXTS, TOKENIZER, kind, 30, 4, **options)


def arrays_of(dataset):
    return [
        (inputs["token_ids"].numpy().tolist(), labels.numpy().tolist())
        for inputs, labels in dataset
    ]


@pytest.mark.once
@pytest.mark.parametrize("kind", ["order", "next"])
def test_each_pass_has_other_pairs_by_the_seed(kind):
    dataset = dataset_of(kind, shuffle=False)

    first, second = arrays_of(dataset), arrays_of(dataset)

    assert first != second and len(first) == int(dataset.cardinality()) == 3
    endless = dataset_of(kind, shuffle=False, repeat=True)
    assert arrays_of(endless.take(6)) == first + second
    assert arrays_of(dataset_of(kind, shuffle=False, seed=1)) != first
    inputs, labels = dataset.element_spec
    shapes = {name: tuple(one.shape) for name, one in inputs.items()}
    names = ("token_ids", "padding_mask", "segment_ids")
    assert shapes == dict.fromkeys(names, (4, 30))
    assert tuple(labels.shape) == (4,)


def make_encoder(tokenizer):
    return TransformerEncoder(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=30,
        num_segments=2,
    )


@pytest.mark.slow_elsewhere
def test_fit_learns_and_evaluate_takes_it():
    keras.utils.set_random_seed(0)
    model = SequenceClassifier(make_encoder(TOKENIZER), 2, dropout=0.0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.02), loss, **FIT)

    history = model.fit(
        dataset_of(repeat=True), epochs=2, steps_per_epoch=40, verbose=0
    )

    first, last = history.history["loss"]
    assert first > last and last < np.log(2) - 0.1
    assert model.evaluate(dataset_of(), verbose=0) < np.log(2)


def test_fit_takes_both_losses():
    keras.utils.set_random_seed(0)
    tokenizer = TOKENIZER.with_special_tokens()
    dataset = sentence_pair_dataset(
        TEXTS, tokenizer, "next", 30, 4, masking=WordMasking(tokenizer), repeat=True
    )
    model = MaskedLanguageModel(make_encoder(tokenizer), judges_pairs=True)
    pairs = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = {"tokens": MaskedCrossEntropy(), "pairs": pairs}
    model.compile(keras.optimizers.Adam(0.02), losses, **FIT)

    history = model.fit(dataset, epochs=2, steps_per_epoch=12, verbose=0).history

    assert {"loss", "tokens_loss", "pairs_loss"} <= {*history}
    first, last = history["tokens_loss"]
    assert last < first - 0.5
    before = model.evaluate(dataset.take(3), verbose=0, return_dict=True)
    assert before["loss"] == pytest.approx(
        before["tokens_loss"] + before["pairs_loss"], rel=1e-4
    )
