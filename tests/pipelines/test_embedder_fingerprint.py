"""The fingerprint of an embedder: what changes it, what does not."""

import numpy as np
import pytest

from keras_lm.models import TransformerEncoder
from keras_lm.pipelines import TextEmbedder
from keras_lm.pipelines.embedder_fingerprint import (
    check_fingerprint,
    embedder_fingerprint,
)
from tests.fakes import random_weights
from tests.text.samples import TOKENIZER


def make_embedder(seed=4, width=8, max_length=None, truncate=False, **options):
    model = TransformerEncoder(TOKENIZER.vocabulary_size, 1, 2, width, 6, 40, **options)
    random_weights(model, seed=seed)
    return TextEmbedder(model, TOKENIZER, max_length, truncate)


def check(one, other):
    check_fingerprint(embedder_fingerprint(one), embedder_fingerprint(other))


def test_the_same_weights_pass_and_others_do_not():
    embedder, other = make_embedder(), make_embedder(seed=5)

    check(embedder, embedder)
    short = make_embedder(max_length=2)  # a token, and what stands behind it
    assert list(embedder_fingerprint(short)["vectors"]) == ["", "中文"]
    check(embedder, short)
    check(short, embedder)
    with pytest.raises(ValueError, match="that it was made with. Received: one whose"):
        check(embedder, other)


@pytest.mark.once
def test_whatever_changes_vectors_is_seen():
    embedder = make_embedder()
    for options in ({"positions": None}, {"num_segments": 0, "normalize_first": False}):
        with pytest.raises(ValueError, match="vectors differ from that one's by"):
            check(embedder, make_embedder(**options))
    with pytest.raises(ValueError, match="vectors of 8 numbers. Received: one of 10"):
        check(embedder, make_embedder(width=10))
    moved = make_embedder()
    moved.model.set_weights([w + 0.01 for w in moved.model.get_weights()])
    with pytest.raises(ValueError, match="vectors differ from that one's by"):
        check(embedder, moved)
    known = embedder_fingerprint(embedder)
    lost = {text: np.full(8, np.nan) for text in known["vectors"]}
    with pytest.raises(ValueError, match="differ from that one's by nan"):
        check_fingerprint(known, {**known, "vectors": lost})


@pytest.mark.once
def test_a_text_must_be_cut_where_it_was():
    known = {"vectors": {"": [1.0]}, "max_length": 30, "truncate": True}
    whole = {**known, "truncate": False}

    def limited(max_length, truncate):
        return {**known, "max_length": max_length, "truncate": truncate}

    # What both accept neither cuts, or both do.
    for one, other in [
        (known, known),
        (known, whole),
        (whole, limited(20, False)),
        (known, limited(20, False)),
        (whole, limited(40, True)),
    ]:
        check_fingerprint(one, other)
        check_fingerprint(other, one)
    for one, other, message in [
        (known, limited(31, True), "at max_length=30, truncate=True. Received: one wi"),
        (known, limited(31, False), "Received: one with max_length=31, truncate=False"),
        (whole, limited(29, True), "Received: one with max_length=29, truncate=True"),
    ]:
        with pytest.raises(ValueError, match=message):
            check_fingerprint(one, other)
        with pytest.raises(ValueError, match="cuts texts where that one did"):
            check_fingerprint(other, one)
    limit = embedder_fingerprint(make_embedder(max_length=9, truncate=True))
    assert (limit["max_length"], limit["truncate"]) == (9, True)
