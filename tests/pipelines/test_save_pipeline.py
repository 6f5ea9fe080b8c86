"""save_pipeline: what lies in a pipeline's directory."""

import json

import keras
import numpy as np
import pytest

from keras_lm.models import MultimodalClassifier
from keras_lm.pipelines import StreamClassifier, load
from keras_lm.pipelines.save_pipeline import save_pipeline

pytestmark = pytest.mark.once


def classifier():
    spec = {"kind": "text", "vocabulary_size": 11, "max_length": 5}
    model = MultimodalClassifier({"title": spec}, 2, 1, 1, 4, 6)
    return StreamClassifier(model, ["a", "b"])


def test_without_a_tokenizer_none_is_written(tmp_path):
    save_pipeline(classifier(), tmp_path / "c", {"labels": ["a", "b"]})

    names = sorted(path.name for path in (tmp_path / "c").iterdir())
    assert names == ["model.keras", "pipeline.json"]
    assert json.loads((tmp_path / "c" / "pipeline.json").read_text()) == {
        "pipeline": "StreamClassifier",
        "has_tokenizer": False,
        "settings": {"labels": ["a", "b"]},
    }


def test_numbers_of_numpy_become_plain(tmp_path):
    settings = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True)}

    save_pipeline(classifier(), tmp_path / "c", settings)

    description = json.loads((tmp_path / "c" / "pipeline.json").read_text())
    assert description["settings"] == {"a": 3, "b": 0.5, "c": True}


def test_the_optimizer_is_left_out(tmp_path):
    one = classifier()
    one.model.compile(keras.optimizers.Adam(), "sparse_categorical_crossentropy")

    save_pipeline(one, tmp_path / "c", {"labels": ["a", "b"]})

    assert one.model.optimizer is not None
    assert getattr(load(tmp_path / "c").model, "optimizer", None) is None


def test_what_is_there_is_not_replaced(tmp_path):
    with pytest.raises(FileExistsError, match="or be a folder and overwrite=True"):
        save_pipeline(classifier(), tmp_path, {})
