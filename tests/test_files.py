"""Folders and files: complete or absent, whatever happens on the way."""

import os
from pathlib import Path

import pytest

from keras_lm.files import complete_file, complete_folder, flush_folder

pytestmark = pytest.mark.once


def write(target, text, **options):
    with complete_folder(target, **options) as folder:
        (folder / "part").mkdir()
        (folder / "part" / "file").write_text(text)


def content(target):
    return (target / "part" / "file").read_text()


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_folder_takes_its_name_at_the_end(tmp_path):
    target = tmp_path / "above" / "target"

    with complete_folder(target) as folder:
        assert folder.parent == target.parent and folder.name.startswith(".")
        assert not target.exists()
        (folder / "file").write_text("new")

    assert names(tmp_path / "above") == ["target"]
    assert names(target) == ["file"]


def test_others_may_read_it_as_any_folder(tmp_path):
    write(tmp_path / "target", "new")
    (tmp_path / "plain").mkdir()

    assert (tmp_path / "target").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_nothing(tmp_path, error):
    write(tmp_path / "old", "old")

    for target in ("old", "new"):
        with (
            pytest.raises(error, match="in the middle"),
            complete_folder(tmp_path / target, overwrite=True) as folder,
        ):
            (folder / "file").write_text("half")
            raise error("in the middle")

    assert names(tmp_path) == ["old"]
    assert content(tmp_path / "old") == "old"


def test_a_folder_is_replaced_when_asked(tmp_path):
    write(tmp_path / "target", "old")

    write(tmp_path / "target", "new", overwrite=True)

    assert content(tmp_path / "target") == "new"
    assert names(tmp_path) == ["target"]
    assert names(tmp_path / "target") == ["part"]


def test_a_link_is_followed(tmp_path):
    write(tmp_path / "target", "old")
    (tmp_path / "link").symlink_to("target")

    write(tmp_path / "link", "new", overwrite=True)

    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "target") == "new"
    assert names(tmp_path) == ["link", "target"]


def test_a_relative_name_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    write("target", "new")

    assert content(tmp_path / "target") == "new"


def test_the_old_folder_comes_back_when_the_new_cannot_take_its_name(
    tmp_path, monkeypatch
):
    write(tmp_path / "target", "old")
    rename, calls = Path.rename, []

    def fail_once(self, target):
        calls.append(target)
        if len(calls) == 2:  # the old one is away, the new one not yet there
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="can be written. Received: Input/output error"):
        write(tmp_path / "target", "new", overwrite=True)

    assert len(calls) == 3
    assert content(tmp_path / "target") == "old"
    assert names(tmp_path) == ["target"]


def test_at_no_time_is_half_a_folder_seen(tmp_path, monkeypatch):
    # What a process that is killed leaves under the target's name, at every rename.
    write(tmp_path / "target", "old")
    rename, seen = Path.rename, []

    def watched(self, target):
        rename(self, target)
        whole = (tmp_path / "target").exists()
        seen.append(content(tmp_path / "target") if whole else "none")

    monkeypatch.setattr(Path, "rename", watched)
    write(tmp_path / "target", "new", overwrite=True)

    assert seen == ["none", "new"]  # the instant that the docstring names


def test_what_another_process_wrote_meanwhile_stays(tmp_path):
    with (
        pytest.raises(OSError, match="must be one that can be written. Received: Dir"),
        complete_folder(tmp_path / "target") as folder,
    ):
        (folder / "file").write_text("slow")
        write(tmp_path / "target", "fast")

    assert content(tmp_path / "target") == "fast"
    assert names(tmp_path) == ["target"]


def test_a_target_that_is_there_is_refused(tmp_path):
    write(tmp_path / "target", "old")
    (tmp_path / "file").write_text("a file")

    with pytest.raises(FileExistsError, match="must not exist, or be a folder.*target"):
        write(tmp_path / "target", "new")
    with pytest.raises(FileExistsError, match="must not exist, or be a folder.*file"):
        write(tmp_path / "file", "new", overwrite=True)

    assert content(tmp_path / "target") == "old"
    assert (tmp_path / "file").read_text() == "a file"


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("a file")

    with pytest.raises(OSError, match="must be one that can be written.*file/target"):
        write(tmp_path / "file" / "target", "new")


