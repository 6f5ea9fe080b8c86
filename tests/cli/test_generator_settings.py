"""GeneratorSettings: steps, and batches that a small corpus fills."""

import dataclasses

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


@pytest.mark.parametrize(
    ("num_shares", "rows", "num_tokens", "batch"),
    [
        (8, 16, 4 * 16 * 128, (8, 128)),
        (8, 16, 4 * 8 * 128, (8, 64)),  # not 4 rows: the length is next
        (8, 16, 4 * 8 * 16 + 1, (8, 16)),
        (3, 18, 4 * 18 * 128, (9, 128)),
        (3, 18, 4 * 9 * 128, (6, 128)),  # 4 is no multiple, and 3 below the fewest
        (4, 12, 4 * 12 * 128, (4, 128)),  # not 6
        (2, 2, 4 * 2 * 128, (2, 64)),
    ],
)
def test_smaller_batches_can_be_shared_out(num_shares, rows, num_tokens, batch):
    settings = dataclasses.replace(SETTINGS, batch_size=rows)
    fitted = settings.for_corpus(num_tokens, num_shares)
    assert (fitted.batch_size, fitted.sequence_length) == batch


def test_a_corpus_below_the_smallest_batches_is_refused():
    told = "`corpus` must be longer: training takes at least 257 tokens.*Received: 256"
    with pytest.raises(ValueError, match=told):
        SETTINGS.for_corpus(4 * 4 * 16)
    with pytest.raises(ValueError, match="at least 513 tokens, on 8 devices. Received"):
        SETTINGS.for_corpus(4 * 8 * 16, num_shares=8)


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
