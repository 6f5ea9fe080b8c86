"""Windows, rows and offsets of Python, in a graph; our words."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_lm.export.graph_texts import graph_tokenizer
from keras_lm.export.graph_windows import graph_window_arrays, graph_windows
from keras_lm.text.context_windows import context_windows, window_arrays
from tests.text.samples import TOKENIZER
from tests.text.test_context_windows import bert

pytestmark = pytest.mark.once
QUESTIONS = ["area", "中文?", b"\xff ok", " width ", "é 👩‍👧"]
CONTEXTS = [
    "x y" * 15 + "z",
    "中文分词 🙂 \u3000e\u0301",
    b"\n def \xff area(x)  ",
    "w",
    "The area of a circle.",
]
TOKENIZERS = {"sentencepiece": lambda: TOKENIZER, "bert": bert}


@functools.cache
def graph_of(kind):
    return graph_tokenizer(TOKENIZERS[kind]())


def pipeline_of(kind, max_length=99, stride=None):
    sizes = {"max_length": max_length, "stride": stride}
    return SimpleNamespace(tokenizer=TOKENIZERS[kind](), **sizes)


def windows_in_graph(kind, questions, contexts, **sizes):
    """The windows, and the arrays and places of all of them.

    Operation by operation: to trace BERT's tokenizer takes longer than to run it.
    """
    graph, pipeline = graph_of(kind), pipeline_of(kind, **sizes)
    sides = (tf.constant(side, tf.string) for side in (questions, contexts))
    windows = graph_windows(graph, pipeline, *sides)
    rows = tf.range(tf.size(windows.owners))
    return windows, *graph_window_arrays(graph, pipeline, windows, rows)


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("stride", ["whole", None, 1, 4, 99])
def test_rows_and_offsets_are_those_of_python(kind, stride):
    sizes = {} if stride == "whole" else {"max_length": 19, "stride": stride}
    tokenizer = TOKENIZERS[kind]()

    windows, arrays, places = windows_in_graph(kind, QUESTIONS, CONTEXTS, **sizes)

    windowed = context_windows(tokenizer, QUESTIONS, CONTEXTS, *sizes.values())
    counts = [len(one.windows) for one in windowed]
    assert counts == [1] * 5 if stride == "whole" else len(set(counts)) > 1
    expected = window_arrays(tokenizer, windowed)
    assert set(arrays) == set(expected)
    for name, array in expected.items():
        assert arrays[name].dtype == array.dtype
        assert np.array_equal(arrays[name], array), name
    offsets = np.concatenate([one.offsets for one in windowed])
    assert np.array_equal(np.stack([windows.starts, windows.ends], axis=1), offsets)
    assert windows.owners.numpy().tolist() == np.repeat(range(5), counts).tolist()
    rows, before = iter(places.numpy()), 0
    for one in windowed:
        for window in one.windows:
            wanted = np.full(places.shape[1], len(offsets))
            inside = np.arange(window.num_tokens)
            wanted[window.first + inside] = before + window.place + inside
            assert np.array_equal(next(rows), wanted)
        before += len(one.offsets)


def test_no_question_has_no_window():
    windows, arrays, places = windows_in_graph("bert", [], [])

    assert windows.owners.shape == windows.starts.shape == (0,)
    assert arrays["context_mask"].shape == places.shape == (0, 1)


def test_what_cannot_be_read_is_an_error_in_our_words():
    Refused = tf.errors.InvalidArgumentError  # noqa: N806

    def run(questions, contexts, kind="sentencepiece", max_length=20):
        windows_in_graph(kind, questions, contexts, max_length=max_length)

    run(["\0" * 17], ["\0" * 40])  # one token of the context in each window
    with pytest.raises(Refused, match="A question must leave room for its context: "):
        run(["a", "\0" * 18], ["a", "a"])
    with pytest.raises(Refused, match="it may have 19 of the 20 tokens of `max_length"):
        run(["a", "\0" * 18], ["a", "a"])
    with pytest.raises(Refused, match="a `context` for each `question`"):
        run(["a", "b"], ["a"])
    with pytest.raises(Refused, match="A question must hold some text"):
        run(["a", " \n"], ["a", "a"])
    with pytest.raises(Refused, match="A context must hold some text"):
        run(["a", "a"], ["", "a"])
    with pytest.raises(Refused, match="A context must hold some text"):
        run(["a"], ["\0"], "bert")
