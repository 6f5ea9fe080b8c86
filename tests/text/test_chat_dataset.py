"""chat_dataset: each answer once in few shapes, seeds, models that learn it, errors."""

import keras
import numpy as np
import pytest

from keras_lm import training
from keras_lm.models import LSTMLanguageModel, TransformerDecoder
from keras_lm.text import chat_dataset
from tests.checks import JIT
from tests.text.samples import TALKER

A = TALKER.role_ids["assistant"]
END = TALKER.separator_id
WORDS = ["area", "of a square", "中文分词", "🙂", "width * height", "é", ""]


def talk(*contents):
    """Turns of user and assistant in turn."""
    return [
        {"role": ("user", "assistant")[n % 2], "content": content}
        for n, content in enumerate(contents)
    ]


TALKS = [
    talk(*(f"{WORDS[k % 7]}{n}" for k in range(n, n + 2 + 2 * (n % 3))))
    for n in range(30)
]


def dataset_of(talks=TALKS, max_length=64, **options):
    return chat_dataset(talks, TALKER, max_length, **options)


def batches_of(dataset):
    return [tuple(map(np.asarray, batch)) for batch in dataset]


def answers_of(dataset):
    """What is learnt, batch by batch."""
    return [
        [
            TALKER.decode(some.tolist())
            for row, weigh in zip(following, weights)
            for some in np.split(row[weigh > 0], np.where(row[weigh > 0] == END)[0] + 1)
            if len(some)
        ]
        for _, following, weights in batches_of(dataset)
    ]


@pytest.mark.once
def test_a_case_done_by_hand():
    # "ÿ" is 198 194, 1 separates and 0 fills up.
    talks = [talk("ÿ", "ÿÿ"), talk("", "ÿ"), talk("", "")]
    user = TALKER.role_ids["user"]

    first, last = batches_of(
        dataset_of(talks, batch_size=2, num_buckets=1, shuffle=False)
    )

    # Short rows first; the last batch is filled by the first row.
    assert first[0].tolist() == [
        [1, user, 1, A, 0, 0, 0, 0, 0, 0],
        [1, user, 1, A, 198, 194, 0, 0, 0, 0],
    ]
    assert first[1].tolist() == [
        [user, 1, A, 1, 0, 0, 0, 0, 0, 0],
        [user, 1, A, 198, 194, 1, 0, 0, 0, 0],
    ]
    assert first[2].tolist() == [
        [0, 0, 0, 1, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 1, 1, 1, 0, 0, 0, 0],
    ]
    assert last[2].tolist() == [[0, 0, 0, 0, 0, 1, 1, 1, 1, 1], [0] * 10]
    assert [one.dtype for one in first] == ["int32", "int32", "float32"]


@pytest.mark.once
@pytest.mark.parametrize("max_length", [400, 44])
def test_every_answer_once_in_few_shapes(max_length):
    dataset = dataset_of(max_length=max_length, batch_size=7, num_buckets=3)
    batches = batches_of(dataset)

    found = [answer for batch in answers_of(dataset) for answer in batch]

    expected = [
        turn["content"] for one in TALKS for turn in one if turn["role"] == "assistant"
    ]
    assert sorted(found) == sorted(expected)
    shapes = {token_ids.shape for token_ids, *_ in batches}
    assert 1 < len(shapes) <= 3
    assert all(rows <= 7 and width <= max_length for rows, width in shapes)
    assert int(dataset.cardinality()) == len(batches)
    for token_ids, following, _ in batches:
        assert np.array_equal(
            token_ids[:, 1:] * (following[:, 1:] > 0),
            following[:, :-1] * (following[:, 1:] > 0),
        )


@pytest.mark.once
def test_orders_come_from_the_seed():
    dataset = dataset_of(seed=3)
    first, second = answers_of(dataset), answers_of(dataset)

    assert first != second
    assert answers_of(dataset_of(seed=3)) == first
    assert answers_of(dataset_of(seed=4)) not in (first, second)
    in_order = dataset_of(shuffle=False)
    assert answers_of(in_order) == answers_of(in_order)
    assert answers_of(dataset_of(seed=3, repeat=True).take(len(first))) == first


def make_model(name):
    if name == "lstm":
        return LSTMLanguageModel(TALKER.vocabulary_size, 48, 48, 1)
    return TransformerDecoder(
        TALKER.vocabulary_size,
        num_layers=1,
        num_heads=2,
        hidden_dim=24,
        intermediate_dim=32,
        max_sequence_length=64,
    )


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("name", ["lstm", "transformer"])
def test_fit_learns_what_the_assistant_says(name):
    keras.utils.set_random_seed(5)
    model = make_model(name)
    model.compile(
        keras.optimizers.Adam(0.03),
        training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
        jit_compile=JIT,
    )
    talks = [talk("🙂", "中文 area"), talk("width", "中文 area")] * 2
    dataset = dataset_of(talks, batch_size=4, num_buckets=1)

    model.fit(dataset.repeat(100), shuffle=False, verbose=0)

    learnt = model.evaluate(dataset, verbose=0, return_dict=True)["perplexity"]
    assert learnt < 1.5
    # Of what the user says, nothing was learnt.
    token_ids, following, weights = next(iter(dataset))
    others = np.asarray((following != 0) & (weights == 0), "float32")
    told = model.evaluate(
        np.asarray(token_ids), np.asarray(following), sample_weight=others, verbose=0
    )
    assert told[0] > 3.0


@pytest.mark.once
@pytest.mark.parametrize(
    ("talks", "options", "words"),
    [
        ([], {}, "`conversations` must hold a conversation. Received: none"),
        ([[]], {}, "must have a turn of the assistant to learn. Received: none in con"),
        ([TALKS[0], talk("a")], {}, "turn of the assistant.* in conversation 1"),
        ([talk("a", "b" * 20)], {"max_length": 9}, "must have at most 9 tokens"),
        ([talk("a" * 195, "42.")], {"max_length": 64}, "assistant and the one before"),
        (TALKS, {"max_length": 0}, "`max_length` must be at least 1. Received: max"),
        (TALKS, {"batch_size": 0}, "`batch_size` must be at least 1"),
        (TALKS, {"num_buckets": 0}, "`num_buckets` must be at least 1"),
        (TALKS, {"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_what_is_refused(talks, options, words):
    with pytest.raises(ValueError, match=words):
        dataset_of(talks, **options)
