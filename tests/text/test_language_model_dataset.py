"""language_model_dataset: every token once, order by seed, feeds fit, errors."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lm.text import encode_corpus, language_model_dataset
from tests.text.samples import TEXTS, TOKENIZER, gpt2_tokenizer

ROOT = Path(__file__).parents[2]
WORDS = ["def area(width, height):\n    return width", "中文分词", "of a square."] * 30
STREAM = encode_corpus(WORDS, TOKENIZER)
ORDER = """
import json, sys
import tensorflow as tf
from keras_lm.text import language_model_dataset
from tests.text.samples import TOKENIZER
tf.random.set_seed(99)
texts = json.loads(sys.argv[1])
dataset = language_model_dataset(texts, TOKENIZER, 5, 3, seed=7, repeat=True)
rows = [batch[0].numpy().tolist() for batch in dataset.skip(11).take(6)]
print(json.dumps(rows))
"""


def dataset_of(texts=WORDS, sequence_length=5, batch_size=3, **options):
    return language_model_dataset(
        texts, TOKENIZER, sequence_length, batch_size, **options
    )


def rows_of(dataset):
    return [batch[0].numpy().tolist() for batch in dataset]


@pytest.mark.once
def test_a_tokenizer_without_padding_pads_with_zeros():
    # GPT-2's: "b", with its end before and behind, in a window of three.
    tokenizer = gpt2_tokenizer()
    (b,), end = tokenizer.encode("b"), tokenizer.separator_id
    dataset = language_model_dataset(["b"], tokenizer, 3, 1, drop_remainder=False)

    assert tokenizer.padding_id is None
    assert [part.numpy().tolist() for part in next(iter(dataset))] == [
        *[[[end, b, 0]], [[b, end, 0]], [[1.0, 1.0, 0.0]]]
    ]


@pytest.mark.once
def test_a_case_done_by_hand():
    # "ÿ" is 198 194, 1 separates: 1 198 194 1 198 194 1 198 194 1, nine to predict,
    # of which 2 x 2 x 2 fill batches.
    batches = list(dataset_of(["ÿ"] * 3, 2, 2, shuffle=False))

    assert [[part.numpy().tolist() for part in batch] for batch in batches] == [
        [[[1, 198], [194, 1]], [[198, 194], [1, 198]]],
        [[[198, 194], [1, 198]], [[194, 1], [198, 194]]],
    ]
    # The ninth, and the padding of its window and batch.
    rest = list(dataset_of(["ÿ"] * 3, 2, 2, shuffle=False, drop_remainder=False))[2]
    assert [part.numpy().tolist() for part in rest] == [
        [[194, 0], [0, 0]],
        [[1, 0], [0, 0]],
        [[1.0, 0.0], [0.0, 0.0]],
    ]


@pytest.mark.once
@settings(max_examples=30)
@given(
    st.lists(TEXTS, min_size=1, max_size=4).filter(any),
    st.integers(1, 7),
    st.integers(1, 5),
    st.booleans(),
)
def test_without_dropping_each_token_is_predicted_once(texts, length, size, shuffle):
    stream = encode_corpus(texts, TOKENIZER)

    dataset = dataset_of(texts, length, size, shuffle=shuffle, drop_remainder=False)
    token_ids, next_token_ids, weights = (
        np.concatenate([part.numpy() for part in parts])
        for parts in zip(*dataset, strict=True)
    )

    assert len(dataset) * size == len(weights)
    assert token_ids.shape == next_token_ids.shape == weights.shape
    real = weights.astype(bool)
    pairs = np.stack([token_ids[real], next_token_ids[real]], axis=1).tolist()
    wanted = np.stack([stream[:-1], stream[1:]], axis=1).tolist()
    assert (pairs if not shuffle else sorted(pairs)) == (
        wanted if not shuffle else sorted(wanted)
    )
    assert not token_ids[~real].any() and not next_token_ids[~real].any()


@pytest.mark.once
def test_shapes_types_and_number_are_known():
    dataset = dataset_of()

    kinds = [(spec.shape.as_list(), spec.dtype.name) for spec in dataset.element_spec]
    assert kinds == [([3, 5], "int32"), ([3, 5], "int32")]
    assert int(dataset.cardinality()) == (len(STREAM) - 1) // 15 == len(list(dataset))
    assert int(dataset_of(repeat=True).cardinality()) == -1
    weights = dataset_of(drop_remainder=False).element_spec[2]
    assert (weights.shape.as_list(), weights.dtype.name) == ([3, 5], "float32")


@pytest.mark.once
def test_each_pass_has_another_order_of_the_same_windows():
    dataset = dataset_of(batch_size=1)

    first, second = rows_of(dataset), rows_of(dataset)

    in_order = rows_of(dataset_of(batch_size=1, shuffle=False))
    assert first != second and in_order not in (first, second)
    assert sorted(first) == sorted(second) == sorted(in_order)
    assert rows_of(dataset_of(batch_size=1)) == first
    assert rows_of(dataset_of(batch_size=1, seed=1)) not in (first, second)


@pytest.mark.once
def test_repeat_gives_the_passes_one_after_another_to_every_iterator():
    dataset = dataset_of()
    two_passes = rows_of(dataset) + rows_of(dataset)
    endless = dataset_of(repeat=True)

    assert rows_of(endless.take(len(two_passes))) == two_passes
    assert rows_of(endless.take(len(two_passes))) == two_passes
    assert rows_of(dataset_of().repeat(2)) == two_passes


@pytest.mark.once
def test_another_process_goes_on_where_this_one_stopped():
    process = subprocess.run(
        [sys.executable, "-c", ORDER, json.dumps(WORDS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert process.returncode == 0, process.stderr
    here = rows_of(dataset_of(seed=7, repeat=True).take(17))[11:]
    assert json.loads(process.stdout.splitlines()[-1]) == here


@pytest.mark.parametrize("drop_remainder", [True, False])
def test_fit_and_evaluate_take_it(drop_remainder):
    model = keras.Sequential(
        [
            keras.layers.Embedding(TOKENIZER.vocabulary_size, 11),
            keras.layers.Dense(TOKENIZER.vocabulary_size),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss=loss)
    dataset = dataset_of(drop_remainder=drop_remainder)

    history = model.fit(dataset, epochs=2, verbose=0).history["loss"]

    assert history[1] < history[0]
    assert model.evaluate(dataset, verbose=0) < history[0]


@pytest.mark.once
def test_less_than_one_batch_is_refused():
    # 7 tokens, of which 6 to predict: one batch of 2 x 3 and not of 2 x 4.
    assert len(dataset_of(["ÿ"] * 2, 3, 2)) == 1
    with pytest.raises(ValueError, match=r"takes 9 tokens \(2 x 4 .* of 7 tokens"):
        dataset_of(["ÿ"] * 2, 4, 2)
    assert len(dataset_of(["ÿ"] * 2, 4, 2, drop_remainder=False)) == 1


@pytest.mark.once
def test_no_text_is_refused():
    with pytest.raises(ValueError, match="`texts` must hold some text"):
        dataset_of(["", ""])
    for strange in ("one text", {"one": 1}, None):
        with pytest.raises(TypeError, match="`texts` must be a list of texts"):
            dataset_of(strange)


@pytest.mark.once
@pytest.mark.parametrize(
    "argument, value, least",
    [("sequence_length", 0, 1), ("batch_size", 0, 1), ("seed", -1, 0)],
)
def test_numbers_out_of_range_are_refused(argument, value, least):
    with pytest.raises(ValueError, match=f"`{argument}` must be at least {least}"):
        dataset_of(**{argument: value})
