"""Senses of words: both exports give the vectors that the pipeline gives."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError, export_litert, export_saved_model
from keras_lm.export.litert_ops import strange_ops
from keras_lm.export.word_sense_kind import reference, refuse
from tests.checks import assert_close
from tests.export.conftest import (
    PROMPTS,
    TEXTS,
    export_both,
    loaded_signatures,
    lstm_encoder,
)
from tests.export.readme import run_script
from tests.export.test_text_embedder_kind import CHECKED, pretrained_tokenizer
from tests.fakes import random_weights

pytestmark = pytest.mark.slow_elsewhere
MARKED = [
    "a [[bank]] of a river",
    "[[中文]] 🙂",
    b"\xff [[b\xc3]]",
    "the [[bank]] fell",
]
GLOSSES = ["", "who lends money", "🙂🙂 ▁ \x1b", "中文 字", "a long row of it, up " * 9]


def make_sense(tokenizer, lstm=False, **more):
    keras.utils.set_random_seed(7)
    encoder = models.TransformerEncoder(tokenizer.vocabulary_size, 2, 2, 12, 10, 47)
    if lstm:
        encoder = lstm_encoder(tokenizer)
    model = models.DualEncoder(encoder)
    random_weights(model, seed=3)
    return pipelines.WordSense(model, tokenizer, **more)


@pytest.fixture(scope="module")
def sense():
    return make_sense(text.train_tokenizer(TEXTS * 5, 310), lead=0.5, truncate=True)


@pytest.fixture(scope="module")
def bert():
    return make_sense(pretrained_tokenizer(), max_length=9, truncate=True)


@pytest.fixture(scope="module")
def litert(sense, tmp_path_factory):
    return export_litert(sense, tmp_path_factory.mktemp("litert") / "s.tflite")


def test_the_saved_model_says_what_the_pipeline_says(bert, tmp_path):
    import tensorflow as tf

    long = "of many words the one that is [[marked]] is kept and what is near it too"

    report = export_saved_model(bert, tmp_path / "sense")

    assert report.agrees and report.largest_difference < 1e-5
    texts = [*MARKED, *PROMPTS, long, long.replace("[[", "").replace("]]", "")]
    for signatures in loaded_signatures(report.path):
        found = signatures["serving_default"](text=tf.constant(texts, tf.string))
        assert_close(found["vector"].numpy(), bert.vectors(texts))
        assert len(np.unique(bert.vectors(texts).round(3), axis=0)) == len(texts)


def test_the_litert_file_takes_the_place_of_the_word(litert):
    about = json.loads(litert.path.with_suffix(".json").read_text("utf-8"))

    assert litert.agrees and litert.largest_difference < 1e-5
    assert strange_ops(litert.path.read_bytes()) == set()
    assert litert.path.with_suffix(".tokenizer.model").exists()
    assert (about["marks"], about["lead"]) == (["[[", "]]"], 0.5)
    assert (about["max_length"], about["truncate"]) == (47, True)
    assert about["vector"] == {"shape": [1, 12], "dtype": "float32"}
    rules = about["tokenizer"]
    assert (rules["before"], rules["behind"]) == ([], [rules["separator_id"]])


def check_script(path, sense, marked):
    """The script of saved_models/README.md ranks the senses as the pipeline does."""
    blocked = ["tensorflow", "keras", "keras_lm", "jax", "torch"]

    lines = run_script("sense_litert.py", blocked, path, [marked, *GLOSSES], 75)

    (scores,) = sense.scores([marked], [GLOSSES])
    found, ranked = zip(*(line[2:].split(" ", 1) for line in lines), strict=True)
    assert list(ranked) == [GLOSSES[place] for place in np.argsort(-scores)]
    assert_close([float(one) for one in found], -np.sort(-scores), 1e-3)
    senses = [SimpleNamespace(gloss=gloss) for gloss in GLOSSES]
    (chosen,) = sense([marked], SimpleNamespace(senses=lambda word, pos: senses))
    marks = ["* "[gloss != chosen.gloss] for gloss in ranked]
    assert [line[0] for line in lines] == marks
    return chosen.gloss


@pytest.mark.once
def test_the_script_in_the_readme_runs_without_tensorflow_and_keras(litert, sense):
    at_end = "Returns the sum of two values. " * 3 + "the [[🙂]] 再加"
    inside = "中文，再 ▁ \x1b加一些字。 Returns two values, 加 the [[main]]s]]: "

    assert check_script(litert.path, sense, at_end) != ""
    # None is far enough above the first.
    assert check_script(litert.path, sense, inside + "再加一些字。" * 9) == ""


@pytest.mark.slow
@pytest.mark.once
def test_the_script_reads_a_pretrained_tokenizer(bert, tmp_path):
    path = export_litert(bert, tmp_path / "s.tflite").path

    for marked in (
        "[[中文]]🙂",
        "Of many words the [[Markéd]] one and what is near it",
    ):
        check_script(path, bert, marked)
    with pytest.raises(AssertionError, match="no word is marked"):
        run_script("sense_litert.py", ["keras_lm"], path, ["a bank", "land"], 75)


@pytest.mark.slow
@pytest.mark.once
def test_lstms_tell_senses_as_well(tmp_path):
    import tensorflow as tf

    sense = make_sense(text.train_tokenizer(TEXTS * 5, 310), lstm=True)
    saved_model = export_both(sense, tmp_path)

    texts = [*MARKED, *PROMPTS]
    vectors = sense.vectors(texts)
    for signatures in loaded_signatures(saved_model.path):
        found = signatures["serving_default"](text=tf.constant(texts, tf.string))
        assert_close(found["vector"].numpy(), vectors)
    assert len(np.unique(vectors.round(3), axis=0)) == len(texts)


@pytest.mark.once
def test_words_are_where_the_marks_are(sense, tmp_path):
    expected = reference(sense, tmp_path)

    row = expected["texts"].index("the [[bank]] of a river")
    token_ids, _, words = expected["inputs"].values()
    word = [token for token, inside in zip(token_ids[row], words[row]) if inside]
    assert sense.tokenizer.decode(word) == " bank"  # as in a text without marks
    assert words[expected["texts"].index("")] == [True]
    columns = [expected["texts"], token_ids, words, expected["vectors"]]
    assert len({len(one) for one in columns}) == 1


@pytest.mark.once
def test_what_does_not_agree_is_refused(tmp_path):
    assert refuse(CHECKED, {}) == 0.5
    with pytest.raises(ExportError, match="vectors must be within 0.0001"):
        refuse({**CHECKED, "finite": False}, {})
    sense = make_sense(text.train_tokenizer(TEXTS * 5, 310))
    sense.model.set_weights([w * np.nan for w in sense.model.get_weights()])
    with pytest.raises(ValueError, match="vectors must be finite to be exported"):
        reference(sense, tmp_path)
