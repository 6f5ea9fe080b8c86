"""question_answering_dataset: spans by hand, every row once, windows, fit, errors."""

import tracemalloc

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.models import SpanExtractor, TransformerEncoder
from keras_lm.text import question_answering_dataset
from keras_lm.text.context_windows import context_windows
from keras_lm.text.question_answering_dataset import _spans
from keras_lm.training import SpanCrossEntropy
from tests.checks import JIT, examples
from tests.text.samples import TEXTS, TOKENIZER
from tests.text.test_context_windows import bert

WORDS = ["area", "of a square", "中文分词", "🙂", "width * height", "é"]
CONTEXTS = [" ".join([*WORDS[n % 6 :], *WORDS[: n % 6], str(n)]) for n in range(20)]
QUESTIONS = [f"{WORDS[n % 5]}?" for n in range(20)]
ANSWERS = [
    None if n % 4 == 3 else (CONTEXTS[n].index(WORDS[n % 3]), WORDS[n % 3])
    for n in range(20)
]


def dataset_of(questions=QUESTIONS, contexts=CONTEXTS, answers=ANSWERS, **options):
    tokenizer = options.pop("tokenizer", TOKENIZER)
    return question_answering_dataset(
        questions, contexts, answers, tokenizer, **options
    )


def batches_of(dataset):
    return [
        ({name: one.numpy() for name, one in inputs.items()}, *map(np.asarray, others))
        for inputs, *others in dataset
    ]


def rows_of(dataset):
    """`(all text, answer)` of what weighs something, batch by batch."""
    found = []
    for inputs, spans, weights in batches_of(dataset):
        some = []
        for ids, real, span, weight in zip(
            inputs["token_ids"], inputs["padding_mask"], spans, weights
        ):
            answer = TOKENIZER.decode(ids[span[0] : span[1] + 1].tolist())
            answer = None if span[1] == 0 else answer.strip()
            if weight:
                some.append((TOKENIZER.decode(ids[real].tolist()), answer))
        found.append(some)
    return found


@pytest.mark.once
def test_a_case_done_by_hand():
    # "ÿ" is 198 194, and 1 separates. Windows of three tokens of "ÿÿ": the first has
    # the first "ÿ", the second the second.
    options = {"max_length": 7, "stride": 2, "num_buckets": 1, "shuffle": False}

    batches = batches_of(
        dataset_of(["ÿ"] * 2, ["ÿÿ", b"\xc3\xbf"], [(1, "ÿ"), None], **options)
    )

    ((inputs, spans, weights),) = batches
    order = [[198, 194, 1, 198, 194, 1, 0], [198, 194, 1, 198, 194, 1, 0]]
    assert inputs["token_ids"].tolist() == [*order, [198, 194, 1, 198, 194, 198, 1]]
    assert sorted(spans.tolist()[:2]) == [[0, 0], [3, 4]]
    assert spans.tolist()[2] == [0, 0]  # half of the answer is none
    assert weights.tolist() == [1.0] * 3
    kinds = {name: str(array.dtype) for name, array in inputs.items()}
    assert kinds == {"token_ids": "int32", "segment_ids": "int32"} | dict.fromkeys(
        ["padding_mask", "context_mask"], "bool"
    )
    assert (spans.dtype, weights.dtype) == (np.int32, np.float32)


@pytest.mark.once
def test_every_row_once_with_its_answer_in_few_shapes():
    dataset = dataset_of(batch_size=3, num_buckets=3)

    found = [row for batch in rows_of(dataset) for row in batch]
    shapes = {inputs["token_ids"].shape for inputs, *_ in batches_of(dataset)}

    texts = [q + c for q, c in zip(QUESTIONS, CONTEXTS, strict=True)]
    answers = [answer and answer[1] for answer in ANSWERS]
    expected = list(zip(texts, answers, strict=True))
    assert sorted(found, key=str) == sorted(expected, key=str)
    assert 1 < len(shapes) <= 3 and max(rows for rows, _ in shapes) <= 3
    assert int(dataset.cardinality()) == len(batches_of(dataset))


