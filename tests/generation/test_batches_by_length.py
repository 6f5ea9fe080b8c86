"""Batches by length: whole, within the budget, and back in order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.generation import batches_by_length, generate
from keras_lm.generation.generate import bucket
from tests.fakes import AlphabetModel, run_of


@pytest.mark.once
@given(
    lengths=st.lists(st.integers(0, 70), max_size=30),
    max_batch_tokens=st.integers(1, 300),
)
def test_every_row_once_within_the_budget_and_back_in_order(lengths, max_batch_tokens):
    rows = [[7] * length for length in lengths]

    batches, order = batches_by_length(rows, max_batch_tokens)

    assert sorted(int(i) for batch in batches for i in batch) == [*range(len(rows))]
    for batch in batches:
        widths = {bucket(max(lengths[i], 1)) for i in batch}
        assert len(widths) == 1
        assert len(batch) == 1 or len(batch) * widths.pop() <= max_batch_tokens
    if rows:
        answers = np.concatenate([[lengths[i] for i in batch] for batch in batches])
        assert answers.tolist() == sorted(lengths, reverse=True)
        assert answers[order].tolist() == lengths


@pytest.mark.once
def test_full_batches_are_full():
    batches, _ = batches_by_length([[1]] * 7, 3 * 16)

    assert [len(batch) for batch in batches] == [3, 3, 1]


def test_answers_come_back_in_order():
    prompts = [run_of("c", 2), run_of("a", 20), run_of("x", 1), run_of("k", 3)]
    batches, order = batches_by_length(prompts, 32)

    answers = [
        generate(AlphabetModel(), [prompts[i] for i in batch], 1) for batch in batches
    ]

    firsts = np.concatenate(answers)[order][:, 0]
    assert firsts.tolist() == [prompt[-1] % 26 + 1 for prompt in prompts]


@pytest.mark.once
def test_a_budget_below_one_is_refused():
    with pytest.raises(ValueError, match="`max_batch_tokens` must be at least 1"):
        batches_by_length([[1]], 0)
