"""check_decoder: what does not fit is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

from keras_lm.pipelines.check_decoder import check_decoder

pytestmark = pytest.mark.once
NINE, EIGHT = (SimpleNamespace(vocabulary_size=n) for n in (9, 8))


def test_what_does_not_fit_is_refused():
    check_decoder(NINE, NINE, 1)
    check_decoder(NINE, NINE, np.int64(1))
    with pytest.raises(ValueError, match="vocabularies of one size. Received: 9 and 8"):
        check_decoder(NINE, EIGHT, 1)
    for number in (0, -1, "9", 1.0):
        with pytest.raises(ValueError, match="`max_new_tokens` must be an int, at le"):
            check_decoder(NINE, NINE, number)
