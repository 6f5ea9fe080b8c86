"""Spans and answers of Python, in a graph, over all windows of a context."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_lm.export import graph_answers as module
from keras_lm.export.graph_answers import graph_answers, graph_best, graph_odds
from keras_lm.export.graph_texts import graph_tokenizer
from keras_lm.export.graph_windows import graph_windows
from keras_lm.pipelines.span_log_shares import span_log_shares
from keras_lm.text.context_windows import context_windows, window_arrays
from tests.checks import assert_close
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
CONTEXTS = [
    "é中🙂x 0123456789",
    "中文分词 of \u3000 width",
    "w",
    b"\n \xff area(x)  def\n ",
    "a 👩‍👧 of a square",
]


def random_model(seed, read=None):
    """Logits that no two places have in common, the same for the same row.

    `read` is told how many rows there are each time.
    """
    scales = np.random.default_rng(seed).uniform(1, 9, size=(3, 2)).astype("float32")

    def model(arrays, training):
        token_ids = tf.cast(arrays["token_ids"], tf.float32)[..., tf.newaxis]
        place = tf.range(tf.shape(token_ids)[1], dtype=tf.float32)[:, tf.newaxis]
        before = tf.cumsum(token_ids, axis=1)
        if read is not None:
            read.append(int(token_ids.shape[0]))
        return 4.0 * tf.sin(token_ids * scales[0] + place * scales[1]) + tf.cos(
            before * scales[2]
        )

    return model


def answered(pipeline, questions, contexts):
    """`(best, answers)` of the graph, run eagerly."""
    question, context = (tf.constant(side, tf.string) for side in (questions, contexts))
    graph = graph_tokenizer(TOKENIZER)  # here: a seed of other tests would clear it
    windows = graph_windows(graph, pipeline, question, context)
    odds = graph_odds(graph, pipeline, windows)
    best, *about_none = graph_best(pipeline, windows, context, odds)
    return best, graph_answers(pipeline, best, *about_none)


@pytest.mark.parametrize("seed", range(6))
def test_answers_are_those_of_python(seed):
    rng = np.random.default_rng(seed)
    # No window is as another, so that no two spans are as likely.
    contexts = [CONTEXTS[place] for place in rng.permutation(5)]
    max_length, stride = int(rng.integers(6, 20)), int(rng.integers(0, 6)) or None
    most, no_answer = int(rng.integers(1, 6)), seed % 2 == 0
    windowed = context_windows(TOKENIZER, ["ÿ"] * 5, contexts, max_length, stride)
    threshold = float(rng.normal(loc=6.0, scale=3.0))
    read = []
    pipeline = SimpleNamespace(
        model=random_model(seed, read),
        tokenizer=TOKENIZER,
        max_length=max_length,
        stride=stride,
        max_answer_length=most,
        no_answer=no_answer,
        threshold=threshold,
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_AT_ONCE", 4)
        best, found = answered(pipeline, ["ÿ"] * 5, contexts)

    total = sum(len(one.windows) for one in windowed)
    assert read == [4] * (total // 4) + [total % 4] * (total % 4 > 0)
    for row, one in enumerate(windowed):
        arrays = window_arrays(TOKENIZER, [one])
        logits = pipeline.model(arrays, training=False).numpy()
        shares, none = span_log_shares(one, [*logits], most, no_answer)
        token, more = np.unravel_index(shares.argmax(), shares.shape)
        start, end = one.offsets[token, 0], one.offsets[token + more, 1]
        answer = one.context[start:end], start, end, np.exp(shares.max())
        assert_answer(best, row, answer)
        if no_answer and not shares.max() - none > threshold:
            answer = "", -1, -1, np.exp(none)
        assert_answer(found, row, answer)


def assert_answer(found, row, answer):
    assert found["answer"].numpy()[row].decode() == answer[0]
    assert (int(found["start"][row]), int(found["end"][row])) == answer[1:3]
    assert found["start"].dtype == found["end"].dtype == tf.int32
    assert_close(found["score"][row], answer[3])


def test_an_answer_on_the_border_of_a_window_is_found_in_the_next():
    # Of "ÿ" + end + 4 tokens + end = 8: windows begin 2 tokens after one another, so
    # that "34" is cut by the first, and whole in the second. (A digit is a token.)
    ids = [TOKENIZER.encode(one) for one in "34"]
    assert [len(one) for one in ids] == [1, 1]

    def model(arrays, training):
        sides = [tf.cast(arrays["token_ids"] == one, tf.float32) for [one] in ids]
        return 9.0 * tf.stack(sides, axis=-1)

    pipeline = SimpleNamespace(
        model=model,
        tokenizer=TOKENIZER,
        max_length=len(TOKENIZER.encode("ÿ")) + 2 + 4,
        stride=None,
        max_answer_length=2,
        no_answer=True,
        threshold=17.9,  # both logits, not one
    )

    _, found = answered(pipeline, ["ÿ"] * 3, ["01234567", "0", "344"])
    _, apart = answered(
        SimpleNamespace(**{**vars(pipeline), "stride": 4}), ["ÿ"], ["01234567"]
    )

    rows = zip(found["answer"].numpy(), found["start"].numpy(), strict=True)
    assert list(rows) == [(b"34", 3), (b"", -1), (b"34", 0)]
    assert apart["answer"].numpy().tolist() == [b""]


def test_no_question_has_no_answer():
    pipeline = SimpleNamespace(
        model=random_model(0),
        tokenizer=TOKENIZER,
        max_length=20,
        stride=None,
        max_answer_length=3,
        no_answer=True,
        threshold=0.0,
    )

    _, found = answered(pipeline, [], [])

    assert {name: one.shape for name, one in found.items()} == dict.fromkeys(
        ("answer", "start", "end", "score"), (0,)
    )
