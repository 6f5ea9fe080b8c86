"""ExportError: no ValueError and no OSError, so that callers can tell it apart."""

import pytest

from keras_lm.export import ExportError

pytestmark = pytest.mark.once


def test_it_is_a_runtime_error_with_its_text():
    error = ExportError("Erfinv in block_1")

    assert isinstance(error, RuntimeError)
    assert not isinstance(error, (ValueError, OSError))
    assert str(error) == "Erfinv in block_1"
