"""The folder of an index: written and read, whole or refused."""

import json
import os

import pytest

from keras_lm.pipelines.text_index_files import (
    IndexFiles,
    read_index_files,
    write_index_files,
)

pytestmark = pytest.mark.once
FILES = IndexFiles(
    settings={"kind": "exact"},
    next_id=7,
    fingerprint={
        "vectors": {"": [0.5], "中": [1.0]},
        "max_length": 9,
        "truncate": True,
    },
    records=[
        [0, "a\u2028b\n\r\x85🙂", {"page": 3}],
        None,
        ["中", "", None],
        [os.fsdecode(b"caf\xe9"), "", {"path": os.fsdecode(b"\xff.txt")}],
    ],
    vectors=b"\x00\n",
)


def test_all_comes_back(tmp_path):
    write_index_files(tmp_path / "i", FILES)

    assert read_index_files(tmp_path / "i") == FILES
    assert sorted(p.name for p in tmp_path.iterdir()) == ["i"]
    none = FILES._replace(records=[])
    write_index_files(tmp_path / "i", none, overwrite=True)
    assert read_index_files(tmp_path / "i") == none
    with pytest.raises(FileExistsError, match="must not exist"):
        write_index_files(tmp_path / "i", FILES)


@pytest.mark.parametrize("name", ["index.json", "texts.jsonl", "vectors.faiss"])
def test_a_missing_file_is_named(tmp_path, name):
    write_index_files(tmp_path / "i", FILES)
    (tmp_path / "i" / name).unlink()

    with pytest.raises(FileNotFoundError, match=f"must hold `{name}`. Received"):
        read_index_files(tmp_path / "i")


def change(description, **entries):
    return json.dumps(json.loads(description) | entries).encode()


def change_fingerprint(description, **entries):
    return change(description, fingerprint=FILES.fingerprint | entries)


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("index.json", lambda content: content[:-2]),
        ("index.json", lambda content: b"[]"),
        ("index.json", lambda content: b"\xff"),
        ("index.json", lambda content: change(content, index="Other")),
        ("index.json", lambda content: change(content, settings=[])),
        ("index.json", lambda content: change(content, next_id="7")),
        ("index.json", lambda content: change(content, more=1)),
        ("index.json", lambda content: change(content, fingerprint={"": [1.0]})),
        ("index.json", lambda content: change_fingerprint(content, vectors={"a": [1]})),
        ("index.json", lambda content: change_fingerprint(content, vectors=None)),
        ("index.json", lambda content: change_fingerprint(content, max_length="9")),
        ("texts.jsonl", lambda content: content[:-1]),
        ("texts.jsonl", lambda content: content[:10]),
        ("texts.jsonl", lambda content: content + b"[1, 2]\n"),
    ],
)
def test_what_is_cut_off_or_of_others_is_refused(tmp_path, name, spoil):
    write_index_files(tmp_path / "i", FILES)
    path = tmp_path / "i" / name
    path.write_bytes(spoil(path.read_bytes()))

    with pytest.raises(
        ValueError, match="must be what `save` wrote. Received: .*i, wh"
    ):
        read_index_files(tmp_path / "i")
