"""GeneratorSettings: steps, and batches that a small corpus fills."""

import pytest

from keras_lm.cli.generator_settings import GeneratorSettings

pytestmark = pytest.mark.once
SETTINGS = GeneratorSettings()


def test_fewer_steps_keep_a_warm_up_below_them():
    for steps in (1, 2, 7, 1000):
        settings = SETTINGS.with_steps(steps)
        assert settings.steps >= steps
        assert settings.warmup_steps < max(settings.steps, 2)
    assert SETTINGS.with_steps(SETTINGS.steps) == SETTINGS


@pytest.mark.parametrize(
    ("num_tokens", "batch"),
    [
        (10**6, (16, 128)),
        (4 * 16 * 128 + 1, (16, 128)),  # four batches, and the token after them
        (4 * 16 * 128, (8, 128)),
        (4 * 4 * 128 + 1, (4, 128)),
        (4 * 4 * 128, (4, 64)),
        (4 * 4 * 16 + 1, (4, 16)),
    ],
)
def test_a_small_corpus_gets_smaller_batches(num_tokens, batch):
    fitted = SETTINGS.for_corpus(num_tokens)
    assert (fitted.batch_size, fitted.sequence_length) == batch


def test_a_corpus_below_the_smallest_batches_is_refused():
    told = "`corpus` must be longer: training takes at least 257 tokens.*Received: 256"
    with pytest.raises(ValueError, match=told):
        SETTINGS.for_corpus(4 * 4 * 16)


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ({"num_heads": 3}, "`hidden_dim` must be a multiple of twice `num_heads`"),
        ({"sequence_length": 300}, "`max_sequence_length` must be at least"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(numbers, told):
    with pytest.raises(ValueError, match=told):
        GeneratorSettings(**numbers)
