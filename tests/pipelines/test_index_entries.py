"""check_ids and check_metadata: what is kept, what is refused."""

import pytest

from keras_lm.pipelines.index_entries import check_ids, check_metadata

pytestmark = pytest.mark.once


def test_what_is_kept_is_a_list():
    assert check_ids(range(2, 4), 2, {1}) == [2, 3]
    assert check_ids(("1", "", "中🙂"), 3, {1: 0}) == ["1", "", "中🙂"]
    assert check_metadata(None, 2) == [None, None]
    assert check_metadata(({"页": (1, 2)}, "🙂"), 2) == [{"页": [1, 2]}, "🙂"]
    assert check_metadata([], 0) == []
    assert check_metadata(iter("中b"), 2) == ["中", "b"]


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        ("ab", TypeError, "`ids` must be a list of ids. Received: 'ab'"),
        (["c"], ValueError, "an id for each text. Received: 2 texts and 1 ids"),
        (["c", "c"], ValueError, "must be a new one .* Received: 'c'"),
        (["c", 0], ValueError, "must be a new one .* Received: 0"),
        (["c", True], TypeError, "an int or a str. Received: True"),
        (["c", 1.5], TypeError, "an int or a str. Received: 1.5"),
    ],
)
def test_ids_that_do_not_fit_are_refused(ids, error, message):
    with pytest.raises(error, match=message):
        check_ids(ids, 2, {0})


@pytest.mark.parametrize(
    ("metadata", "error", "message"),
    [
        ([1], ValueError, r"each text, in a list. Received: \[1\] for 2 texts"),
        ({"a": 1, "b": 2}, ValueError, "metadata for each text, in a list"),
        ("ab", ValueError, "metadata for each text, in a list. Received: 'ab'"),
        (5, ValueError, "each text, in a list. Received: 5 for 2 texts"),
        ("", ValueError, "each text, in a list. Received: '' for 2 texts"),
        ([1, {2}], TypeError, r"what JSON can hold. Received: \{2\} \("),
        ([1, float("nan")], TypeError, "what JSON can hold. Received: nan"),
    ],
)
def test_metadata_that_do_not_fit_are_refused(metadata, error, message):
    with pytest.raises(error, match=message):
        check_metadata(metadata, 2)
