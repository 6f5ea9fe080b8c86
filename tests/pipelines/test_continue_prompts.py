"""continue_prompts: rows that end at their own places; the stream says the same."""

import numpy as np
import pytest

from keras_lm.pipelines import continue_prompts as module
from keras_lm.pipelines.continue_prompts import continue_prompts, stream_prompt
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
SAID = ["def 中文\n🙂", "", "of a square, of a"]


@pytest.fixture(autouse=True)
def scripted(monkeypatch):
    """New tokens of each prompt: those of `SAID` of its first number."""
    rows = [[*TOKENIZER.encode(text), TOKENIZER.separator_id] for text in SAID]

    def steps(model, prompts, max_new_tokens, sampler, stop_token_ids, seed):
        assert stop_token_ids == [TOKENIZER.separator_id]
        some = [rows[prompt[0]] for prompt in prompts]
        # What stands behind an end is not read.
        filled = [(row + TOKENIZER.encode("x") * 20)[:max_new_tokens] for row in some]
        return iter(np.array(filled, "int32").T)

    def whole(*args, **kwargs):
        return np.array(list(steps(*args, **kwargs))).T

    monkeypatch.setattr(module, "stream", steps)
    monkeypatch.setattr(module, "generate", whole)


def test_each_row_ends_at_its_separator_or_stop_string():
    prompts = [[0], [1], [2]]

    assert continue_prompts(None, TOKENIZER, prompts, 18) == SAID
    cut = [SAID[0], "", "of a "]
    assert continue_prompts(None, TOKENIZER, prompts, 18, stop=["square"]) == cut
    assert continue_prompts(None, TOKENIZER, [], 18) == []
    for prompt, text in zip(prompts, SAID):
        pieces = list(stream_prompt(None, TOKENIZER, prompt, 18))
        assert "".join(pieces) == text
        assert all(pieces)
    assert "".join(stream_prompt(None, TOKENIZER, [2], 18, stop=["square"])) == "of a "


def test_the_last_token_may_be_half_a_character():
    count = len(TOKENIZER.encode("def 中文\n")) + 2

    assert continue_prompts(None, TOKENIZER, [[0]], count) == ["def 中文\n\ufffd"]
    streamed = list(stream_prompt(None, TOKENIZER, [0], count))
    assert "".join(streamed) == "def 中文\n\ufffd"
