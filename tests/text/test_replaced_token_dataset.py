"""replaced_token_dataset: texts as they were, noise by the seed, feeds fit, errors."""

import keras
import numpy as np
import pytest
from sklearn import metrics

from keras_lm.models import ReplacedTokenDetector, TransformerEncoder
from keras_lm.text import WordMasking, replaced_token_dataset
from keras_lm.training import MaskedCrossEntropy, ReplacedTokenCrossEntropy
from tests.text.samples import MASKER, TOKENIZER

TEXTS = ["def area(width, height):\n    return", "中文分词", "", "🙂 of a square"] * 6
MASKING = WordMasking(MASKER, masked=1.0, random=0.0)
FIT = {"jit_compile": keras.backend.backend() == "jax"}  # XLA takes longer


def dataset_of(**options):
    settings = {"sequence_length": 12, "batch_size": 4, **options}
    return replaced_token_dataset(TEXTS, MASKING, **settings)


def arrays_of(dataset):
    """The batches, as lists."""
    import tensorflow as tf

    return tf.nest.map_structure(lambda array: array.numpy().tolist(), list(dataset))


@pytest.mark.once
def test_what_is_hidden_and_what_was_there():
    texts, noise = [], []
    for inputs, labels, weights in dataset_of(shuffle=False, drop_remainder=False):
        inputs, labels, weights = (
            {name: array.numpy() for name, array in part.items()}
            for part in (inputs, labels, weights)
        )
        masked, original = inputs["token_ids"], labels["detections"]
        is_masked = masked == MASKER.mask_id
        assert (masked[~is_masked] == original[~is_masked]).all()
        counted = weights["guesses"] == 1
        assert np.array_equal(counted.sum(axis=1), is_masked.sum(axis=1))
        # Row by row, in the order of the text.
        assert np.array_equal(labels["guesses"][counted], original[is_masked])
        places = np.nonzero(is_masked)[1]
        assert np.array_equal(inputs["masked_positions"][counted], places)
        assert np.array_equal(weights["detections"] == 1, inputs["padding_mask"])
        texts += original[inputs["padding_mask"]].tolist()
        noise += inputs["guess_noise"].ravel().tolist()

    assert TOKENIZER.decode([n for n in texts if n != 1]) == "".join(TEXTS)
    assert 0 <= min(noise) and max(noise) < 1
    assert abs(np.mean(noise) - 0.5) < 4 / (12 * len(noise)) ** 0.5


@pytest.mark.once
def test_masks_and_noise_are_new_in_each_pass_by_the_seed():
    dataset = dataset_of(shuffle=False)

    first, second = arrays_of(dataset), arrays_of(dataset)

    assert first != second
    for one, two in zip(first, second, strict=True):
        assert one[1]["detections"] == two[1]["detections"]
        assert one[0]["guess_noise"] != two[0]["guess_noise"]
    endless = dataset_of(shuffle=False, repeat=True)
    assert arrays_of(endless.take(2 * len(first))) == first + second


@pytest.mark.slow_elsewhere
def test_fit_learns_and_evaluate_takes_it():
    keras.utils.set_random_seed(0)
    encoder = TransformerEncoder(
        vocabulary_size=MASKER.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=32,
        intermediate_dim=32,
        max_sequence_length=12,
    )
    model = ReplacedTokenDetector(encoder, MASKER.mask_id, 8, 2, 8)
    model.compile(
        keras.optimizers.Adam(0.01),
        loss={
            "guesses": MaskedCrossEntropy(),
            "detections": ReplacedTokenCrossEntropy(),
        },
        loss_weights={"guesses": 1.0, "detections": 50.0},
        **FIT,
    )

    history = model.fit(
        dataset_of(repeat=True, batch_size=16), epochs=2, steps_per_epoch=20, verbose=0
    ).history

    first, last = history["guesses_loss"]
    assert np.log(MASKER.vocabulary_size) + 0.5 > first > last + 0.3
    data = dataset_of(repeat=True, batch_size=16, seed=1).take(4).cache()
    logits, is_replaced = detections(model, data)
    found = model.evaluate(data, verbose=0, return_dict=True)
    total = found["guesses_loss"] + 50 * found["detections_loss"]
    assert abs(found["loss"] - total) < 1e-3 * total
    # Who knows only how many are replaced pays the entropy of their share.
    share = is_replaced.mean()
    entropy = -share * np.log(share) - (1 - share) * np.log(1 - share)
    assert found["detections_loss"] < entropy - 0.02
    assert metrics.roc_auc_score(is_replaced, logits) > 0.7


def detections(model, data):
    """`(logits, whether it was replaced)` of all tokens that count."""
    logits, is_replaced = [], []
    for inputs, labels, weights in data:
        arrays = {name: array.numpy() for name, array in inputs.items()}
        found = keras.ops.convert_to_numpy(model(arrays)["detections"])
        real = weights["detections"].numpy() == 1
        logits.append(found[..., 0][real])
        is_replaced.append((found[..., 1] != labels["detections"].numpy())[real])
    return np.concatenate(logits), np.concatenate(is_replaced)


@pytest.mark.once
def test_masking_that_leaves_tokens_is_refused():
    with pytest.raises(ValueError, match="`masking` must put the mask token at every"):
        replaced_token_dataset(TEXTS, WordMasking(MASKER), 12, 4)
