"""TextIndex: what is found, growing and shrinking, its folder, errors."""

import numpy as np
import pytest

from keras_lm.pipelines import TextIndex
from tests.checks import assert_close
from tests.pipelines.test_embedder_fingerprint import make_embedder

TEXTS = ["area of a square", "", "中文", "🙂", b"\xff", "width", "area"]
KINDS = ["exact", "hnsw"]


@pytest.fixture(scope="module")
def embedder():
    return make_embedder()


def make_index(embedder, kind="exact", texts=TEXTS, **more):
    index = TextIndex(embedder, kind)
    index.add(texts, **more)
    return index


@pytest.mark.parametrize("kind", KINDS)
def test_a_text_finds_itself_then_what_is_like_it(embedder, kind):
    index = make_index(embedder, kind)
    cosines = embedder.similarity(TEXTS, TEXTS)

    found = index.search(TEXTS, k=3)

    for row, hits in zip(cosines, found, strict=True):
        assert [hit.id for hit in hits] == np.argsort(-row)[:3].tolist()
        assert_close([hit.score for hit in hits], np.sort(row)[:-4:-1])
    assert [hits[0].text for hits in found] == [*TEXTS[:4], "\ufffd", *TEXTS[5:]]


@pytest.mark.once
def test_more_than_there_are_gives_all_and_nothing_gives_nothing(embedder):
    index = TextIndex(embedder)
    assert index.search(["area", ""]) == [[], []]
    assert index.add([]) == []
    assert index.search([]) == []

    index.add(["area", "width"])
    (hits,) = index.search(["area"], k=50)

    assert [hit.text for hit in hits] == ["area", "width"]
    assert hits[0].score == pytest.approx(1) and hits[0].score <= 1


@pytest.mark.once
def test_ids_and_metadata_stay_with_their_texts(embedder):
    index = TextIndex(embedder)

    assert index.add(["area", "中文"], ids=["a", 7], metadata=[{"页": (3, 4)}, None])
    assert index.add(["width", "🙂"]) == [8, 9]
    assert index.add(["area"], ids=[-5]) == [-5]

    assert (len(index), "a" in index, 9 in index, "b" in index) == (
        5,
        True,
        True,
        False,
    )
    ((first, second),) = index.search(["area"], k=2)
    assert {first.id, second.id} == {"a", -5}
    metadata = {hit.id: hit.metadata for hit in (first, second)}
    assert metadata == {"a": {"页": [3, 4]}, -5: None}


@pytest.mark.once
@pytest.mark.parametrize("kind", KINDS)
def test_removed_texts_are_found_no_more(embedder, kind):
    index = make_index(embedder, kind)

    index.remove([6, 6])
    assert index.search(["area"], k=1)[0][0].id != 6
    index.add(["area"], ids=[6])
    assert index.search(["area"], k=1)[0][0].id == 6
    index.remove([0, 1, 3, 4, 5])  # most: the others move together

    assert len(index) == 2
    hits = index.search(["中文", "area"], k=9)
    assert [[hit.id for hit in row] for row in hits] == [[2, 6], [6, 2]]
    index.remove([2, 6])
    assert index.search(["area"]) == [[]]
    assert index.add(["width"]) == [7]
    assert index.search(["area"])[0][0].text == "width"


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_from_its_folder_and_goes_on(embedder, kind, tmp_path):
    index = make_index(embedder, kind, metadata=list("abcdefg"))
    index.remove([1, 6])

    index.save(tmp_path / "索引")
    back = TextIndex.load(tmp_path / "索引", embedder)

    assert back.search(TEXTS) == index.search(TEXTS)
    assert len(back) == 5
    for one in (index, back):
        assert one.add(["square"], metadata=["h"]) == [7]
    assert back.search(["square", "area"]) == index.search(["square", "area"])
    back.save(tmp_path / "索引", overwrite=True)
    assert len(TextIndex.load(tmp_path / "索引", embedder)) == 6
    assert sorted(path.name for path in tmp_path.iterdir()) == ["索引"]


@pytest.mark.once
def test_settings_come_back(embedder, tmp_path):
    index = TextIndex(embedder, "hnsw", links=5, build_effort=30, search_effort=9)
    index.save(tmp_path / "i")

    back = TextIndex.load(tmp_path / "i", embedder)

    vectors = back._vectors
    assert (vectors.kind, vectors.links) == ("hnsw", 5)
    assert (vectors.build_effort, vectors.search_effort) == (30, 9)


@pytest.mark.once
def test_numbers_of_numpy_are_numbers(embedder, tmp_path):
    efforts = {"build_effort": np.int64(30), "search_effort": np.int32(9)}
    index = TextIndex(embedder, "hnsw", links=np.int64(5), **efforts)
    index.add(TEXTS)

    index.save(tmp_path / "i")

    back = TextIndex.load(tmp_path / "i", embedder)
    assert back.search(["area"], k=np.int64(2)) == index.search(["area"], k=2)


# ----------------------------------------------------------------------- errors


