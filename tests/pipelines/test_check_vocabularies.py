"""check_vocabularies: a vocabulary for each side, or one for both; whose they are."""

from types import SimpleNamespace as Made

import pytest

from keras_lm.pipelines import TextToText
from keras_lm.pipelines.check_vocabularies import check_vocabularies
from tests.text.samples import TOKENIZER, gpt2_tokenizer

pytestmark = pytest.mark.once


def test_sizes_are_the_same_on_each_side():
    five, seven = Made(vocabulary_size=5), Made(vocabulary_size=7)
    model = Made(vocabulary_size=5, source_vocabulary_size=7)

    check_vocabularies(five, five, five)
    check_vocabularies(model, seven, five)
    with pytest.raises(ValueError, match="and source tokenizer .* Received: 7 and 5"):
        check_vocabularies(model, five, five)
    with pytest.raises(ValueError, match="and target tokenizer .* Received: 5 and 7"):
        check_vocabularies(model, seven, seven)


@pytest.mark.parametrize("side", ["source", "target"])
def test_tokenizers_of_pretrained_models_are_refused(side):
    tokenizers = {"source": TOKENIZER, "target": TOKENIZER} | {side: gpt2_tokenizer()}
    sizes = [one.vocabulary_size for one in tokenizers.values()]
    model = Made(vocabulary_size=sizes[1], source_vocabulary_size=sizes[0])

    with pytest.raises(TypeError, match=f"The {side} tokenizer must be a `text.Senten"):
        TextToText(model, *tokenizers.values())
