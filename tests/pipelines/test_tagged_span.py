"""TaggedSpan: what it holds, in which order."""

import pytest

from keras_lm.pipelines.tagged_span import TaggedSpan

pytestmark = pytest.mark.once


def test_it_is_a_tuple_with_names():
    span = TaggedSpan(start=1, end=3, label="人", score=0.5, text="中文")

    assert span == (1, 3, "人", 0.5, "中文")
