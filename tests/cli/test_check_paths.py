"""check_paths: what is there instead of a pipeline, and what may be written."""

import json

import pytest

from keras_lm.cli.check_paths import (
    check_folder,
    check_new,
    check_outside,
    check_pipeline,
)

pytestmark = pytest.mark.once


def pipeline(path, kind="TextGenerator"):
    path.mkdir(parents=True)
    (path / "pipeline.json").write_text(json.dumps({"pipeline": kind}))
    return path


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_pipeline_is_taken_and_one_of_another_kind_is_not(tmp_path):
    generator = pipeline(tmp_path / "made")
    check_pipeline(generator)
    check_pipeline(generator, "TextToText", "TextGenerator")

    with pytest.raises(ValueError, match="hold a `TextToText`. Received: .*made, a `T"):
        check_pipeline(generator, "TextToText")


@pytest.mark.parametrize("written", ["{", "[]", "7"])
def test_a_damaged_description_is_left_to_load(tmp_path, written):
    (tmp_path / "pipeline.json").write_text(written)
    check_pipeline(tmp_path, "TextToText")


def refusal(path):
    with pytest.raises(FileNotFoundError, match="must hold `pipeline.json`") as fault:
        check_pipeline(path)
    return str(fault.value).partition(f"{path}, ")[2]


def test_what_is_there_instead_is_named(tmp_path):
    made = pipeline(tmp_path / "lm_pipeline")
    version = touch(tmp_path / "lm" / "2" / "saved_model.pb").parent
    from_it = f"; it was made from the pipeline {made}"

    assert refusal(tmp_path / "nowhere") == "which is not there"
    assert refusal(touch(tmp_path / "lm.json")) == "a file"
    assert refusal(tmp_path) == "which holds pipelines: lm_pipeline"
    assert refusal(version) == f"an export, a SavedModel{from_it}"
    assert refusal(version.parent) == f"the versions of an export, SavedModels{from_it}"
    assert refusal(touch(tmp_path / "lm.tflite")) == f"an export for LiteRT{from_it}"
    assert refusal(touch(tmp_path / "x.tflite")) == (
        "an export for LiteRT: give the pipeline that it was made from"
    )
    assert refusal(touch(tmp_path / "empty" / "x").parent) == "which does not"


def test_a_new_path_does_not_exist_unless_it_may_be_replaced(tmp_path):
    check_new("--output", tmp_path / "a" / "b", overwrite=False)
    check_new("--output", tmp_path, overwrite=True)

    with pytest.raises(FileExistsError, match="`--output` must not exist, or --overwr"):
        check_new("--output", tmp_path, overwrite=False)


def test_only_an_empty_folder_or_a_pipeline_is_replaced(tmp_path):
    check_new("--output", pipeline(tmp_path / "made"), overwrite=True)
    texts = touch(tmp_path / "texts" / "猫.txt").parent

    with pytest.raises(FileExistsError, match="new, empty or a pipeline: --overwrite"):
        check_new("--output", texts, overwrite=True)
    check_folder("--checkpoints", texts)  # what it holds stays


def test_a_path_must_lie_outside_what_is_replaced_or_read(tmp_path):
    texts = touch(tmp_path / "texts" / "a" / "猫.txt").parent.parent
    link = tmp_path / "link"
    link.symlink_to(texts, target_is_directory=True)
    told = "`--out` must lie outside `corpus`, or one spoils the other. Received: "

    for inside in (texts, texts / "a" / "new", link / "b", tmp_path / "x" / "../texts"):
        with pytest.raises(ValueError, match=f"{told}{inside}, and {texts}"):
            check_outside("--out", inside, "corpus", texts)
    for outside in (tmp_path, tmp_path / "texts_lm", tmp_path / "new" / "texts"):
        check_outside("--out", outside, "corpus", texts)


def test_a_new_path_is_of_its_kind_and_in_a_folder(tmp_path):
    file = touch(tmp_path / "file")

    for check in (lambda *a: check_new(*a, overwrite=True), check_folder):
        with pytest.raises(OSError, match="`--output` must be a folder. .*a file"):
            check("--output", file)
    with pytest.raises(OSError, match="`--litert` must be a file. .*a folder"):
        check_new("--litert", tmp_path, overwrite=True, folder=False)
    with pytest.raises(OSError, match="`--output` must lie in a folder. .*file"):
        check_new("--output", file / "x" / "y", overwrite=True)


def test_a_closed_folder_is_told_at_once(tmp_path, monkeypatch):
    closed = touch(tmp_path / "closed" / "x").parent
    # Root may write anywhere.
    monkeypatch.setattr("os.access", lambda path, _: path != closed.resolve())
    told = "must lie where one may write. Received: .*closed is closed"

    with pytest.raises(PermissionError, match=f"`--out` {told}"):
        check_new("--out", closed / "new" / "lm", overwrite=False)
    for folder in (closed, closed / "new"):
        with pytest.raises(PermissionError, match=f"`--checkpoints` {told}"):
            check_folder("--checkpoints", folder)
    check_new("--out", tmp_path / "lm", overwrite=False)
