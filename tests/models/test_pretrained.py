"""Pretrained: which models read and write which families."""

import pytest

from keras_lm.models import TransformerDecoder, TransformerEncoder
from keras_lm.models.decoder_layouts import DECODERS
from keras_lm.models.encoder_layouts import ENCODERS
from keras_lm.models.pretrained import Pretrained

pytestmark = pytest.mark.once


def test_each_model_has_its_families():
    assert TransformerEncoder.LAYOUTS is ENCODERS
    assert TransformerDecoder.LAYOUTS is DECODERS


def test_a_class_without_families_reads_none(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}', "utf-8")

    with pytest.raises(ValueError, match="must be one of .. for a Pretrained"):
        Pretrained.from_pretrained(tmp_path)
