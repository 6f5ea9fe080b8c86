"""What Keras does in `fit`: accumulation, best weights, precision; then quantised."""

import keras
import numpy as np
import pytest

from keras_lm import pipelines
from keras_lm.models import SequenceClassifier, TransformerDecoder, TransformerEncoder
from keras_lm.models.quantized_layers import quantized_layers
from keras_lm.models.quick_deletion import quick_deletion
from keras_lm.text import classification_dataset, language_model_dataset
from keras_lm.training import (
    MaskedCrossEntropy,
    enable_lora,
    merge_adapters,
    unfreeze,
)
from tests.checks import assert_close
from tests.fakes import random_weights
from tests.text.samples import CORPUS, TOKENIZER
from tests.training.small_classifier import (
    INPUTS,
    JAX,
    LOSS,
    fit,
    make_classifier,
    values,
)


@pytest.mark.slow_elsewhere
def test_two_small_batches_are_one_large_one():
    # The second and fourth text are padded: each text counts once all the same.
    # (Without clipping: on TensorFlow, Keras takes the norm of an embedding's gradient
    # before it adds up the places of one token.)
    options = {"learning_rate": 0.5, "momentum": 0.9, "weight_decay": 0.1}
    small, large = make_classifier(), make_classifier()
    accumulate = keras.optimizers.SGD(**options, gradient_accumulation_steps=2)
    before = values(small)

    fit(small, accumulate, batch_size=2, epochs=3)
    fit(large, keras.optimizers.SGD(**options), batch_size=4, epochs=3)

    for (path, one), other in zip(values(small).items(), values(large).values()):
        assert_close(one, other)
        assert path.endswith("key/bias") or np.abs(one - before[path]).max() > 1e-3
    assert int(accumulate.iterations) == 3


def test_losses_of_tokens_are_accumulated_as_a_mean_of_means():
    # Batches of 3 and of 1 real tokens: each batch counts once, whatever its size.
    token_ids = np.array([[0, 1, 2], [1, 0, 0]], "int32")
    labels = np.array([[1, 3, 0], [2, 0, 0]], "int32")
    weights = np.array([[1, 1, 1], [1, 0, 0]], "float32")

    def step_of(rows, batch_size=1, **options):
        embedding = keras.layers.Embedding(4, 4, embeddings_initializer="zeros")
        model = keras.Sequential([keras.Input((3,), dtype="int32"), embedding])
        optimizer = keras.optimizers.SGD(1.0, **options)
        model.compile(optimizer, MaskedCrossEntropy(), jit_compile=JAX)
        data = [array[rows] for array in (token_ids, labels)]
        model.fit(
            *data,
            sample_weight=weights[rows],
            batch_size=batch_size,
            shuffle=False,
            verbose=0,
        )
        return keras.ops.convert_to_numpy(embedding.embeddings)

    first, second = step_of([0]), step_of([1])
    small = step_of([0, 1], gradient_accumulation_steps=2)
    large = step_of([0, 1], batch_size=2)

    assert_close(small, (first + second) / 2)
    assert_close(large, (3 * first + second) / 4)
    assert np.abs(small - large).max() > 0.01


class Keep(keras.callbacks.Callback):
    """The weights and the loss after each epoch."""

    def on_train_begin(self, logs=None):
        self.weights, self.losses = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append(values(self.model))
        self.losses.append(logs["val_loss"])


@pytest.mark.slow_elsewhere
def test_early_stopping_ends_with_the_best_weights_in_mixed_precision_too():
    # Validation has other labels: what is learned helps at first, then harms.
    others = np.array([0, 2, 2, 1], "int32")
    model = make_classifier(dtype="mixed_float16")
    enable_lora(model, rank=2, alpha=8.0)
    unfreeze(model, "head")
    keep = Keep()
    stop = keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)
    fit(
        model,
        keras.optimizers.Adam(0.02),
        epochs=30,
        validation_data=(INPUTS, others),
        callbacks=[stop, keep],
    )

    best = int(np.argmin(keep.losses))
    assert 0 < best == len(keep.losses) - 3  # or nothing was restored
    for path, array in values(model).items():
        assert_close(array, keep.weights[best][path], 0)
        assert array.dtype == "float32"
    logits = model.predict(INPUTS, verbose=0)
    assert_close(LOSS(others, logits), keep.losses[best], 1e-3)


TEXTS = ["def area(", "", "中文 🙂"]
SIZES = {"num_layers": 1, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 6}


def make_generator():
    model = TransformerDecoder(
        TOKENIZER.vocabulary_size, **SIZES, max_sequence_length=20
    )
    data = language_model_dataset(CORPUS, TOKENIZER, 12, 4).take(2)
    generator = pipelines.TextGenerator(model, TOKENIZER, max_new_tokens=7)
    return generator, data, MaskedCrossEntropy(), lambda one: one.score(TEXTS[::2])


def make_labeller():
    sizes = {**SIZES, "max_sequence_length": 20}
    encoder = TransformerEncoder(TOKENIZER.vocabulary_size, **sizes)
    model = SequenceClassifier(encoder, 2)
    data = classification_dataset(TEXTS, ["-", "+", "+"], TOKENIZER, ["-", "+"])
    classifier = pipelines.TextClassifier(model, TOKENIZER, ["-", "+"])
    return classifier, data, LOSS, lambda one: one.logits(TEXTS)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("make", "mode"), [(make_generator, "int4"), (make_labeller, "int8")]
)
def test_an_adapted_model_is_merged_quantised_saved_and_read(make, mode, tmp_path):
    pipeline, data, loss, numbers_of = make()
    random_weights(pipeline.model, seed=0)
    before = numbers_of(pipeline)
    enable_lora(pipeline.model, rank=2, alpha=8.0)
    pipeline.model.compile(keras.optimizers.Adam(0.1), loss, jit_compile=JAX)
    pipeline.model.fit(data, verbose=0)
    adapted = numbers_of(pipeline)
    merge_adapters(pipeline.model)
    assert_close(numbers_of(pipeline), adapted, 1e-4)
    with quick_deletion():
        pipeline.model.quantize(mode)
    expected, answers = numbers_of(pipeline), pipeline(TEXTS)
    pipeline.save(tmp_path / "pipeline")

    loaded = pipelines.load(tmp_path / "pipeline")

    assert loaded(TEXTS) == answers
    assert_close(numbers_of(loaded), expected, 1e-5)
    modes = quantized_layers(loaded.model)["quantized_layers"]
    assert {one.partition("/")[0] for one in modes.values()} == {mode}
    # Each step shows.
    for one, other in [(before, adapted), (adapted, expected)]:
        assert np.abs(one - other).max() > 1e-3
