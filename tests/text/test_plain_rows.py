"""plain_rows: no special token but what stands before a text."""

import pytest

from keras_lm.text.plain_rows import plain_rows
from tests.text.samples import TOKENIZER, gpt2_tokenizer, llama_tokenizer

pytestmark = pytest.mark.once


def test_what_each_tokenizer_puts_before_a_text():
    texts = ["ab", "", "中 🙂", b"\xff"]

    assert plain_rows(TOKENIZER, texts) == ([], TOKENIZER.encode(texts))
    for tokenizer, start in [(gpt2_tokenizer(), []), (llama_tokenizer(), [1])]:
        before, rows = plain_rows(tokenizer, texts)

        assert before == start
        assert [before + row for row in rows] == tokenizer.encode(texts)
