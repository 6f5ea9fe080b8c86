"""read_corpus: files of a folder, sections of a file, what is refused."""

import pytest
from hypothesis import given

from keras_lm.text import Document, read_corpus, split_documents
from keras_lm.text.read_corpus import _sections as sections
from tests.text.samples import TEXTS

pytestmark = pytest.mark.once


def write(folder, files):
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def test_each_file_of_a_folder_is_a_document(tmp_path):
    write(
        tmp_path,
        {
            "b.txt": "中文 👩‍👩‍👧\r\n".encode(),
            "a/c.md": b"\xef\xbb\xbfmarked",
            "empty.txt": b" \n",
            ".git/config": b"\xff",
            ".hidden": b"\xff",
        },
    )

    assert read_corpus(tmp_path) == [
        Document("a/c.md", "marked"),
        Document("b.txt", "中文 👩‍👩‍👧\r\n"),
    ]


def test_a_file_is_cut_at_blank_lines(tmp_path):
    paragraphs = [f"Paragraph {n}.\nSecond line {n}.\n\n" for n in range(100)]
    write(tmp_path, {"book.txt": "".join(paragraphs).encode()})

    documents = read_corpus(str(tmp_path / "book.txt"))

    assert len(documents) > 20
    assert documents[0].name == "book.txt:1"
    assert all(d.text.startswith("Paragraph") for d in documents)
    assert "".join(d.text for d in documents) == "".join(paragraphs)


@pytest.mark.parametrize("unit", ["天地玄黄。", "天地玄黄", "One line. ", "word "])
def test_one_long_line_can_be_split(tmp_path, unit):
    write(tmp_path, {"line.txt": (unit * 30_000).encode()})

    documents = read_corpus(tmp_path / "line.txt")
    train, held_out = split_documents(documents, held_out_fraction=0.05)

    assert max(len(document.text) for document in documents) <= 4000
    assert "".join(document.text for document in documents) == unit * 30_000
    assert all(d.text.startswith(unit) for d in documents)
    assert 0.03 < len(held_out) / len(train) < 0.06


@given(TEXTS)
def test_sections_put_together_are_the_text(text):
    assert "".join(d.text for d in sections("name", text)) == text


def test_what_is_not_utf8_is_refused_with_file_and_byte(tmp_path):
    write(tmp_path, {"good.txt": b"good", "bad.txt": "中".encode() + b"\xff\xfe"})

    for path in [tmp_path, tmp_path / "bad.txt"]:
        with pytest.raises(ValueError, match=r"UTF-8 text.*bad.txt, byte 3 is 0xff"):
            read_corpus(path)


@pytest.mark.parametrize("files", [{}, {"a.txt": b""}, {"a.txt": b" \n\t"}])
def test_an_empty_corpus_is_refused(tmp_path, files):
    write(tmp_path, files)

    for path in [tmp_path, *tmp_path.iterdir()]:
        with pytest.raises(ValueError, match="The corpus must hold some text"):
            read_corpus(path)


def test_a_missing_path_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="must be a file or folder that exists"):
        read_corpus(tmp_path / "missing")
