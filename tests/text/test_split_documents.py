"""split_documents: whole documents, all of them, repeatable."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import Document, split_documents

pytestmark = pytest.mark.once
DOCUMENTS = [Document(f"module_{n}", "é" * (n + 1)) for n in range(50)]


def test_a_case_done_by_hand():
    # A tenth of 1275 characters has room for few; the order stays.
    train, held_out = split_documents(DOCUMENTS, held_out_fraction=0.1, seed=3)

    assert sorted(train + held_out, key=DOCUMENTS.index) == DOCUMENTS
    assert 100 < sum(len(document.text) for document in held_out) <= 127.5
    assert held_out == [d for d in DOCUMENTS if d in held_out]
    assert split_documents(DOCUMENTS, 0.1, seed=3) == (train, held_out)
    assert split_documents(DOCUMENTS, 0.1, seed=4) != (train, held_out)


@given(st.lists(st.integers(0, 99), min_size=2, max_size=9), st.floats(0.01, 0.99))
def test_neither_part_is_empty_and_nothing_is_lost(sizes, fraction):
    documents = [Document(str(n), "a" * size) for n, size in enumerate(sizes)]

    train, held_out = split_documents(documents, fraction)

    assert train and held_out
    assert {d.name for d in train} | {d.name for d in held_out} == set(
        map(str, range(len(sizes)))
    )
    assert len(train) + len(held_out) == len(sizes)


def test_the_shortest_is_held_out_where_none_fits():
    documents = [Document("long", "a" * 90), Document("short", "b" * 60)]

    assert split_documents(documents, 0.1) == ([documents[0]], [documents[1]])


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 1.5])
def test_fractions_outside_0_to_1_are_refused(fraction):
    with pytest.raises(ValueError, match="`held_out_fraction` must be above 0"):
        split_documents(DOCUMENTS, held_out_fraction=fraction)


def test_one_document_is_refused():
    with pytest.raises(ValueError, match="at least 2 documents. Received: 1"):
        split_documents(DOCUMENTS[:1])
