"""check_vocabularies: a vocabulary for each side, or one for both."""

from types import SimpleNamespace as Made

import pytest

from keras_lm.pipelines.check_vocabularies import check_vocabularies

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
