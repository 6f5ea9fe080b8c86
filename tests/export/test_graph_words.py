"""graph_words: words, arrays and labels of Python, in a graph; errors in our words."""

from types import SimpleNamespace

import hypothesis
import numpy as np
import pytest
import tensorflow as tf

from keras_lm.export.graph_texts import graph_tokenizer
from keras_lm.export.graph_words import (
    graph_best_labels,
    graph_word_arrays,
    graph_words,
)
from keras_lm.pipelines.bio_rules import best_labels, bio_rules
from keras_lm.pipelines.word_arrays import word_arrays
from keras_lm.text import split_words
from tests.export.test_graph_texts import TOKENIZERS
from tests.text.samples import BYTES, TOKENIZER

pytestmark = pytest.mark.once
TEXTS = ["area of  a square", "", "中文 🙂\u3000é", b"\xff\xff b", " \u200b ", "x" * 30]
SPEC = tf.TensorSpec([None], tf.string)
SPEC_INT = tf.TensorSpec([None], tf.int32)
SPLIT = {
    split: tf.function(lambda text, s=split: graph_words(text, s), [SPEC])
    for split in ("words", "characters")
}


def words_of(texts, split):
    return [[word.text for word in split_words(text, split)] for text in texts]


@hypothesis.given(BYTES)
def test_words_are_those_of_python(text):
    for split, graph in SPLIT.items():
        found = graph(tf.constant([text])).to_list()

        assert [[word.decode() for word in row] for row in found] == words_of(
            [text], split
        )


def both_ways(tokenizer, split, most, truncate):
    """The arrays of Python, and those of a graph, of texts and predicates."""
    about = {"tokenizer": tokenizer, "split": split}
    about |= {"max_length": most, "truncate": truncate}
    pipeline, graph = SimpleNamespace(**about), graph_tokenizer(tokenizer)

    def encode(text, predicate):
        words = graph_words(text, split)
        return graph_word_arrays(graph, pipeline, words, predicate)

    marked = tf.function(encode, [SPEC, tf.TensorSpec([None], tf.int32)])
    plain = tf.function(lambda text: encode(text, None), [SPEC])

    def of_graph(texts, predicates=None):
        given = tf.constant(texts, tf.string)
        if predicates is None:
            return plain(given)
        return marked(given, tf.constant(predicates, tf.int32))

    def of_python(texts, predicates=None):
        words = words_of(texts, split)
        return word_arrays(tokenizer, words, predicates, split, most, truncate)

    return of_graph, of_python


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("split", ["words", "characters"])
@pytest.mark.parametrize(("most", "truncate"), [(99, False), (5, True)])
def test_the_arrays_are_those_of_python(kind, split, most, truncate):
    of_graph, of_python = both_ways(TOKENIZERS[kind](), split, most, truncate)
    with_words = [text for text in TEXTS if words_of([text], split)[0]]
    _, firsts = of_python(with_words)
    middle = [len(first) // 2 for first in firsts]

    for given in ((TEXTS,), (with_words, middle)):
        arrays, first, counts = of_graph(*given)
        expected, firsts = of_python(*given)

        assert set(arrays) == set(expected)
        for name, array in expected.items():
            assert arrays[name].dtype == array.dtype
            assert np.array_equal(arrays[name], array), name
        assert counts.numpy().tolist() == [len(one) for one in firsts]
        for row, one in zip(first.numpy(), firsts, strict=True):
            assert row[: len(one)].tolist() == one
        assert first.numpy().max() < arrays["token_ids"].shape[1]
    assert of_graph([])[0]["token_ids"].shape == (0, 1)


def test_labels_are_those_of_python():
    rng = np.random.default_rng(seed=0)
    rules = bio_rules(["I-A", "O", "B-A", "B-B", "NN", "I-B"])

    @tf.function(input_signature=[tf.TensorSpec([None, None, 6]), SPEC_INT])
    def of_graph(shares, lengths):
        return graph_best_labels(shares, lengths, *rules)

    for width in (1, 2, 9):
        shares = rng.normal(size=(40, width, 6)).astype("float32") * 3
        lengths = rng.integers(0, width + 1, size=40)
        expected = best_labels(shares, lengths, *rules)
        found = of_graph(shares, lengths.astype("int32")).numpy()
        assert found.shape == expected.shape
        for row, other, length in zip(found, expected, lengths, strict=True):
            assert row[:length].tolist() == other[:length].tolist()
    assert of_graph(np.zeros((0, 1, 6), "float32"), []).shape == (0, 1)


def test_what_does_not_fit_is_an_error_in_our_words():
    of_graph, _ = both_ways(TOKENIZER, "words", 9, truncate=False)

    with pytest.raises(tf.errors.InvalidArgumentError, match="A text must have at mos"):
        of_graph(["area", "x" * 30])
    with pytest.raises(tf.errors.InvalidArgumentError, match="a `predicate` for each"):
        of_graph(["area", "of"], [0])
    for wrong in (-1, 1):
        with pytest.raises(
            tf.errors.InvalidArgumentError, match="A `predicate` must b"
        ):
            of_graph(["area"], [wrong])
    of_graph, _ = both_ways(TOKENIZER, "words", 3, truncate=True)
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="A `predicate` must be at"
    ):
        of_graph(["ÿ ÿ ÿ"], [1])
