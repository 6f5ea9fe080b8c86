"""graph_marked_texts: the arrays of `marked_arrays`, in a graph; errors."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_lm.export.graph_marked_texts import graph_marked_arrays
from keras_lm.export.graph_texts import graph_tokenizer
from keras_lm.pipelines.marked_arrays import marked_arrays
from tests.export.test_graph_texts import TOKENIZERS
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
TEXTS = ["area of [[a]] square", "", "[[中文]] 🙂", b"\xff[[a\xff]]", "width", "[[x]]"]
TEXTS += ["a [[\u3000]] b", "[[\xa0]]", "[[\x1f]]", "[[\u2029\u3000a]]"]
TEXTS += ["a]] [[area]]]] [[of]]", "[[ ]] of", "[[area", "area]]", "x" * 40]
TEXTS += [
    "a" + "b c " * 9 + "[[area]]",
    "[[area]]" + " b c" * 9,
    "b c " * 9 + "[[a]] d",
]


def both_ways(tokenizer, max_length, truncate):
    about = {"tokenizer": tokenizer, "max_length": max_length, "truncate": truncate}
    pipeline, graph = SimpleNamespace(**about), graph_tokenizer(tokenizer)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def encode(text):
        return graph_marked_arrays(graph, pipeline, text)

    def of_graph(texts):
        arrays = encode(tf.constant(texts, tf.string))
        return {name: array.numpy() for name, array in arrays.items()}

    return of_graph, lambda texts: marked_arrays(tokenizer, texts, max_length, truncate)


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize(("most", "truncate"), [(99, False), (9, True), (8, True)])
def test_the_arrays_are_those_of_python(kind, most, truncate):
    of_graph, of_python = both_ways(TOKENIZERS[kind](), most, truncate)

    found, expected = of_graph(TEXTS), of_python(TEXTS)

    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array), name
    assert of_graph([])["token_ids"].shape == (0, 1)


def test_what_does_not_fit_is_an_error_in_our_words():
    of_graph, _ = both_ways(TOKENIZER, 9, truncate=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="A text must have at mos"):
        of_graph(["a [[" + "\0" * 20 + "]]"])
    of_graph, _ = both_ways(TOKENIZER, 9, truncate=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="A text must have at mos"):
        of_graph(["[[a]]" + "\0" * 9])
    of_graph, _ = both_ways(TOKENIZERS["bert"](), 9, truncate=True)
    with pytest.raises(tf.errors.InvalidArgumentError, match="word must have a token"):
        of_graph(["a [[\u200d\ufeff\0]]"])
