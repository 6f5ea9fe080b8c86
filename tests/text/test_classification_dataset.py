"""classification_dataset: every text once with its labels, weights, seeds, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import SequenceClassifier, TransformerEncoder
from keras_lm.text import classification_dataset
from tests.checks import JIT
from tests.text.samples import TOKENIZER

NAMES = ["no", "是", "🙂"]
WORDS = ["area", "of a square", "中文分词", "🙂", "width * height", "é", ""]
TEXTS = [" ".join(WORDS[: n % 7 + 1]) + str(n) for n in range(50)]
LABELS = [NAMES[n % 3] for n in range(50)]


def dataset_of(texts=TEXTS, labels=LABELS, **options):
    return classification_dataset(texts, labels, TOKENIZER, NAMES, **options)


def batches_of(dataset):
    return [
        ({name: one.numpy() for name, one in inputs.items()}, *map(np.asarray, others))
        for inputs, *others in dataset
    ]


def texts_of(dataset):
    """`(text, target)` of what weighs something, batch by batch."""
    return [
        [
            (TOKENIZER.decode(ids[real].tolist()), target.tolist())
            for ids, real, target, weight in zip(
                inputs["token_ids"], inputs["padding_mask"], targets, weights
            )
            if weight
        ]
        for inputs, targets, weights in batches_of(dataset)
    ]


@pytest.mark.once
def test_a_case_done_by_hand():
    # "ÿ" is 198 194, and 1 separates.
    options = {"num_buckets": 1, "shuffle": False, "batch_size": 2}
    given = ["ÿÿ", "", b"\xc3\xbf"], ["no", "🙂", "是"]

    (inputs, targets, weights), (_, others, last) = batches_of(
        dataset_of(*given, **options)
    )

    # Short texts first; the last batch is filled by the first text of the bucket.
    assert inputs["token_ids"].tolist() == [[1, 0, 0, 0, 0], [198, 194, 1, 0, 0]]
    assert inputs["padding_mask"].sum(axis=1).tolist() == [1, 3]
    assert (targets.tolist(), weights.tolist()) == ([2, 1], [1.0, 1.0])
    assert (others.tolist(), last.tolist()) == ([0, 2], [1.0, 0.0])
    kinds = [targets.dtype, weights.dtype, inputs["token_ids"].dtype]
    assert kinds == ["int32", "float32", "int32"]


@pytest.mark.once
def test_every_text_once_with_its_label_in_few_shapes():
    dataset = dataset_of(batch_size=7, num_buckets=3)

    found = [pair for batch in texts_of(dataset) for pair in batch]
    shapes = {inputs["token_ids"].shape for inputs, *_ in batches_of(dataset)}

    expected = [(text, NAMES.index(label)) for text, label in zip(TEXTS, LABELS)]
    assert sorted(found) == sorted(expected)
    assert 1 < len(shapes) <= 3
    assert max(rows for rows, _ in shapes) <= 7
    assert int(dataset.cardinality()) == len(batches_of(dataset))


@pytest.mark.once
def test_orders_come_from_the_seed():
    dataset = dataset_of(seed=3)
    first, second = texts_of(dataset), texts_of(dataset)

    assert first != second
    assert texts_of(dataset_of(seed=3)) == first
    assert texts_of(dataset_of(seed=4)) not in (first, second)
    in_order = dataset_of(shuffle=False)
    assert texts_of(in_order) == texts_of(in_order)
    assert texts_of(dataset_of(seed=3, repeat=True).take(len(first))) == first


@pytest.mark.once
def test_pairs_have_segments():
    ((inputs, *_),) = batches_of(
        dataset_of([("ÿ", "é"), ("", "")], NAMES[:2], pairs=True)
    )
    order = np.argsort(inputs["padding_mask"].sum(axis=1))

    e = TOKENIZER.encode("é")
    rows = {name: inputs[name][order].tolist() for name in inputs}
    assert rows["token_ids"][0][:2] == [1, 1]
    assert rows["token_ids"][1] == [198, 194, 1, *e, 1]
    assert rows["segment_ids"][0] == [0, 1] + [0] * (len(e) + 2)
    assert rows["segment_ids"][1] == [0] * 3 + [1] * (len(e) + 1)


@pytest.mark.once
def test_a_text_may_have_any_number_of_labels():
    labels = [["no", "🙂"], [], ("是",)]
    options = {"multi_label": True, "shuffle": False, "num_buckets": 1}
    ((_, targets, _),) = batches_of(
        dataset_of(["a", "ab b", "ab ab ab"], labels, **options)
    )

    assert targets.dtype == "float32"
    assert targets.tolist() == [[1, 0, 1], [0, 0, 0], [0, 1, 0]]


@pytest.mark.once
@pytest.mark.parametrize(
    ("class_weights", "expected"),
    [
        ("balanced", {"no": 8 / 6, "是": 8 / 15, "🙂": 8 / 3}),  # 2, 5 and 1 of 8
        ({"no": 2, "是": 0.5, "🙂": 3}, {"no": 2, "是": 0.5, "🙂": 3}),
    ],
)
def test_classes_may_weigh(class_weights, expected):
    labels = ["no", "no", *["是"] * 5, "🙂"]
    dataset = dataset_of(TEXTS[:8], labels, batch_size=3, class_weights=class_weights)

    found = [
        (target, weight)
        for _, targets, weights in batches_of(dataset)
        for target, weight in zip(targets, weights)
        if weight
    ]
    assert len(found) == 8
    for target, weight in found:
        assert weight == pytest.approx(expected[NAMES[target]])


@pytest.mark.slow_elsewhere
def test_fit_and_evaluate_take_it():
    keras.utils.set_random_seed(1)
    encoder = TransformerEncoder(TOKENIZER.vocabulary_size, 1, 2, 8, 6, 40)
    model = SequenceClassifier(encoder, 3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.03), loss, jit_compile=JIT)
    texts = [f"{word} area" for word in ("width", "中文", "🙂")] * 8
    dataset = dataset_of(texts, NAMES * 8, num_buckets=1)

    history = model.fit(dataset, epochs=8, verbose=0).history["loss"]

    assert history[-1] < 0.7 * history[0]
    assert model.evaluate(dataset, verbose=0) < history[0]


@pytest.mark.slow_elsewhere
def test_balanced_weights_find_a_rare_class_that_is_missed_without():
    # "🙂" is rare: 4 texts with the sign have this label, and 8 of 36 with another.
    texts = ["🙂 area"] * 12 + ["中文 area"] * 28
    labels = ["🙂"] * 4 + ["no"] * 36
    recalls = {}
    for class_weights in (None, "balanced"):
        keras.utils.set_random_seed(1)
        encoder = TransformerEncoder(TOKENIZER.vocabulary_size, 1, 2, 8, 6, 40)
        model = SequenceClassifier(encoder, 3, dropout=0.0)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.Adam(0.03), loss, jit_compile=JIT)
        options = {"num_buckets": 1, "class_weights": class_weights}
        model.fit(dataset_of(texts, labels, **options), epochs=12, verbose=0)

        ids = np.array([TOKENIZER.encode(texts[0]) + [TOKENIZER.separator_id]])
        answer = model.predict_on_batch({"token_ids": ids})[0].argmax()
        recalls[class_weights] = float(NAMES[answer] == "🙂")

    assert recalls == {None: 0.0, "balanced": 1.0}


# ----------------------------------------------------------------------- errors


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": LABELS[:-1]}, ValueError, "for each text.*50 texts and 49 labels"),
        ({"texts": [], "labels": []}, ValueError, "and a text. Received: 0 texts"),
        ({"labels": [*LABELS[:-1], "yes"]}, ValueError, "one of.*'yes' of text 49"),
        (
            {"labels": [*LABELS[:-1], None]},
            TypeError,
            "string. Received: None of text 4",
        ),
        ({"labels": [None] * 50, "multi_label": True}, TypeError, "a list of strings"),
        ({"labels": LABELS, "multi_label": True}, TypeError, "must be a list of stri"),
        ({"labels": [LABELS[:1]] * 50}, TypeError, "must be a string. Received: .'no"),
        ({"class_weights": "even"}, ValueError, '`class_weights` must be "balanced"'),
        ({"class_weights": {"no": 1}}, ValueError, '`class_weights` must be "balance'),
        (
            {"class_weights": dict.fromkeys(NAMES, 0)},
            ValueError,
            "have a number above 0 for each",
        ),
        (
            {"labels": [[]] * 50, "multi_label": True, "class_weights": "balanced"},
            ValueError,
            "must be None where .* be that of all of them. Received",
        ),
        ({"max_length": 5}, ValueError, "A text must have at most 5 tokens"),
        ({"texts": [3] * 50}, TypeError, "a text must be str or bytes"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
        ({"num_buckets": 0}, ValueError, "`num_buckets` must be at least 1"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        dataset_of(**options)


@pytest.mark.once
@pytest.mark.parametrize("name", ["texts", "labels", "label_names"])
@pytest.mark.parametrize("value", ["a", None, {"a"}])
def test_what_has_no_order_is_no_list(name, value):
    given = {"texts": ["x"], "labels": ["a"], "label_names": ["a"]} | {name: value}

    with pytest.raises(
        TypeError, match=f"`{name}` must be a list. Received: {value!r}"
    ):
        classification_dataset(tokenizer=TOKENIZER, **given)


@pytest.mark.once
@pytest.mark.parametrize("weight", [np.nan, np.inf, "1", None, -1])
def test_a_weight_that_is_no_number_above_0_is_refused(weight):
    for weights in ({"a": 1, "b": weight}, {"a": weight, "b": 1}):
        with pytest.raises(ValueError, match="have a number above 0 for each"):
            classification_dataset(
                ["x"], ["a"], TOKENIZER, ["a", "b"], class_weights=weights
            )


@pytest.mark.once
def test_names_are_read_once():
    dataset = classification_dataset(
        ["x"], ["b"], TOKENIZER, iter(["a", "b"]), class_weights={"a": 1, "b": 3}
    )

    ((_, targets, weights),) = batches_of(dataset)
    assert (targets.tolist(), weights.tolist()) == ([1], [3.0])


@pytest.mark.once
def test_names_that_are_alike_are_refused():
    for names in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="`label_names` must be names, no two al"):
            classification_dataset(["x"], ["a"], TOKENIZER, names)


@pytest.mark.once
def test_long_texts_may_lose_their_end():
    dataset = dataset_of(max_length=5, truncate=True)

    assert max(inputs["token_ids"].shape[1] for inputs, *_ in batches_of(dataset)) == 5
