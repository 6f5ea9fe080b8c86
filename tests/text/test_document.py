"""Document: a name and a text that stay."""

import dataclasses

import pytest

from keras_lm.text import Document

pytestmark = pytest.mark.once


def test_documents_are_equal_by_value_and_stay_as_they_are():
    document = Document(name="a.txt", text="中文 👩‍👩‍👧")

    assert document == Document("a.txt", "中文 👩‍👩‍👧")
    with pytest.raises(dataclasses.FrozenInstanceError):
        document.text = "other"
