"""target_prefixes: one for each row, and what is refused."""

import pytest

from keras_lm.pipelines.slices import Part
from keras_lm.pipelines.target_prefixes import target_prefixes
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once

WHOLE, EMPTY = [Part([[5, 6]], "")], [Part([[]], "")]
IN_PARTS = [Part([[5]], " "), Part([], "\n"), Part([[6], [7]], "")]


def test_each_row_has_the_prefix_of_its_text():
    found = target_prefixes(
        ["中 🙂", "", b"a\xff"], [WHOLE, IN_PARTS, EMPTY], TOKENIZER
    )

    assert TOKENIZER.decode(found) == ["中 🙂", "", "", "", "a\ufffd"]
    assert (
        target_prefixes("一", [WHOLE, EMPTY], TOKENIZER) == [TOKENIZER.encode("一")] * 2
    )


def test_no_prefix_is_none():
    assert target_prefixes(None, [WHOLE], TOKENIZER) is None
    assert target_prefixes("", [WHOLE, IN_PARTS], TOKENIZER) is None
    assert target_prefixes([], [], TOKENIZER) is None


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="or one for each of the texts.*2 for 1 texts"):
        target_prefixes(["a", "b"], [WHOLE], TOKENIZER)
    with pytest.raises(ValueError, match="must fit `max_source_length`.*text 1, 3 of"):
        target_prefixes("a", [WHOLE, IN_PARTS], TOKENIZER)
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        target_prefixes([[1, 2]], [WHOLE], TOKENIZER)
