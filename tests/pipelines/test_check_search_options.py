"""check_search_options: what `beam_search` takes, but for what is not about texts."""

import inspect

import pytest

from keras_lm.generation import beam_search
from keras_lm.pipelines.check_search_options import check_search_options

OURS = "model inputs padding_mask return_attention start_token_id stop_token_ids"
OURS = set(OURS.split())
TEXTS = {"max_batch_tokens", "replace_unknown"}

pytestmark = pytest.mark.once


def test_options_of_the_search_and_of_its_batches_are_known():
    known = set(inspect.signature(beam_search).parameters) - OURS | TEXTS

    assert "length_penalty" in known
    check_search_options(dict.fromkeys(known))
    check_search_options({})


@pytest.mark.parametrize("name", sorted(OURS) + ["beam_size", "temperature", "大小🙂"])
def test_another_one_is_refused_by_its_name(name):
    with pytest.raises(TypeError, match=f"be among .*_penalty.* Received: {name}='一'"):
        check_search_options({"patience": 2.0, name: "一"}, "beam_size")