@pytest.mark.once
def test_a_long_context_does_not_widen_the_rows_of_others():
    short = dataset_of(["a"] * 300, ["area"] * 300, [None] * 300, num_buckets=2)
    tracemalloc.start()
    try:
        dataset = dataset_of(
            ["a"] * 301, ["area"] * 300 + ["" * 5000], [None] * 301, num_buckets=2
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert int(dataset.cardinality()) == int(short.cardinality()) + 1
    # 10 bytes of each token; were all rows as wide, 15 MB.
    assert most < 5e6


@pytest.mark.once
def test_orders_come_from_the_seed():
    dataset = dataset_of(seed=3, batch_size=4)
    first, second = rows_of(dataset), rows_of(dataset)

    assert first != second
    assert rows_of(dataset_of(seed=3, batch_size=4)) == first
    endless = dataset_of(seed=3, batch_size=4, repeat=True)
    assert rows_of(endless.take(len(first))) == first
    in_order = dataset_of(shuffle=False)
    assert rows_of(in_order) == rows_of(in_order)


@pytest.mark.once
@pytest.mark.parametrize("kind", ["sentencepiece", "bert"])
@given(st.data())
@examples(60)
def test_an_answer_is_in_each_window_that_has_it_all(kind, data):
    context = data.draw(TEXTS) + "a 中🙂"
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    tokenizer = TOKENIZER if kind == "sentencepiece" else bert()
    options = {"max_length": 13, "stride": data.draw(st.integers(1, 9))}
    (windowed,) = context_windows(tokenizer, ["a"], [context], **options)
    offsets = windowed.offsets
    inside = (offsets[:, 0] < end) & (offsets[:, 1] > start)
    inside &= offsets[:, 1] > offsets[:, 0]
    if not inside.any():
        with pytest.raises(ValueError, match="An answer must be more than white space"):
            _spans(windowed, (start, context[start:end]), 0)
        return
    tokens = np.flatnonzero(inside)[[0, -1]]
    places = [range(one.place, one.place + one.num_tokens) for one in windowed.windows]
    is_whole = [tokens[0] in held and tokens[1] in held for held in places]
    if not any(is_whole):
        with pytest.raises(ValueError, match="An answer must fit in a window"):
            _spans(windowed, (start, context[start:end]), 0)
        return

    spans = _spans(windowed, (start, context[start:end]), 0)

    for window, span, whole in zip(windowed.windows, spans, is_whole, strict=True):
        if whole:
            assert [one - window.first + window.place for one in span] == list(tokens)
        else:
            assert span == (0, 0)


@pytest.mark.slow_elsewhere
def test_fit_takes_it_and_learns_where_the_answer_is():
    keras.utils.set_random_seed(1)
    encoder = TransformerEncoder(TOKENIZER.vocabulary_size, 1, 2, 16, 12, 40)
    model = SpanExtractor(encoder, dropout=0.0)
    optimizer = keras.optimizers.Adam(0.02)
    model.compile(optimizer, SpanCrossEntropy(), jit_compile=JIT)
    contexts = [f"of {'a ' * (n % 5)}中 area" for n in range(16)]
    answers = [
        (text.index("中"), "中") if n % 4 else None for n, text in enumerate(contexts)
    ]
    questions = ["where" if answer else "width" for answer in answers]
    dataset = dataset_of(questions, contexts, answers, num_buckets=1)

    history = model.fit(dataset, epochs=25, verbose=0).history["loss"]

    assert history[-1] < 0.3 * history[0]
    ((inputs, spans, _),) = batches_of(dataset)
    found = model.predict_on_batch(inputs).argmax(axis=1)
    assert (found == spans).mean() > 0.9


# ----------------------------------------------------------------------- errors


@pytest.mark.once
def test_an_answer_that_no_window_holds_is_refused():
    # Four tokens, "ÿÿ"; windows of three of them.
    options = {"max_length": 7, "stride": 1, "num_buckets": 1}
    message = r"fit in a window.*: 4 tokens, \(0, 'ÿÿ'\) of question 1, .* at most 3"

    with pytest.raises(ValueError, match=message):
        dataset_of(["ÿ"] * 2, ["ÿÿ"] * 2, [(1, "ÿ"), (0, "ÿÿ")], **options)
    # Three of room - stride + 1 = 2, over a border of windows that do not overlap.
    with pytest.raises(ValueError, match="a smaller `stride`.*: 2 tokens"):
        dataset_of(["ÿ"], ["ÿÿ"], [(1, "ÿ")], max_length=7, stride=3)


@pytest.mark.once
@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ((1, "area"), ValueError, "stand in its context.*'area' at 1 of question 0"),
        ((-4, "area"), ValueError, "stand in its context"),
        ((99, "area"), ValueError, "where the context has ''"),
        ((0, ""), ValueError, "some text from the character on"),
        ((4, " "), ValueError, "must be more than white space and what"),
        ("area", TypeError, r"An answer must be \(start, text\), or None"),
        (("area", 0), TypeError, r"An answer must be \(start, text\), or None"),
        ((True, "rea"), TypeError, r"An answer must be \(start, text\), or None"),
        ((0, 3), TypeError, "a text must be str or bytes"),
    ],
)
def test_an_answer_that_is_none_is_refused(answer, error, message):
    with pytest.raises(error, match=message):
        dataset_of(["a"], ["area of"], [answer])


@pytest.mark.once
def test_answers_that_are_missing_are_refused():
    for answers in (None, "area", {"area": 0}):
        with pytest.raises(TypeError, match="`answers` must be a list. Received: "):
            dataset_of(["a"], ["area of"], answers)


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"answers": ANSWERS[1:]}, "for each. Received: 20 questions and 19 answers"),
        ({"questions": [], "contexts": [], "answers": []}, "must be a question, and"),
        ({"contexts": CONTEXTS[1:]}, "a context for each question. Received: 20 q"),
        ({"contexts": ["", *CONTEXTS[1:]]}, "A context must hold some text"),
        ({"questions": ["", *QUESTIONS[1:]]}, "A question must hold some text"),
        ({"max_length": 5}, "A question must leave room for its context"),
        ({"stride": 0}, "`stride` must be at least 1"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"num_buckets": 0}, "`num_buckets` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        dataset_of(**options)