def noted_events(folder, monkeypatch):
    """What is flushed, by its path in a folder, and what is renamed, in this order."""
    fsync, events = os.fsync, []

    def noted_fsync(number):
        place = Path(os.readlink(f"/proc/self/fd/{number}"))
        events.append(str(place.relative_to(folder)).partition("/"))
        fsync(number)

    def noted(function):
        def rename(self, target):
            events.append("rename")
            return function(self, target)

        return rename

    monkeypatch.setattr(os, "fsync", noted_fsync)
    for name in ("rename", "replace"):
        monkeypatch.setattr(Path, name, noted(getattr(Path, name)))
    return events


def test_everything_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    events = noted_events(tmp_path, monkeypatch)

    write(tmp_path / "target", "new")

    (beside, *_), *_ = events
    assert events == [
        (beside, "/", "part"),
        (beside, "/", "part/file"),
        (beside, "", ""),
        "rename",
        (".", "", ""),  # the name is, too
    ]
    assert beside.startswith(".target-")
    flush_folder(tmp_path / "target")
    assert [path for _, _, path in events[5:]] == ["part", "part/file", ""]


# ------------------------------------------------------------------------ files


def write_file(target, text, **options):
    with complete_file(target, **options) as path:
        path.write_text(text)


def test_a_file_takes_its_name_at_the_end(tmp_path, monkeypatch):
    target = tmp_path / "above" / "文件"

    with complete_file(target) as path:
        assert path.parent == target.parent and path.name.startswith(".文件-")
        path.write_text("new")
        assert not target.exists()

    assert names(tmp_path / "above") == ["文件"]
    assert target.read_text() == "new"
    monkeypatch.chdir(target.parent)
    write_file("文件", "newer", overwrite=True)
    assert target.read_text() == "newer"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_block_that_fails_leaves_the_file_as_it_was(tmp_path, error):
    write_file(tmp_path / "old", "old")

    for target in ("old", "new"):
        with (
            pytest.raises(error, match="in the middle"),
            complete_file(tmp_path / target, overwrite=True) as path,
        ):
            path.write_text("half")
            raise error("in the middle")

    assert names(tmp_path) == ["old"]
    assert (tmp_path / "old").read_text() == "old"


def test_a_link_to_a_file_is_followed(tmp_path):
    write_file(tmp_path / "target", "old")
    (tmp_path / "link").symlink_to("target")

    write_file(tmp_path / "link", "new", overwrite=True)

    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "new"
    assert names(tmp_path) == ["link", "target"]


def test_a_file_is_on_the_disk_before_it_takes_its_name(tmp_path, monkeypatch):
    events = noted_events(tmp_path, monkeypatch)

    write_file(tmp_path / "target", "new")

    (beside, *_), *others = events
    assert beside.startswith(".target-")
    assert others == ["rename", (".", "", "")]


def test_a_file_that_is_there_is_refused(tmp_path):
    write_file(tmp_path / "target", "old")
    (tmp_path / "folder").mkdir()

    with pytest.raises(FileExistsError, match="must not exist, or be a file .*target"):
        write_file(tmp_path / "target", "new")
    with pytest.raises(FileExistsError, match="must not exist, or be a file .*folder"):
        write_file(tmp_path / "folder", "new", overwrite=True)
    with (
        pytest.raises(FileExistsError, match="can be written. Received: File exists"),
        complete_file(tmp_path / "other") as path,
    ):
        path.write_text("slow")
        write_file(tmp_path / "other", "fast")

    assert (tmp_path / "target").read_text() == "old"
    assert (tmp_path / "other").read_text() == "fast"
    assert names(tmp_path) == ["folder", "other", "target"]


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("a file")

    with pytest.raises(OSError, match="file must be one that can be.*file/target"):
        write_file(tmp_path / "file" / "target", "new")
    with (
        pytest.raises(OSError, match="can be written. Received: No space left"),
        complete_file(tmp_path / "new") as path,
    ):
        path.write_text("half")
        raise OSError(28, "No space left on device")

    assert names(tmp_path) == ["file"]
