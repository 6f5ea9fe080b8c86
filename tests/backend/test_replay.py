"""Replay: the same tokens as without it, whatever the model, and no stale weights."""

import sys

import keras
import numpy as np
import pytest

from keras_lm import models
from keras_lm.generation import beam_search, generate
from keras_lm.models.quick_deletion import quick_deletion

if keras.backend.backend() != "torch":
    pytest.skip("loops are replayed on PyTorch alone", allow_module_level=True)

from keras_lm.backend import replay

LOOPS = sys.modules["keras_lm.generation.generate"]._loops
PROMPTS = [[3, 4, 5, 6, 7], [8, 9]]


def decoder(attention="multi_head"):
    return models.TransformerDecoder(
        40, 1, 2, 8, 16, 64, attention=attention, positions="learned", seed=0
    )


def lstm(_):
    return models.LSTMLanguageModel(40, 8, 8, 1, seed=0)


@pytest.fixture
def recorded(monkeypatch):
    """Steps of every kind are recorded at once; gives how many recordings were made."""
    made = []
    record = replay.Replay._record

    def noted(self, *arguments):
        made.append(self)
        return record(self, *arguments)

    monkeypatch.setattr(replay, "STEPS_BEFORE", 1)
    monkeypatch.setattr(replay.Replay, "_record", noted)
    return made


def fresh(function, model, *arguments, **settings):
    """What the loop answers that has recorded nothing and never will."""
    LOOPS.pop(model, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "STEPS_BEFORE", 10**9)
        answer = function(model, *arguments, **settings)
    LOOPS.pop(model, None)
    return answer


@pytest.mark.parametrize("sampler", ["greedy", "random"])
@pytest.mark.parametrize(
    ("make", "attention"),
    [
        (decoder, "multi_head"),
        (decoder, "local"),
        (decoder, "regional"),
        (decoder, "bayesian"),
        (lstm, None),
    ],
)
def test_a_recording_gives_the_same_tokens(recorded, make, attention, sampler):
    model = make(attention)
    expected = fresh(generate, model, PROMPTS, 40, sampler=sampler, seed=1)

    tokens = generate(model, PROMPTS, 40, sampler=sampler, seed=1)

    assert len(recorded) == 1
    np.testing.assert_array_equal(tokens, expected)


def test_a_recorded_search_finds_the_same(recorded):
    model = decoder()
    expected = fresh(beam_search, model, PROMPTS, None, 3, 12)

    found = beam_search(model, PROMPTS, None, 3, 12)

    assert len(recorded) == 1
    np.testing.assert_array_equal(found.token_ids, expected.token_ids)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_new_weights_are_played(recorded):
    model = decoder()
    before = generate(model, PROMPTS, 12)
    model.set_weights(decoder().get_weights()[:1] + model.get_weights()[1:])
    model.token_embedding.embeddings.assign(model.token_embedding.embeddings * -1)

    after = generate(model, PROMPTS, 12)

    assert len(recorded) == 1
    assert (after != before).any()
    np.testing.assert_array_equal(after, fresh(generate, model, PROMPTS, 12))


def test_other_variables_are_recorded_anew(recorded):
    model = decoder()
    generate(model, PROMPTS, 12)
    with quick_deletion():
        model.quantize("int8")

    tokens = generate(model, PROMPTS, 12)

    assert len(recorded) == 2
    np.testing.assert_array_equal(tokens, fresh(generate, model, PROMPTS, 12))


def test_few_steps_are_not_recorded(recorded, monkeypatch):
    monkeypatch.setattr(replay, "STEPS_BEFORE", 6)
    model = decoder()

    generate(model, PROMPTS, 6)
    assert not recorded

    generate(model, PROMPTS, 6)
    assert len(recorded) == 1


def test_recordings_do_not_pile_up(monkeypatch):
    monkeypatch.setattr(replay, "STEPS_BEFORE", 0)
    monkeypatch.setattr(replay, "MOST_RECORDINGS", 2)
    double = replay.Replay(lambda model, carry, noise: {"sum": carry["sum"] * 2})
    double.start(keras.Sequential())

    for size in range(1, 5):
        found = double(None, {"sum": keras.ops.ones(size)})
        np.testing.assert_array_equal(found["sum"], 2 * np.ones(size))

    assert len(double.recordings) == 2
