"""benchmarks/quality_*.py: equal parameters, weights moved, how stories are read."""

import argparse

import keras
import numpy as np
import pytest

from benchmarks import (
    quality_babi,
    quality_classification,
    quality_pretraining,
    quality_runs,
    quality_tagging,
)
from keras_lm import models
from tests.checks import assert_close
from tests.fakes import random_weights

pytestmark = pytest.mark.once

WORDS = [f"word{number} 词{number} 🙂" for number in range(40)]


def parameters(model, sizes, head, num_labels):
    given = argparse.Namespace(model=model, seed=0)
    encoder, tokenizer = quality_runs.make_encoder(given, WORDS, sizes, 4000, 0.1)
    # The vocabulary of a real text is full.
    missing = (4000 - tokenizer.vocabulary_size) * 128
    return head(encoder, num_labels).count_params() + missing


@pytest.mark.parametrize(
    ("head", "num_labels", "sizes"),
    [
        (models.SequenceClassifier, 6, quality_classification.sizes_of("trec")),
        (models.SequenceClassifier, 2, quality_classification.sizes_of("sst2")),
        (models.SequenceClassifier, 2, quality_classification.sizes_of("chnsenticorp")),
        (models.TokenClassifier, 108, quality_tagging.SIZES),
    ],
)
def test_the_lstm_has_as_many_parameters_as_the_transformer(head, num_labels, sizes):
    lstm, transformer = (
        parameters(model, sizes, head, num_labels) for model in ("lstm", "scratch")
    )

    assert abs(lstm / transformer - 1) < 0.03


def test_an_encoder_takes_the_weights_of_what_was_pretrained():
    sizes = {**quality_pretraining.SIZES, "num_heads": 2, "hidden_dim": 6}
    sizes |= {"vocabulary_size": 11, "intermediate_dim": 7}
    token_ids = np.array([[5, 3, 8, 0], [7, 2, 0, 0]])
    real = token_ids > 0
    both = models.TransformerEncoderDecoder(**sizes)
    decoder = models.TransformerDecoder(**sizes)
    for model in (both, decoder):
        random_weights(model, seed=0)

    encoder = models.TransformerEncoder(**sizes)
    encoder.set_weights(quality_pretraining.encoder_weights(both))
    assert_close(encoder(token_ids, real), both.encode(token_ids, real))

    encoder.set_weights(decoder.get_weights())
    hidden = encoder(token_ids[:, :1])  # no token is behind it
    vectors = encoder.token_embedding.get_weights()[0]
    logits = keras.ops.convert_to_numpy(hidden) @ vectors.T
    assert_close(logits, decoder(token_ids[:, :1]))


TOLD = """\
1 Mary went out.
2 小明 在 厨房。
3 Where is 小明? \t厨房\t2
4 Mary got 🥛.
5 What? \tmilk,🙂\t4 1
1 The box fits.
2 Does it fit? \tyes\t1
"""


def test_a_question_has_what_its_story_told_before_it_the_latest_first():
    first, second = quality_babi.stories(TOLD)

    assert first == [
        ((" where is 小明 ?", " 小明 在 厨房 。 mary went out ."), "厨房"),
        ((" what ?", " mary got 🥛 . 小明 在 厨房 。 mary went out ."), "milk,🙂"),
    ]
    assert second == [((" does it fit ?", " the box fits ."), "yes")]
    assert quality_babi.stories("") == []


def test_validation_has_whole_stories_that_training_has_not():
    train = "".join(
        f"1 Fact {story}.\n2 One? \t{story}\t1\n3 Two? \t{story}\t1\n"
        for story in range(20)
    )

    parts = quality_babi.parts_of(train, TOLD)

    held_out = {answer for _, answer in parts["validation"]}
    assert len(held_out) == 2 and len(parts["validation"]) == 4
    assert len(parts["train"]) == 36 and len(parts["test"]) == 3
    assert held_out.isdisjoint(answer for _, answer in parts["train"])
