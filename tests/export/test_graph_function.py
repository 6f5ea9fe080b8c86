"""graph_function: a graph of tensors by name, of any number of rows."""

import pytest

from keras_lm.export.graph_function import graph_function

pytestmark = pytest.mark.once


def test_what_it_takes_and_gives():
    import tensorflow as tf

    def function(text, count=None):
        return {"all": tf.strings.join([text, tf.strings.as_string(count)])}

    graph = graph_function(function, {"text": "string", "count": "int32"}, [None])

    found = graph(text=tf.constant(["é", "中"]), count=tf.constant([7, 8]))
    assert [one.decode() for one in found["all"].numpy()] == ["é7", "中8"]
    arguments = graph.structured_input_signature
    specs = {**dict(zip(("text", "count"), arguments[0])), **arguments[1]}
    assert {name: one.name for name, one in specs.items()} == {
        "text": "text",
        "count": "count",
    }
    assert specs["count"].shape.as_list() == [None]
