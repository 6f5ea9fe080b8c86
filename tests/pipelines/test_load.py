"""load: from any backend, nothing that is cut off, nothing that runs as code."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import keras
import pytest

from keras_lm.models import TransformerDecoder
from keras_lm.pipelines import TextGenerator, load
from tests.fakes import random_weights
from tests.text.samples import TOKENIZER

ROOT = Path(__file__).parent.parent.parent
TEXTS = ["def area(", "", "中文", "🙂"]

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 8, "intermediate_dim": 13}
    model = TransformerDecoder(
        TOKENIZER.vocabulary_size,
        **sizes,
        max_sequence_length=37,
        tie_embeddings=False,
    )
    random_weights(model, seed=4)
    directory = tmp_path_factory.mktemp("load") / "pipeline"
    TextGenerator(model, TOKENIZER, max_new_tokens=11).save(directory)
    return directory


@pytest.fixture
def copy(saved, tmp_path):
    return Path(shutil.copytree(saved, tmp_path / "copy"))


# --------------------------------------------------------------------- backends

# Loads the directories, tells what each says, and saves the last for the next process.
SCRIPT = """
import json, sys
from keras_lm.pipelines import load
*directories, own = sys.argv[1:]
generators = [load(directory) for directory in directories]
print(json.dumps([g(json.loads(input())) for g in generators[:1]]
    + [g.score(["area", "\\u4e2d"]).tolist() for g in generators]))
generators[-1].save(own)
"""


def on(backend, script, arguments, given=None):
    """What a script says on another backend, as JSON in its last line."""
    run = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        input=json.dumps(given) + "\n",
        env={**os.environ, "KERAS_BACKEND": backend},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.slow_elsewhere  # it starts the other two itself
def test_a_directory_moves_between_the_backends(saved, tmp_path):
    here = load(saved)
    answers, scores = here(TEXTS), here.score(["area", "中"])
    assert len(set(answers)) == len(TEXTS)

    places = [saved]
    for backend in ("torch", "tensorflow", "jax"):
        if backend != keras.backend.backend():
            said, *scored = on(backend, SCRIPT, [*places, tmp_path / backend], TEXTS)
            places.append(tmp_path / backend)
            assert said == answers
            for numbers in scored:
                assert numbers == pytest.approx(scores, rel=1e-4)

    back = load(places[-1])  # saved on the third backend what the second had saved
    assert back(TEXTS) == answers
    assert back.max_new_tokens == 11


# ----------------------------------------------------------------------- errors


def test_what_is_not_there_is_named(copy, tmp_path):
    (tmp_path / "file").write_text("a file")
    for place in (tmp_path / "nowhere", tmp_path, tmp_path / "file"):
        with pytest.raises(FileNotFoundError, match="must hold `pipeline.json`"):
            load(place)
    for name in ("model.keras", "tokenizer.model"):
        (copy / name).rename(copy / "away")
        with pytest.raises(FileNotFoundError, match=f"must hold `{name}`. Received: "):
            load(str(copy))
        (copy / "away").rename(copy / name)
    assert load(str(copy)).max_new_tokens == 11


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.keras", "`model.keras` must be a whole model of keras_lm"),
        ("tokenizer.model", "tokenizer.model: "),
        ("pipeline.json", "`pipeline.json` must be what `save` wrote"),
    ],
)
def test_a_file_that_is_cut_off_is_refused(copy, name, message):
    whole = (copy / name).read_bytes()
    for size in (0, 7, len(whole) // 3, len(whole) // 2, len(whole) - 9):
        (copy / name).write_bytes(whole[:size])
        with pytest.raises(ValueError, match=message):
            load(copy)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ([], "must be what `save` wrote"),
        ({"pipeline": "TextGenerator"}, "must be what `save` wrote"),
        ({"pipeline": "TextGenerator", "settings": 3}, "must be what `save` wrote"),
        ({"pipeline": "os.system", "settings": {}}, "must name a pipeline of keras_lm"),
        ({"settings": {}}, "must name a pipeline of keras_lm"),
        (
            {"pipeline": "TextGenerator", "settings": {"shell": "rm"}},
            "must fit together.*shell",
        ),
        (
            {"pipeline": "TextGenerator", "settings": {"max_new_tokens": "9"}},
            "must fit together.*`max_new_tokens` must be an int",
        ),
    ],
)
def test_another_description_is_refused(copy, description, message):
    (copy / "pipeline.json").write_text(json.dumps(description))

    with pytest.raises(ValueError, match=message):
        load(copy)


def test_a_model_of_another_kind_is_refused(copy):
    for model in (
        TransformerDecoder(27, 1, 1, 2, 3, 5),
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)]),
    ):
        model.save(copy / "model.keras")
        with pytest.raises(ValueError, match="files of a pipeline must fit together"):
            load(copy)


# ------------------------------------------------------------------------- code


def with_config(path, change):
    """Rewrites the configuration inside a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(files["config.json"])
    change(config)
    files["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def test_a_changed_configuration_is_read(copy):
    # Or the test below would say nothing: the file is rewritten as Keras reads it.
    with_config(copy / "model.keras", lambda c: c["config"].update(dropout=0.25))

    assert load(copy).model.dropout == 0.25


def test_code_in_the_model_is_refused_and_not_run(copy, tmp_path):
    ran = tmp_path / "ran"
    layer = keras.layers.Lambda(lambda x, path=str(ran): [x, open(path, "w").close()])
    code = keras.saving.serialize_keras_object(layer)
    function = keras.saving.serialize_keras_object(
        lambda x, path=str(ran): [x, open(path, "w").close()]
    )
    popen = {
        "module": "subprocess",
        "class_name": "Popen",
        "config": {"args": ["touch", str(ran)]},
        "registered_name": "Popen",
    }
    system = {
        "module": "os",
        "class_name": "function",
        "config": "system",
        "registered_name": "system",
    }
    fine = (copy / "model.keras").read_bytes()
    changes = [
        {"attention": code},
        {"attention": popen},
        {"attention": [popen]},
        {"attention": function},
        {"activation": function},
        {"activation": popen},
        {"activation": system},
    ]
    for change in changes:
        (copy / "model.keras").write_bytes(fine)
        with_config(copy / "model.keras", lambda c: c["config"].update(change))  # noqa: B023
        with pytest.raises(ValueError, match="must be a whole model of keras_lm"):
            load(copy)
        assert not ran.exists()

    (copy / "model.keras").write_bytes(fine)
    with_config(copy / "model.keras", lambda c: (c.clear(), c.update(popen)))
    with pytest.raises(ValueError, match="must be a whole model of keras_lm"):
        load(copy)
    keras.Sequential([keras.Input((3,)), layer]).save(copy / "model.keras")
    ran.unlink()  # it ran here, when the model was made
    with pytest.raises(ValueError, match="must be a whole model of keras_lm"):
        load(copy)
    assert not ran.exists()
