"""Answer: whether it was cut off, also where it was put together of slices."""

import pytest

from keras_lm.pipelines import TextToText
from tests.fakes import EchoModel
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
SIZE = TOKENIZER.vocabulary_size


@pytest.mark.parametrize("text", ["a b", "a b. c d.", "🙂 中文 " * 9, ""])
def test_an_answer_says_whether_it_was_cut_off(text):
    most = len(TOKENIZER.encode("a b. "))
    pipeline = TextToText(EchoModel(SIZE), TOKENIZER, TOKENIZER, None, most)
    rows = [row for part in pipeline._slices(text) for row in part.rows]
    longest = max(map(len, rows)) + 1  # the separator

    for limit, finished in [(longest, True), (max(longest - 1, 1), not text)]:
        given = {"beam_size": 1, "max_new_tokens": limit}
        (answer,) = pipeline.n_best([text], 1, **given)[0]
        assert answer.finished is finished
