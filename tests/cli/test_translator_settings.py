"""TranslatorSettings: numbers that do not fit are refused before anything is loaded."""

import dataclasses

import pytest

from keras_lm.cli.translator_settings import TranslatorSettings

pytestmark = pytest.mark.once
SETTINGS = TranslatorSettings()


def test_an_lstm_has_fewer_layers_unless_told():
    assert SETTINGS.layers == 3
    assert TranslatorSettings(model="lstm").layers == 2
    assert TranslatorSettings(model="lstm", num_layers=5).layers == 5


def test_a_run_may_be_longer_when_it_goes_on_and_nothing_else():
    longer = dataclasses.replace(SETTINGS, epochs=90, patience=9, average_last=1)
    other = dataclasses.replace(SETTINGS, seed=1)

    assert longer.of_the_run() == SETTINGS.of_the_run()
    assert other.of_the_run() != SETTINGS.of_the_run()


def test_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`hidden_dim` must be a multiple of twice"):
        TranslatorSettings(hidden_dim=18, num_heads=4)
    with pytest.raises(ValueError, match="`max_batch_tokens` must hold a source and"):
        TranslatorSettings(max_length=64, max_batch_tokens=127)
    TranslatorSettings(model="lstm", hidden_dim=18, num_heads=4)
    TranslatorSettings(max_length=64, max_batch_tokens=128)
