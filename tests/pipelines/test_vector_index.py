"""VectorIndex: nearest first, what the graph misses, what is removed, its bytes."""

import sys

import numpy as np
import pytest

from keras_lm.pipelines.vector_index import VectorIndex

pytestmark = pytest.mark.once
KINDS = ["exact", "hnsw"]


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1)[:, None]).astype("float32")


def make_index(kind, width=3, content=None, **settings):
    settings = {"links": 16, "build_effort": 60, "search_effort": 40} | settings
    return VectorIndex(width, kind, content=content, **settings)


def clusters(count, width=24):
    rng = np.random.default_rng(seed=0)
    centres = rng.normal(size=(50, width))
    return unit(
        centres[rng.integers(0, 50, count)] + 0.5 * rng.normal(size=(count, width))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_case_done_by_hand(kind):
    index = make_index(kind)
    index.add(np.eye(3))
    index.add(unit(np.array([[1.0, 1, 0]])))

    scores, slots = index.search(unit(np.array([[4.0, 3, 0], [0, 0, -1]])), k=2)

    assert slots[0].tolist() == [3, 0]
    assert scores[0] == pytest.approx([7 / 5 / 2**0.5, 4 / 5])
    assert scores[1] == pytest.approx([0, 0])
    index.remove([3, 1])
    scores, slots = index.search(unit(np.array([[4.0, 3, 0]])), k=9)
    assert slots.tolist() == [[0, 2]]
    assert (len(index), index.num_slots) == (2, 4)


def test_the_graph_misses_little_and_less_with_effort():
    vectors = clusters(4000)
    queries = clusters(4200)[4000:]
    exact = make_index("exact", 24)
    exact.add(vectors)
    _, nearest = exact.search(queries, 10)
    assert (
        nearest == np.argsort(-(queries @ vectors.T), axis=1)[:, :10]
    ).mean() > 0.999

    recalls = []
    for effort in (1, 100):
        graph = make_index("hnsw", 24, search_effort=effort)
        for some in np.split(vectors, 4):
            graph.add(some)
        _, found = graph.search(queries, 10)
        recalls.append(np.mean([len({*a} & {*b}) / 10 for a, b in zip(found, nearest)]))

    assert recalls[1] > 0.98
    assert recalls[0] < recalls[1] - 0.02


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_removed_is_never_found(kind):
    vectors = clusters(600)
    index = make_index(kind, 24)
    index.add(vectors)
    gone = np.arange(600) % 5 < 2  # two fifths
    index.remove(np.flatnonzero(gone))
    assert index.compact() is None

    scores, slots = index.search(vectors[gone][:50], 5)

    assert not gone[slots].any()
    products = np.where(gone, -2, vectors[gone][:50] @ vectors.T)
    best = np.sort(products, axis=1)[:, :-6:-1]
    assert np.mean(np.abs(scores - best) < 1e-5) > 0.97


@pytest.mark.parametrize("kind", KINDS)
def test_slots_are_given_anew_when_most_are_empty(kind):
    vectors = clusters(40)
    index = make_index(kind, 24)
    index.add(vectors)
    index.remove(range(1, 30))

    kept = index.compact()

    assert kept.tolist() == [0, *range(30, 40)]
    assert (len(index), index.num_slots) == (11, 11)
    _, slots = index.search(vectors[35:36], 1)
    assert slots.tolist() == [[6]]
    index.remove(range(11))
    assert index.compact().tolist() == []
    index.add(vectors[:1])
    assert index.search(vectors[:1], 3)[1].tolist() == [[0]]


@pytest.mark.parametrize("kind", KINDS)
def test_its_bytes_give_it_back(kind):
    vectors = clusters(90)
    index = make_index(kind, 24)
    index.add(vectors[:80])

    back = make_index(kind, 24, content=index.to_bytes())

    for one in (index, back):
        one.add(vectors[80:])
    for a, b in zip(index.search(vectors, 4), back.search(vectors, 4)):
        np.testing.assert_array_equal(a, b)


def test_nothing_is_found_in_nothing():
    for kind in KINDS:
        scores, slots = make_index(kind).search(np.eye(3, dtype="float32"), 2)
        assert scores.shape == slots.shape == (3, 0)
        assert make_index(kind, content=make_index(kind).to_bytes()).num_slots == 0


# ----------------------------------------------------------------------- errors


def test_what_does_not_fit_is_refused():
    for settings, message in [
        ({"kind": "flat"}, r"`kind` must be one of \['exact', 'hnsw'\]. Received: k"),
        ({"links": 1}, "`links` must be at least 2. Received: links=1"),
        ({"links": 2.5}, "`links` must be an int, at least 2. Received: links=2.5"),
        ({"search_effort": "9"}, "`search_effort` must be an int, at least 1"),
        ({"build_effort": 0}, "`build_effort` must be at least 1"),
        ({"search_effort": 0}, "`search_effort` must be at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            make_index(**{"kind": "exact", **settings})


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_of_another_are_refused(kind):
    index = make_index(kind)
    index.add(np.eye(3))
    content = index.to_bytes()
    for cut in (b"", content[:20], content[:-1], b"hello world"):
        with pytest.raises(ValueError, match="must be whole. Received: what is cut"):
            make_index(kind, content=cut)
    other = KINDS[1 - KINDS.index(kind)]
    with pytest.raises(ValueError, match="must be in a Index.* Received: a Index"):
        make_index(other, content=content)
    with pytest.raises(ValueError, match="of 4. Received: a .* of 3"):
        make_index(kind, 4, content=content)


def test_a_size_beyond_memory_is_refused(monkeypatch):
    # A size in the graph that says 2^39, which faiss then asks for, made so by hand.
    def fail(content):
        raise MemoryError("std::bad_alloc")

    content = make_index("hnsw").to_bytes()
    monkeypatch.setattr("faiss.deserialize_index", fail)
    with pytest.raises(ValueError, match=r"must be whole.* too large \(std::bad_alloc"):
        make_index("hnsw", content=content)


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"keras-lm\[search\].*without faiss"):
        make_index("exact")
