"""Rows, offsets, spans and answers of Python, in a graph; our words."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.export.graph_answers import graph_answers, graph_best, graph_windows
from keras_lm.export.graph_texts import graph_tokenizer
from keras_lm.pipelines.span_log_shares import span_log_shares
from keras_lm.text.context_windows import context_windows, window_arrays
from tests.checks import assert_close, examples
from tests.text.samples import TOKENIZER
from tests.text.test_context_windows import bert

pytestmark = pytest.mark.once
QUESTIONS = ["area", "中文?", b"\xff ok", " width ", "é 👩‍👧"]
CONTEXTS = [
    "The area of a circle.",
    "中文分词 🙂 \u3000e\u0301",
    b"\n def \xff area(x)  ",
    "w",
    "x" * 30,
]
SETTINGS = {"max_length": 99, "max_answer_length": 3, "no_answer": True}
TOKENIZERS = {"sentencepiece": lambda: TOKENIZER, "bert": bert}


@functools.cache
def windows_in_graph(kind, **settings):
    tokenizer = TOKENIZERS[kind]()
    about = {**SETTINGS, "threshold": 0.0, **settings, "tokenizer": tokenizer}
    pipeline, graph = SimpleNamespace(**about), graph_tokenizer(tokenizer)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)] * 2)
    def run(question, context):
        return graph_windows(graph, pipeline, question, context)

    run.kept = graph
    return run


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_rows_and_offsets_are_those_of_python(kind):
    tokenizer = TOKENIZERS[kind]()
    run = windows_in_graph(kind)

    arrays, starts, ends = run(QUESTIONS, CONTEXTS)

    windowed = context_windows(tokenizer, QUESTIONS, CONTEXTS)
    expected = window_arrays(tokenizer, windowed)
    assert set(arrays) == set(expected)
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array), name
    for row, one in enumerate(windowed):
        (window,) = one.windows
        inside = slice(window.first, window.first + window.num_tokens)
        found = np.stack([starts[row, inside], ends[row, inside]], axis=1)
        assert np.array_equal(found, one.offsets)
    empty, _, _ = run(tf.constant([], tf.string), tf.constant([], tf.string))
    assert empty["context_mask"].shape == (0, 1)


@pytest.mark.parametrize("no_answer", [True, False])
@given(st.integers(0, 2**31), st.integers(1, 5))
@examples(30)
def test_answers_are_those_of_python(no_answer, seed, most):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 9))
    (windowed,) = context_windows(TOKENIZER, ["ÿ"], [" ".join("é中🙂x"[:count])])
    arrays = window_arrays(TOKENIZER, [windowed])
    logits = rng.normal(size=(*arrays["token_ids"].shape, 2), scale=3.0)
    first, offsets = windowed.windows[0].first, windowed.offsets
    places = np.zeros((2, 1, logits.shape[1]), "int32")
    places[:, 0, first : first + len(offsets)] = offsets.T
    shares, none = span_log_shares(windowed, [*logits], most, no_answer)
    lead = shares.max() - none if no_answer else 0.0
    threshold = float(lead + rng.normal())  # below the best span's lead, or above
    pipeline = SimpleNamespace(
        max_answer_length=most, no_answer=no_answer, threshold=threshold
    )

    best, *about_none = graph_best(
        pipeline,
        tf.constant(logits, tf.float32),
        tf.constant([windowed.context]),
        tf.constant(arrays["context_mask"]),
        *(tf.constant(one) for one in places),
    )
    found = graph_answers(pipeline, best, *about_none)

    token, more = np.unravel_index(shares.argmax(), shares.shape)
    start, end = offsets[token, 0], offsets[token + more, 1]
    answer = windowed.context[start:end], start, end, np.exp(shares.max())
    assert_answer(best, answer)
    if no_answer and not shares.max() - none > threshold:
        answer = "", -1, -1, np.exp(none)
    assert_answer(found, answer)


def assert_answer(found, answer):
    assert found["answer"].numpy()[0].decode() == answer[0]
    assert (int(found["start"][0]), int(found["end"][0])) == answer[1:3]
    assert found["start"].dtype == found["end"].dtype == tf.int32
    assert_close(found["score"], [answer[3]])


def test_what_does_not_fit_is_an_error_in_our_words():
    run = windows_in_graph("sentencepiece", max_length=20)
    Refused = tf.errors.InvalidArgumentError  # noqa: N806

    with pytest.raises(Refused, match="A pair must have at most 20 tokens"):
        run(["a"], ["\0" * 20])
    with pytest.raises(Refused, match="a `context` for each `question`"):
        run(["a", "b"], ["a"])
    with pytest.raises(Refused, match="A question must hold some text"):
        run(["a", " \n"], ["a", "a"])
    with pytest.raises(Refused, match="A context must hold some text"):
        run(["a", "a"], ["", "a"])
    with pytest.raises(Refused, match="A context must hold some text"):
        windows_in_graph("bert")(["a"], ["\0"])
