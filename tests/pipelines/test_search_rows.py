"""search_rows: what each row gets alone, full batches, pieces, unknown tokens."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm import generation
from keras_lm.generation import Hypotheses, beam_search
from keras_lm.pipelines.search_rows import Found, search_rows, stream_row
from tests.checks import examples
from tests.fakes import TableModel

STOP = 5


class Source:
    separator_id = 3
    vocabulary_bytes = [b"s%d " % n for n in range(9)]


class Target:
    separator_id = STOP
    unknown_id = 6
    vocabulary_bytes = [b"t%d " % n for n in range(9)]


MODEL = TableModel(9, has_source=True, max_sequence_length=50)
ROWS = [[4, 1], [7] * 20, [], [2], [1, 2, 4], [8]]


def search(rows, max_batch_tokens=2048, replace_unknown=False, **options):
    options = {"beam_size": 3, "max_new_tokens": 6, **options}
    return search_rows(
        MODEL, rows, Source, Target, max_batch_tokens, replace_unknown, **options
    )


def test_each_row_gets_what_beam_search_gives_it_alone():
    found = search(ROWS, max_batch_tokens=32, num_hypotheses=2)

    for row, answers in zip(ROWS, found, strict=True):
        if not row:
            assert answers == [Found([], 0.0, True)]
            continue
        alone = beam_search(MODEL, [[*row, 3]], STOP, 3, 6, [STOP], num_hypotheses=2)
        for number, answer in enumerate(answers):
            token_ids = alone.token_ids[0, number].tolist()
            assert answer.finished == (STOP in token_ids)
            token_ids = token_ids[: [*token_ids, STOP].index(STOP)]
            assert answer.pieces == [b"t%d " % n for n in token_ids]
            assert answer.score == pytest.approx(float(alone.scores[0, number]))
            assert answer.finished == bool(alone.finished[0, number])


@pytest.mark.slow_elsewhere
def test_each_row_begins_with_its_own_prefix():
    # By length the rows are searched as 1, 4, 0, 3, 5, in two batches and one for the
    # row whose prefix leaves room for 2 tokens only.
    prefixes = [[2], [], [8, 7], [1, 4], [6] * 47, [4]]

    found = search(ROWS, 64, target_prefix=prefixes, num_hypotheses=2)

    for row, prefix, answers in zip(ROWS, prefixes, found, strict=True):
        begun = [b"t%d " % n for n in prefix]
        if not row:
            assert answers == [Found(begun, 0.0, True)]
            continue
        limit = min(6, 50 - 1 - len(prefix))
        alone = beam_search(
            *(MODEL, [[*row, 3]], STOP, 3, limit, [STOP]),
            num_hypotheses=2,
            target_prefix=[prefix],
        )
        for number, answer in enumerate(answers):
            token_ids = alone.token_ids[0, number].tolist()
            token_ids = token_ids[: [*token_ids, STOP].index(STOP)]
            assert answer.pieces == begun + [b"t%d " % n for n in token_ids]
            assert answer.score == pytest.approx(float(alone.scores[0, number]))


@pytest.mark.once
def test_what_is_no_option_of_a_text_is_refused():
    with pytest.raises(ValueError, match="at most 48 tokens.* Received: 49 tokens"):
        search([[1]], target_prefix=[[2] * 49])
    for name in ("padding_mask", "return_attention", "stop_token_ids"):
        with pytest.raises(TypeError, match=f"must be among .* Received: {name}=None"):
            search([[1]], **{name: None})
        with pytest.raises(TypeError, match=f"must be among .* Received: {name}=None"):
            list(stream_row(MODEL, [1], Source, Target, 3, **{name: None}))


@pytest.mark.once
def test_batches_are_filled_to_few_sizes(monkeypatch):
    sizes = []

    def counted(model, inputs, *args, **kwargs):
        sizes.append(len(inputs))
        return beam_search(model, inputs, *args, **kwargs)

    monkeypatch.setattr(generation, "beam_search", counted)

    assert len(search([[1]] * 7, max_batch_tokens=4 * 16)) == 7
    assert len(search([[1]] * 5, max_batch_tokens=7 * 16)) == 5
    assert sizes == [4, 4, 7]


@pytest.mark.once
def test_no_row_needs_no_model():
    assert search_rows(None, [], Source, Target, max_new_tokens=1) == []
    assert search_rows(None, [[]], Source, Target, max_new_tokens=1) == [
        [Found([], 0.0, True)]
    ]


def test_an_unknown_token_becomes_the_source_token_looked_at():
    def unknown(logits, token_ids, visible):
        return logits + np.eye(9, dtype="float32")[Target.unknown_id] * 50

    row = [4, 1, 7]
    given = {"beam_size": 1, "sampler": unknown, "max_new_tokens": 4}

    ((answer,),) = search([row], replace_unknown=True, **given)

    said = [Target.unknown_id] * 4
    looks = [MODEL.attention([STOP, *said[:n]], [*row, 3]) for n in range(4)]
    expected = [b"s%d " % row[np.argmax(look[:3])] for look in looks]
    assert answer.pieces == expected
    ((answer,),) = search([row], **given)
    assert answer.pieces == [b"t6 "] * 4


@pytest.mark.once
def test_a_place_without_hypothesis_is_left_out(monkeypatch):
    found = Hypotheses(
        np.array([[[1, STOP], [2, 2]]]),
        np.array([[-1.0, -np.inf]]),
        np.array([[True, False]]),
    )
    monkeypatch.setattr(generation, "beam_search", lambda *args, **kwargs: found)

    assert search([[1]]) == [[Found([b"t1 "], -1.0, True)]]


@pytest.mark.slow_elsewhere
def test_without_a_finite_score_there_is_no_answer():
    def diverged(logits, token_ids, visible):
        return logits * np.nan

    message = r"finite number.*Received: \[nan\]"
    with pytest.raises(ValueError, match=message):
        search([[1]], beam_size=1, sampler=diverged)
    with pytest.raises(ValueError, match=message):
        list(stream_row(MODEL, [1], Source, Target, 3, sampler=diverged))


@pytest.mark.slow_elsewhere
def test_a_stream_is_the_greedy_answer():
    @examples(6)
    @given(st.lists(st.integers(0, 8), min_size=1, max_size=15), st.integers(1, 40))
    def check(row, limit):
        pieces = list(stream_row(MODEL, row, Source, Target, limit))

        ((answer,),) = search([row], beam_size=1, max_new_tokens=limit)
        assert pieces == answer.pieces

    check()


@pytest.mark.slow_elsewhere
def test_a_stream_takes_the_options_of_the_search():
    def often_unknown(logits, token_ids, visible):
        return logits + np.eye(9, dtype="float32")[Target.unknown_id] * 2

    given = {
        "max_new_tokens": 30,
        "replace_unknown": True,
        "sampler": often_unknown,
        "patience": 3.0,
        "coverage_penalty": 0.2,
    }

    pieces = list(stream_row(MODEL, [4, 1], Source, Target, target_prefix=[7], **given))

    ((answer,),) = search([[4, 1]], beam_size=1, target_prefix=[[7]], **given)
    assert pieces == answer.pieces
    assert pieces[0] == b"t7 "
    assert {piece[:1] for piece in pieces} == {b"s", b"t"}  # some were replaced


@pytest.mark.once
def test_a_stream_counts_the_least_number_over_all_its_turns():
    given = {"max_new_tokens": 20, "min_new_tokens": 12}

    pieces = list(stream_row(MODEL, [4], Source, Target, **given))

    ((answer,),) = search([[4]], beam_size=1, **given)
    assert pieces == answer.pieces
    assert len(pieces) >= 12