@pytest.mark.once
def test_another_embedder_is_refused(embedder, tmp_path):
    make_index(embedder).save(tmp_path / "i")

    with pytest.raises(ValueError, match="i: The index needs the embedder that it was"):
        TextIndex.load(tmp_path / "i", make_embedder(seed=5))
    with pytest.raises(ValueError, match="of 8 numbers. Received: one of 12"):
        TextIndex.load(tmp_path / "i", make_embedder(width=12))
    with pytest.raises(
        ValueError, match="i: The index needs an embedder that cuts tex"
    ):
        TextIndex.load(tmp_path / "i", make_embedder(max_length=30, truncate=True))
    with pytest.raises(TypeError, match="must be a `pipelines.TextEmbedder`. Received"):
        TextIndex.load(tmp_path / "i", None)
    with pytest.raises(TypeError, match="Received: TransformerEncoder"):
        TextIndex(embedder.model)


@pytest.mark.once
def test_files_that_do_not_fit_together_are_refused(embedder, tmp_path):
    make_index(embedder).save(tmp_path / "i")
    texts, vectors = (tmp_path / "i" / n for n in ("texts.jsonl", "vectors.faiss"))
    whole = texts.read_bytes()

    texts.write_bytes(whole + b"null\n")
    with pytest.raises(ValueError, match="each text. Received: 7 vectors and 8 texts"):
        TextIndex.load(tmp_path / "i", embedder)
    texts.write_bytes(whole)
    vectors.write_bytes(vectors.read_bytes()[:-9])
    with pytest.raises(
        ValueError, match="vectors must be whole. Received: what is cut"
    ):
        TextIndex.load(tmp_path / "i", embedder)
    about = tmp_path / "i" / "index.json"
    about.write_text(about.read_text("utf-8").replace('"links"', '"bonds"'), "utf-8")
    with pytest.raises(ValueError, match="settings of an index must be .*'bonds'"):
        TextIndex.load(tmp_path / "i", embedder)


@pytest.mark.once
def test_nothing_is_half_written(embedder, tmp_path, monkeypatch):
    index = make_index(embedder)
    index.save(tmp_path / "i")
    before = index.search(TEXTS)
    index.add(["square"])

    def fail(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(OSError, match="can be written. Received: No space left"):
        index.save(tmp_path / "i", overwrite=True)
    monkeypatch.undo()
    assert TextIndex.load(tmp_path / "i", embedder).search(TEXTS) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i"]


@pytest.mark.once
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"texts": "area"},
            TypeError,
            "`texts` must be a list of texts. Received: 'ar",
        ),
        ({"texts": ["a", 3]}, TypeError, "a text must be str or bytes"),
        ({"texts": ["a", "\0" * 60]}, ValueError, "at most 40 tokens.*in text 1"),
        ({"ids": ["c", "c"]}, ValueError, "must be a new one .* Received: 'c'"),
        ({"ids": ["c", 0]}, ValueError, "must be a new one .* Received: 0"),
        ({"metadata": [1]}, ValueError, "metadata for each text, in a list. Received"),
        ({"metadata": [1, {2}]}, TypeError, "what JSON can hold. Received: .2"),
    ],
)
def test_what_is_refused_adds_nothing(embedder, arguments, error, message):
    index = make_index(embedder, texts=["area"])

    with pytest.raises(error, match=message):
        index.add(**{"texts": ["b", "c"], **arguments})

    assert len(index) == 1
    assert [hit.text for hit in index.search(["b"])[0]] == ["area"]
    assert index.add(["b"]) == [1]


@pytest.mark.once
def test_vectors_that_find_no_memory_add_nothing(embedder, monkeypatch):
    index = make_index(embedder, texts=["area"])

    def fail(vectors):
        raise MemoryError

    monkeypatch.setattr(index._vectors, "add", fail)
    with pytest.raises(MemoryError):
        index.add(["b", "c"])
    monkeypatch.undo()

    assert (len(index), 1 in index) == (1, False)
    assert index.add(["width"]) == [1]
    assert [hit.text for hit in index.search(["width"])[0]] == ["width", "area"]


@pytest.mark.once
def test_what_cannot_be_sought_or_removed_is_refused(embedder):
    index = make_index(embedder)
    with pytest.raises(TypeError, match="`queries` must be a list of texts. Received"):
        index.search("area")
    with pytest.raises(ValueError, match="`k` must be at least 1. Received: k=0"):
        index.search(["area"], k=0)
    with pytest.raises(ValueError, match="`k` must be an int, at least 1. Received: k"):
        index.search(["area"], k=1.5)
    with pytest.raises(TypeError, match="`ids` must be a list of ids. Received: 'ab'"):
        index.remove("ab")
    for strange in (0.0, False):
        with pytest.raises(TypeError, match=f"an int or a str. Received: {strange}"):
            index.remove([strange])
    with pytest.raises(ValueError, match="must be in the index. Received: 'x'"):
        index.remove([0, "x"])
    assert len(index) == 7
    with pytest.raises(ValueError, match="`kind` must be one of"):
        TextIndex(embedder, "flat")


@pytest.mark.once
def test_vectors_that_are_no_numbers_are_refused():
    embedder = make_embedder()
    index = TextIndex(embedder)
    embedder.model.set_weights([w * np.nan for w in embedder.model.get_weights()])

    with pytest.raises(ValueError, match="vectors must be finite. Received: 8 numbers"):
        index.add(["area"])
