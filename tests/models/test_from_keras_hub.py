"""from_keras_hub: the numbers of KerasHub's backbones, on every backend; refusals."""

import numpy as np
import pytest

from keras_lm.models import (
    TransformerDecoder,
    TransformerEncoder,
    TransformerEncoderDecoder,
)
from keras_lm.models.from_keras_hub import BACKBONES, from_keras_hub
from tests.checks import assert_close, compiled, outputs_of
from tests.pretrained import REAL, SEGMENT_IDS, TOKEN_IDS

SIZES = {
    "vocabulary_size": 47,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 18,
    "intermediate_dim": 11,
    "max_sequence_length": 19,
}


def make(name):
    """A backbone with random weights."""
    import keras_hub

    backbone = getattr(keras_hub.models, name)(**SIZES)
    rng = np.random.default_rng(seed=3)
    backbone.set_weights([rng.normal(size=w.shape) / 3 for w in backbone.weights])
    return backbone


@pytest.mark.slow_elsewhere
def test_a_bert_gives_the_numbers_of_keras_hub():
    theirs = make("BertBackbone")
    ours = TransformerEncoder.from_keras_hub(theirs)
    inputs = {"token_ids": TOKEN_IDS, "segment_ids": SEGMENT_IDS}

    expected = theirs({**inputs, "padding_mask": REAL.astype("int32")})
    found = outputs_of(compiled(ours)(**inputs, padding_mask=REAL))[0]

    hidden = outputs_of(expected["sequence_output"])[0]
    assert np.std(hidden) > 0.3
    assert_close(found[REAL], hidden[REAL], tolerance=1e-4)
    assert_close(ours.pool(found), expected["pooled_output"], tolerance=1e-4)


def test_a_gpt2_gives_the_numbers_of_keras_hub():
    theirs = make("GPT2Backbone")
    ours = TransformerDecoder.from_keras_hub(theirs, dropout=0.2)

    inputs = {"token_ids": TOKEN_IDS, "padding_mask": REAL.astype("int32")}
    expected = theirs.token_embedding(theirs(inputs), reverse=True)
    found = outputs_of(compiled(ours)(TOKEN_IDS, padding_mask=REAL))[0]

    assert ours.dropout == 0.2
    assert np.std(outputs_of(expected)[0]) > 0.3
    assert_close(found[REAL], outputs_of(expected)[0][REAL], tolerance=1e-4)


@pytest.mark.once
def test_what_does_not_fit_is_refused():
    bert = make("BertBackbone")

    with pytest.raises(TypeError, match=r"\['GPT2Backbone'\].*Received: a BertBackb"):
        TransformerDecoder.from_keras_hub(bert)
    with pytest.raises(TypeError, match=r"one of \[\], of keras_hub, for a Transfor"):
        from_keras_hub(TransformerEncoderDecoder, bert, {})
    with pytest.raises(ValueError, match="token_embedding/embeddings must have as man"):
        TransformerEncoder.from_keras_hub(bert, vocabulary_size=48)
    with pytest.raises(ValueError, match="must have a weight transformer_layer_2/self"):
        TransformerEncoder.from_keras_hub(bert, num_layers=3)
    afresh = TransformerEncoder.from_keras_hub(bert, pooling="attention")

    assert afresh.pool.kind == "attention"
    assert {about.model for about in BACKBONES.values()} == {
        "TransformerEncoder",
        "TransformerDecoder",
    }


@pytest.mark.once
@pytest.mark.parametrize("change", ["quantised", "adapted"])
def test_kernels_that_are_not_all_of_it_are_refused(change):
    bert = make("BertBackbone")
    if change == "quantised":
        bert.quantize("int8")
    else:
        bert.enable_lora(2)

    with pytest.raises(ValueError, match="must be neither quantised nor have adapters"):
        TransformerEncoder.from_keras_hub(bert)
