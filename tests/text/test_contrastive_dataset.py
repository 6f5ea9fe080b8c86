"""contrastive_dataset: matches, negatives, what is left out, seeds, training."""

import keras
import numpy as np
import pytest

from keras_lm.models import DualEncoder, TransformerEncoder
from keras_lm.text import contrastive_dataset
from keras_lm.training import ContrastiveCrossEntropy
from tests.checks import JIT
from tests.text.samples import TOKENIZER

PAIRS = [(f"{word} {n}", f"{n} is {word}") for n in range(9) for word in ("a", "中🙂")]


def batches_of(texts=PAIRS, batch_size=4, **options):
    dataset = contrastive_dataset(texts, TOKENIZER, batch_size, **options)
    return [
        ({name: one.numpy() for name, one in inputs.items()}, *map(np.asarray, others))
        for inputs, *others in dataset
    ]


def texts_of(inputs, prefix):
    """Decoded: `(B,)` or `(B, C)` lists."""
    ids, real = inputs[f"{prefix}token_ids"], inputs[f"{prefix}padding_mask"]
    if ids.ndim == 2:
        return [TOKENIZER.decode(i[r].tolist()) for i, r in zip(ids, real)]
    return [
        [TOKENIZER.decode(i[r].tolist()) for i, r in zip(*row)]
        for row in zip(ids, real)
    ]


@pytest.mark.once
def test_a_case_done_by_hand():
    # All of one length, in their order. "q" has two answers, "w" is one of two queries;
    # "x" is a query, a hard negative of another, and its own answer.
    texts = [
        ("q", "u", "w"),
        ("q", "v", "y"),
        ("r", "w", "x"),
        ("s", "w", "v"),
        ("x", "x", "q"),
    ]

    ((inputs, targets, weights),) = batches_of(texts, 5, shuffle=False, num_buckets=1)

    assert texts_of(inputs, "") == ["q", "q", "r", "s", "x"]
    assert texts_of(inputs, "other_")[2] == ["w", "x"]
    assert targets.tolist() == [
        # u  v   w   w  x | w   y  x   v   q
        [1, -1, 0, 0, 0, 0, 0, 0, -1, -1],  # q: u and v are known, q is q
        [-1, 1, 0, 0, 0, 0, 0, 0, -1, -1],
        [0, 0, 1, -1, 0, -1, 0, 0, 0, 0],  # r: w, wherever it stands
        [0, 0, -1, 1, 0, -1, 0, 0, 0, 0],
        [0, 0, 0, 0, 1, 0, 0, -1, 0, 0],  # x: x
    ]
    assert weights.tolist() == [1] * 5


@pytest.mark.once
def test_what_matches_in_another_batch_is_no_negative_either():
    texts = [("q", "u"), ("r", "v"), ("q", "v"), ("s", "w")]

    first, _ = batches_of(texts, 2, shuffle=False, num_buckets=1)

    assert first[1].tolist() == [[1, -1], [0, 1]]


@pytest.mark.once
def test_what_a_text_is_the_match_of_is_no_negative_of_it():
    texts = [("u", "v"), ("v", "w"), ("x", "u")]

    ((_, targets, _),) = batches_of(texts, 3, shuffle=False, num_buckets=1)

    assert targets.tolist() == [
        # v   w   u
        [1, 0, -1],
        [-1, 1, -1],  # v: (u, v) is a pair
        [0, 0, 1],  # x: u
    ]


@pytest.mark.once
def test_rows_that_fill_are_no_negatives():
    *_, (inputs, targets, weights) = batches_of(
        [("q", "u", "x"), ("r", "v", "y"), ("s", "w", "z")],
        2,
        shuffle=False,
        num_buckets=1,
    )

    assert texts_of(inputs, "") == ["s", "q"]  # "q" fills
    assert weights.tolist() == [1, 0]
    assert targets.tolist() == [[1, -1, 0, -1], [-1, 1, -1, -1]]


@pytest.mark.once
def test_every_text_once_beside_its_match_in_few_shapes():
    texts = [*PAIRS, ("", "nothing"), (b"\xff", "a much longer text than the others")]
    batches = batches_of(texts, num_buckets=3)

    found = []
    for inputs, targets, weights in batches:
        own = [others[0] for others in texts_of(inputs, "other_")]
        rows = zip(texts_of(inputs, ""), own, weights)
        found += [(text, match) for text, match, weight in rows if weight]
        assert (np.diagonal(targets) == 1).all()
        assert (targets == 1).sum() == len(targets)
    assert sorted(found) == sorted([*texts[:-1], ("\ufffd", texts[-1][1])])
    shapes = {tuple(one.shape for one in inputs.values()) for inputs, *_ in batches}
    assert 1 < len(shapes) <= 3


@pytest.mark.once
def test_orders_come_from_the_seed():
    def order(dataset):
        return [texts_of({n: x.numpy() for n, x in i.items()}, "") for i, *_ in dataset]

    def make(**options):
        return contrastive_dataset(PAIRS, TOKENIZER, 4, **options)

    dataset = make(seed=3)
    first, second = order(dataset), order(dataset)
    assert first != second
    assert order(make(seed=3)) == first
    assert order(make(seed=4)) not in (first, second)
    assert order(make(seed=3, repeat=True).take(len(first))) == first
    assert int(dataset.cardinality()) == len(first)


@pytest.mark.slow_elsewhere
def test_fit_draws_matches_together():
    keras.utils.set_random_seed(1)
    encoder = TransformerEncoder(TOKENIZER.vocabulary_size, 1, 2, 8, 6, 40)
    model = DualEncoder(encoder)
    model.compile(
        keras.optimizers.Adam(0.02),
        ContrastiveCrossEntropy(0.1, symmetric=True),
        jit_compile=JIT,
    )
    words = ["area", "width", "中文", "🙂", "return", "circle", "é", "square"]
    pairs = [(word, f"of a {word}", words[n - 1]) for n, word in enumerate(words)]
    dataset = contrastive_dataset(pairs, TOKENIZER, 8, num_buckets=1)

    history = model.fit(dataset, epochs=45, verbose=0, shuffle=False).history["loss"]

    assert history[-1] < 0.5 < 1.5 < history[0]
    assert model.evaluate(dataset, verbose=0) < 0.5


# ----------------------------------------------------------------------- errors


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "`batch_size` must be at least 2.*Received: batch_size=1"),
        ({"num_buckets": 0}, "`num_buckets` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"max_length": 3}, "A text must have at most 3 tokens"),
        ({"texts": []}, "at least one tuple. Received: none"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        batches_of(**options)


@pytest.mark.once
def test_long_texts_may_lose_their_end():
    for inputs, *_ in batches_of(max_length=3, truncate=True):
        assert inputs["token_ids"].shape[1] <= 3
        assert inputs["other_token_ids"].shape[2] == 3
