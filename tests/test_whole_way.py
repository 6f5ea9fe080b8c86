"""The whole way: fitted on a dataset until it is right, then read on another backend.

A pipeline that reads texts as its dataset did not would not answer what the model has
learned by heart, and not with the loss that the model has.
"""

import keras
import pytest

from keras_lm.pipelines import TextIndex, load
from tests.checks import assert_close
from tests.fitted_pipelines import FOUND, QUERIES, RIGHT, WAYS
from tests.pipelines.test_load import on

BACKENDS = ["torch", "jax", "tensorflow"]  # each saves, the one behind it loads
HERE = BACKENDS.index(keras.backend.backend())


@pytest.fixture(scope="module", params=[0, pytest.param(1, marks=pytest.mark.slow)])
def fitted(request):
    """`{name: (pipeline, loss)}`."""
    return {name: way.fit(way.encoders[request.param]()) for name, way in WAYS.items()}


@pytest.mark.parametrize("name", WAYS)
def test_a_pipeline_says_what_its_model_has_learned(fitted, name):
    pipeline, loss = fitted[name]

    answers, _, own_loss = WAYS[name].ask(pipeline)

    assert answers == WAYS[name].right
    assert loss < RIGHT
    if name == "answerer":
        assert own_loss <= loss
    else:
        assert_close(own_loss, loss)


# --------------------------------------------------------------- other backends

SCRIPT = """
import json, sys
from tests.test_whole_way import said
print(json.dumps(said(*sys.argv[1:])))
"""


def said(folder):
    """What the pipelines of a folder say, and what its index finds."""
    pipelines = {name: load(f"{folder}/{name}") for name in WAYS}
    index = TextIndex.load(f"{folder}/index", pipelines["embedder"])
    return {
        "index": found_by(index),
        **{name: WAYS[name].ask(one)[:2] for name, one in pipelines.items()},
    }


def found_by(index):
    """`(texts, scores)` of the two nearest to each query."""
    hits = [hit for row in index.search(QUERIES, k=2) for hit in row]
    return [hit.text for hit in hits], [hit.score for hit in hits]


@pytest.mark.parametrize(
    "backend",
    [
        BACKENDS[HERE - 2],
        pytest.param(BACKENDS[HERE - 1], marks=pytest.mark.slow),
    ],
)
def test_another_backend_says_the_same(fitted, backend, tmp_path):
    for name, (pipeline, _) in fitted.items():
        pipeline.save(tmp_path / name)
    index = TextIndex(fitted["embedder"][0])
    index.add(FOUND)
    index.save(tmp_path / "index")
    expected = {name: WAYS[name].ask(one)[:2] for name, (one, _) in fitted.items()}
    expected["index"] = found_by(index)

    there = on(backend, SCRIPT, [tmp_path])

    for name, (answers, scores) in expected.items():
        assert there[name][0] == answers
        assert_close(there[name][1], scores, 1e-4)
