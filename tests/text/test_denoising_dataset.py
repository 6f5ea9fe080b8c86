"""denoising_dataset: texts come back, new gaps in each pass, feeds fit, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import TransformerEncoderDecoder
from keras_lm.text import SpanDenoising, TextInfilling, denoising_dataset
from keras_lm.training import MaskedCrossEntropy
from tests.fakes import random_weights
from tests.text.samples import MASKER

TEXTS = [
    "def area(width, height):\n    return width",
    "中文分词",
    "",
    "🙂 of a",
    "a",
] * 5
CORRUPTIONS = {"spans": SpanDenoising(MASKER, 0.3), "infilling": TextInfilling(MASKER)}
NAMES = [*CORRUPTIONS]
FIT = {"jit_compile": keras.backend.backend() == "jax"}  # XLA takes longer


def dataset_of(name, texts=TEXTS, sequence_length=14, batch_size=4, **options):
    corruption = CORRUPTIONS[name]
    return denoising_dataset(texts, corruption, sequence_length, batch_size, **options)


def rows_of(dataset):
    """`(source, target)` of each row, as lists without separators and padding."""
    rows = []
    for inputs, labels, weights in dataset:
        sources, real = inputs["encoder_token_ids"], inputs["encoder_padding_mask"]
        for row in zip(sources.numpy(), real.numpy(), labels.numpy(), weights.numpy()):
            source, is_real, target, weight = row
            assert source[is_real][-1] == target[weight == 1][-1] == 1
            source, target = source[is_real][:-1], target[weight == 1][:-1]
            rows.append((source.tolist(), target.tolist()))
    return rows


def mended(source, target):
    """The text that the two give."""
    if MASKER.sentinel_ids[0] not in source:
        return MASKER.decode(target or source)
    text, sentinels = [], MASKER.sentinel_ids
    for token in source:
        if token in sentinels:
            place = target.index(token) + 1
            while place < len(target) and target[place] not in sentinels:
                text.append(target[place])
                place += 1
        else:
            text.append(token)
    return MASKER.decode(text)


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
def test_the_texts_come_back(name):
    rows = rows_of(dataset_of(name, shuffle=False, drop_remainder=False))

    assert "".join(mended(*row) for row in rows) == "".join(TEXTS)
    assert any(source != target for source, target in rows)


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
def test_each_pass_has_other_gaps_by_the_seed(name):
    dataset = dataset_of(name, shuffle=False)

    first, second = rows_of(dataset), rows_of(dataset)

    assert first != second
    endless = dataset_of(name, shuffle=False, repeat=True)
    assert rows_of(endless.take(2 * len(dataset))) == first + second
    assert rows_of(dataset_of(name, shuffle=False, seed=1)) != first


@pytest.mark.once
def test_all_batches_have_one_shape():  # the longest part of a text has 10 tokens
    inputs, labels, weights = dataset_of("infilling").element_spec

    kinds = {name: (one.dtype.name, tuple(one.shape)) for name, one in inputs.items()}
    assert kinds == {
        "encoder_token_ids": ("int32", (4, 11)),
        "decoder_token_ids": ("int32", (4, 11)),
        "encoder_padding_mask": ("bool", (4, 11)),
        "decoder_padding_mask": ("bool", (4, 11)),
    }
    assert (tuple(labels.shape), weights.dtype.name) == ((4, 11), "float32")


@pytest.mark.once
@pytest.mark.parametrize("name", NAMES)
def test_loss_is_of_what_weighs_and_of_nothing_else(name):
    model = TransformerEncoderDecoder(MASKER.vocabulary_size, 1, 2, 8, 6, 14)
    random_weights(model, seed=0)
    inputs, labels, weights = next(iter(dataset_of(name, shuffle=False)))
    inputs = {key: array.numpy() for key, array in inputs.items()}
    labels, counts = labels.numpy(), weights.numpy() > 0

    def loss(labels=labels, **changes):
        logits = model({**inputs, **changes})
        return float(MaskedCrossEntropy()(labels, logits, counts.astype("float32")))

    assert np.array_equal(counts, inputs["decoder_padding_mask"])
    assert loss(np.where(counts, labels, 9)) == loss()
    assert loss(np.where(counts, 9, labels)) != loss()
    for side in ("encoder", "decoder"):
        token_ids = inputs[f"{side}_token_ids"]
        real = inputs[f"{side}_padding_mask"]
        assert 0 < real.sum() < real.size
        changed = {f"{side}_token_ids": np.where(real, token_ids, 9)}
        assert loss(**changed) == loss()
        changed = {f"{side}_token_ids": np.where(real, 9, token_ids)}
        assert loss(**changed) != loss()


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", ["spans", "infilling"])
def test_fit_learns_and_evaluate_takes_it(name):
    model = TransformerEncoderDecoder(
        vocabulary_size=MASKER.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=16,
        max_sequence_length=14,
    )
    model.compile(keras.optimizers.Adam(0.02), MaskedCrossEntropy(), **FIT)

    history = model.fit(
        dataset_of(name, repeat=True), epochs=2, steps_per_epoch=15, verbose=0
    )

    first, last = history.history["loss"]
    assert np.log(MASKER.vocabulary_size) + 0.5 > first > last + 0.5
    assert model.evaluate(dataset_of(name), verbose=0) < first


@pytest.mark.once
def test_errors():
    with pytest.raises(ValueError, match="`texts` must hold some text"):
        dataset_of("spans", [""])
    with pytest.raises(ValueError, match="must have .* sentinels for so long a text"):
        dataset_of("spans", ["ÿ" * 999], 999)
    with pytest.raises(ValueError, match="`sequence_length` must have room"):
        dataset_of("infilling", sequence_length=1)
