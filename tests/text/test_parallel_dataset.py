"""parallel_dataset: every pair once, few shapes, order by seed, feeds fit, errors."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from keras_lm.text import parallel_dataset, train_tokenizer
from tests.text.samples import TEXTS, TOKENIZER

OTHER = train_tokenizer(["一二三四五 widths and areas"] * 9, vocabulary_size=300)
WORDS = ["area", "of a square", "中文分词", "🙂", "width * height", "é"]
PAIRS = [(" ".join(WORDS[: n % 6 + 1]), WORDS[n % 5] * (n % 3 + 1)) for n in range(50)]


def dataset_of(pairs=PAIRS, max_batch_tokens=300, **options):
    return parallel_dataset(pairs, TOKENIZER, OTHER, max_batch_tokens, **options)


def arrays_of(batch):
    inputs, labels, weights = batch
    return {name: array.numpy() for name, array in inputs.items()}, *(
        array.numpy() for array in (labels, weights)
    )


def pairs_of(dataset):
    """The pairs that weigh something, as text, batch by batch."""
    batches = []
    for inputs, labels, weights in map(arrays_of, dataset):
        counted = np.flatnonzero(weights.any(axis=1))
        sources = inputs["encoder_token_ids"][counted].tolist()
        targets = labels[counted].tolist()
        batches.append(
            [*zip(TOKENIZER.decode(sources), OTHER.decode(targets), strict=True)]
        )
    return batches


def flat(batches):
    return [pair for batch in batches for pair in batch]


@pytest.mark.once
def test_a_case_done_by_hand():
    # "ÿ" is 198 194 in both vocabularies, and 1 separates.
    given = {"num_buckets": 1, "shuffle": False}
    dataset = dataset_of([("ÿ", "ÿÿ"), ("", "ÿ"), ("ÿÿ", "ÿ")], 9999, **given)

    ((inputs, labels, weights),) = map(arrays_of, dataset)

    assert {name: array.tolist() for name, array in inputs.items()} == {
        "encoder_token_ids": [[198, 194, 1, 0, 0], [198, 194, 198, 194, 1]],
        "decoder_token_ids": [[1, 198, 194, 198, 194], [1, 198, 194, 0, 0]],
        "encoder_padding_mask": [[True] * 3 + [False] * 2, [True] * 5],
        "decoder_padding_mask": [[True] * 5, [True] * 3 + [False] * 2],
    }
    assert labels.tolist() == [[198, 194, 198, 194, 1], [198, 194, 1, 0, 0]]
    assert weights.tolist() == [[1.0] * 5, [1.0] * 3 + [0.0] * 2]


@pytest.mark.once
@settings(max_examples=12)
@given(
    st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=9).filter(
        lambda pairs: any(source and target for source, target in pairs)
    ),
    st.integers(1, 3),
    st.booleans(),
)
def test_each_pair_counts_once_in_few_shapes(pairs, num_buckets, shuffle):
    told = []
    dataset = dataset_of(
        pairs, 999, num_buckets=num_buckets, shuffle=shuffle, notify=told.append
    )

    batches = list(map(arrays_of, dataset))

    kept = [pair for pair in pairs if all(pair)]
    assert sorted(flat(pairs_of(dataset))) == sorted(kept)
    assert len(batches) == int(dataset.cardinality())
    shapes = set()
    for inputs, labels, weights in batches:
        assert weights.any()  # never empty
        rows, steps = inputs["encoder_token_ids"].shape
        shapes.add((rows, steps, labels.shape[1]))
        assert rows * (steps + labels.shape[1]) <= 999
        assert inputs["encoder_padding_mask"].any(axis=1).all()
        counted = weights.any(axis=1)
        real = inputs["decoder_padding_mask"][counted]
        assert np.array_equal(real, weights[counted] == 1)
    assert len(shapes) <= num_buckets
    left_out = len(pairs) - len(kept)
    assert told == [
        f"{left_out} of {len(pairs)} pairs are left out: {left_out} with an empty side."
    ] * bool(left_out)


@pytest.mark.once
def test_rows_that_fill_a_batch_are_real_and_weigh_nothing():
    dataset = dataset_of([("ÿ", "ÿ")] * 7, 30, num_buckets=1)  # 5 of 6 tokens fit

    batches = list(map(arrays_of, dataset))

    assert [len(labels) for _, labels, _ in batches] == [4, 4]
    assert sum(weights.any(axis=1).sum() for *_, weights in batches) == 7
    for inputs, labels, _ in batches:
        assert (inputs["encoder_token_ids"] == [198, 194, 1]).all()
        assert (labels == [198, 194, 1]).all()


@pytest.mark.once
def test_types_and_number_are_known():
    dataset = dataset_of()

    inputs, labels, weights = dataset.element_spec
    kinds = {name: spec.dtype.name for name, spec in inputs.items()}
    assert kinds == {
        "encoder_token_ids": "int32",
        "decoder_token_ids": "int32",
        "encoder_padding_mask": "bool",
        "decoder_padding_mask": "bool",
    }
    assert (labels.dtype.name, weights.dtype.name) == ("int32", "float32")
    # Unknown sizes: TensorFlow traces `fit` once.
    specs = [*inputs.values(), labels, weights]
    assert {tuple(spec.shape) for spec in specs} == {(None, None)}
    assert int(dataset.cardinality()) == len(list(dataset)) > 4
    assert int(dataset_of(repeat=True).cardinality()) == -1


@pytest.mark.once
def test_each_pass_has_other_batches_of_the_same_pairs():
    dataset = dataset_of()

    first, second = pairs_of(dataset), pairs_of(dataset)

    assert sorted(flat(first)) == sorted(flat(second)) == sorted(PAIRS)
    assert [len(batch) for batch in first] != [len(batch) for batch in second]
    together = [{frozenset(batch) for batch in some} for some in (first, second)]
    assert together[0] != together[1]
    assert pairs_of(dataset_of()) == first
    assert pairs_of(dataset_of(seed=1)) not in (first, second)
    in_order = pairs_of(dataset_of(shuffle=False))
    assert in_order == pairs_of(dataset_of(shuffle=False)) != first


@pytest.mark.once
def test_endless_passes_can_be_gone_on_with():
    dataset, endless = dataset_of(), dataset_of(repeat=True)
    two_passes = pairs_of(dataset) + pairs_of(dataset)

    assert pairs_of(endless.take(len(two_passes))) == two_passes
    assert pairs_of(endless.skip(3).take(4)) == two_passes[3:7]


@pytest.mark.once
def test_bytes_count_as_other_texts_do():
    pairs = [(b"a\xff", "中".encode()), ("\ud800", b"b")]

    found = flat(pairs_of(dataset_of(pairs, shuffle=False)))

    assert sorted(found) == [("a\ufffd", "中"), ("\ufffd" * 3, "b")]


@pytest.mark.once
def test_pairs_may_come_one_by_one():
    assert pairs_of(dataset_of(iter(PAIRS))) == pairs_of(dataset_of())
    assert pairs_of(dataset_of([[*pair] for pair in PAIRS])) == pairs_of(dataset_of())


@pytest.mark.once
def test_long_pairs_are_left_out_when_said_and_counted():
    pairs = [("ÿ", "ÿ"), ("ÿÿ", "ÿ"), ("ÿ", "ÿÿ"), ("", "ÿÿ"), ("ÿ", "ÿ")]
    limits = {"max_source_length": 3, "max_target_length": 4}

    with pytest.raises(
        ValueError,
        match="as long as max_source_length=3 and max_target_length=4, or `drop_long`.*"
        "Received: 2 of 5 pairs .* first is number 1 with 5 and 3 tokens",
    ):
        dataset_of(pairs, **limits)
    told = []
    dataset = dataset_of(pairs, **limits, drop_long=True, notify=told.append)

    assert flat(pairs_of(dataset)) == [("ÿ", "ÿ")] * 2
    assert told == [
        "3 of 5 pairs are left out: 1 with an empty side, 2 longer than "
        "max_source_length=3 and max_target_length=4."
    ]
    told.clear()
    assert len(flat(pairs_of(dataset_of(pairs[:1], **limits, notify=told.append)))) == 1
    assert told == []


class Copier(keras.Model):
    """Guesses each token from the one before it and the mean of the source."""

    def __init__(self):
        super().__init__()
        self.source = keras.layers.Embedding(TOKENIZER.vocabulary_size, 8)
        self.target = keras.layers.Embedding(OTHER.vocabulary_size, 8)
        self.guess = keras.layers.Dense(OTHER.vocabulary_size)

    def call(self, inputs):
        real = ops.cast(inputs["encoder_padding_mask"], "float32")[..., None]
        source = self.source(inputs["encoder_token_ids"]) * real
        source = ops.sum(source, axis=1, keepdims=True) / ops.sum(
            real, axis=1, keepdims=True
        )
        return self.guess(self.target(inputs["decoder_token_ids"]) + source)


def test_fit_and_evaluate_take_it():
    model = Copier()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=keras.optimizers.Adam(0.05), loss=loss)
    dataset = dataset_of(max_batch_tokens=1000, num_buckets=2)

    history = model.fit(dataset, epochs=3, verbose=0).history["loss"]

    assert history[2] < history[0]
    assert model.evaluate(dataset, verbose=0) < history[0]


@pytest.mark.once
def test_what_is_no_pair_is_refused():
    with pytest.raises(TypeError, match="`pairs` must hold pairs of texts. Received: "):
        dataset_of("ab")
    for wrong in ["ab", ("a",), ("a", "b", "c"), None]:
        with pytest.raises(TypeError, match="must be a tuple or list of a source and"):
            dataset_of([("a", "b"), wrong])
    with pytest.raises(TypeError, match="a text must be str or bytes. Received: None"):
        dataset_of([("a", None)])
    for none, told in [([], "0 pairs, 0 with"), ([("", "a")], "1 pairs, 1 with an em")]:
        with pytest.raises(ValueError, match=f"with text on both sides.*{told}"):
            dataset_of(none)
    with pytest.raises(ValueError, match="Received: 1 pairs, 0 with .* and 1 too long"):
        dataset_of([("ÿÿ", "a")], max_source_length=2, drop_long=True)
    with pytest.raises(ValueError, match="`max_batch_tokens` must hold the longest"):
        dataset_of([("ÿÿ", "a")], 6)


@pytest.mark.once
@pytest.mark.parametrize(
    ("argument", "least"),
    [
        ("max_batch_tokens", 1),
        ("max_source_length", 1),
        ("max_target_length", 1),
        ("num_buckets", 1),
        ("seed", 0),
    ],
)
def test_numbers_out_of_range_are_refused(argument, least):
    with pytest.raises(ValueError, match=f"`{argument}` must be at least {least}"):
        dataset_of(**{argument: least - 1})
