"""Beam search: brute force, a plain search in float64, each row alone, errors."""

import gc
import itertools
import math
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm.generation import beam_search, generate, samplers
from keras_lm.models import TransformerDecoder, TransformerEncoderDecoder
from tests.checks import assert_close
from tests.fakes import AlphabetModel, ScriptModel, TableModel, random_weights, spell

COMPILES = keras.backend.backend() != "torch"
PROMPTS = [[1, 2], [3], [4, 1, 2, 2, 1, 3, 4, 4, 2]]
SOURCES = [[3, 1, 2], [2], [4, 4, 1, 3, 2, 2, 1, 3, 4]]


# ------------------------------------------- the same in float64, one row, no arrays


def coverage(attention, text):
    """`sum_i log(min(coverage_i, 1))` of a whole text."""
    seen = sum(attention(text[:place]) for place in range(len(text)))
    return np.sum(np.log(np.minimum(seen, 1)))


def plain_search(
    log_probs,
    beam_size,
    num_new,
    stops=(),
    length_penalty=1.0,
    patience=1.0,
    num_hypotheses=1,
    num_groups=1,
    diversity_penalty=0.5,
    extra=lambda text: 0.0,
):
    """`[(tokens, score)]`, best first. No bound: only patience ends it.

    What goes on after the last step in a group that is still open is cut off there.
    `log_probs(text)` gives `(V,)`; `extra(text)` is added to the score.
    """
    size, kept = beam_size // num_groups, num_hypotheses // num_groups

    def score(total, text):
        return total / ((5 + len(text)) / 6) ** length_penalty + extra(text)

    groups = [
        {"live": [(0.0, ())], "pool": [], "ended": 0, "open": True}
        for _ in range(num_groups)
    ]
    for _ in range(num_new):
        taken = np.zeros(len(log_probs(())))
        for group in groups:
            found = [
                (total + more - loss, total + more, (*text, token))
                for total, text in group["live"]
                for token, (more, loss) in enumerate(
                    zip(log_probs(text), diversity_penalty * taken, strict=True)
                )
            ]
            found.sort(reverse=True)
            ended = [(t, x) for _, t, x in found[:size] if x[-1] in stops]
            group["live"] = [(t, x) for _, t, x in found if x[-1] not in stops][:size]
            if group["open"]:
                group["pool"] += [(score(t, x), x) for t, x in ended]
                group["ended"] += len(ended)
                best = max((s for s, _ in group["pool"]), default=-math.inf)
                leads = any(score(t, x) > best for t, x in group["live"])
                enough = group["ended"] >= max(kept, patience * size)
                group["open"] = leads or not enough
            for _, text in ended + group["live"]:
                taken[text[-1]] += 1
    answer = []
    for group in groups:
        cut_off = [(score(t, x), x) for t, x in group["live"] if group["open"]]
        answer += sorted(group["pool"] + cut_off, reverse=True)[:kept]
    return [(text, total) for total, text in sorted(answer, reverse=True)]


def of_model(model, prompt, source=()):
    return lambda text: model.log_probs([*prompt, *text], source)


def assert_found(found, row, expected, stops=()):
    """Row `row` of the answer is `[(tokens, score)]`, stop tokens repeated."""
    num_new = found.token_ids.shape[2]
    texts = [
        [*text, *[text[-1]] * (num_new - len(text))] if text[-1] in stops else [*text]
        for text, _ in expected
    ]
    np.testing.assert_array_equal(found.token_ids[row], texts)
    ended = [text[-1] in stops and total > -math.inf for text, total in expected]
    assert found.finished[row].tolist() == ended
    assert_close(found.scores[row], [score for _, score in expected], 1e-5)


# ---------------------------------------------------------------------- by hand


def constant(*probabilities):
    """A sampler that forgets the model: every token has always this probability."""

    def known(logits, token_ids, visible):
        return ops.zeros_like(logits) + ops.convert_to_tensor(
            np.log(probabilities).astype("float32")
        )

    return known


def test_two_steps_by_hand():
    # Token 1 stops. Step 1: "1" has ended with .5; 2 (.3) and 0 (.2) go on.
    # Step 2: "21" (.15) and "01" (.10) have ended: more than two, so the row ends.
    found = beam_search(
        TableModel(3),
        [[0]],
        None,
        beam_size=2,
        max_new_tokens=9,
        stop_token_ids=[1],
        length_penalty=0.0,
        num_hypotheses=2,
        sampler=constant(0.2, 0.5, 0.3),
    )

    assert found.token_ids.dtype == "int32" and found.scores.dtype == "float32"
    assert found.token_ids.tolist() == [[[1] * 9, [2] + [1] * 8]]
    assert_close(found.scores, np.log([[0.5, 0.15]]))
    assert found.attention is None


@pytest.mark.parametrize(
    ("beam_size", "num_new", "likely", "settings"),
    # A row that has enough answers waits for what leads; patience without end.
    [(4, 6, 0.95, {}), (3, 3, 0.97, {"length_penalty": 0.0, "patience": math.inf})],
)
def test_what_is_cut_off_competes_by_its_score(beam_size, num_new, likely, settings):
    # Token 1 stops, with .02 at any step: "2 2 .. 2" is the likeliest by far.
    others = (0.98 - likely) / 2
    found = beam_search(
        *(TableModel(4), [[0]], None, beam_size, num_new, [1]),
        num_hypotheses=2,
        sampler=constant(others, 0.02, likely, others),
        **settings,
    )

    scale = ((5 + num_new) / 6) ** settings.get("length_penalty", 1.0)
    assert found.token_ids[0, 0].tolist() == [2] * num_new
    assert_close(found.scores[0, 0], num_new * np.log(likely) / scale)
    assert not found.finished[0, 0]
    # Of those that end the last is the best; the first, where length is no help.
    ended = [1] * num_new if settings else [*[2] * (num_new - 1), 1]
    assert found.token_ids[0, 1].tolist() == ended
    assert found.finished[0, 1]


# KerasHub 0.32's BeamSampler: what is wrong there, right.


def test_a_finished_hypothesis_is_frozen_and_gathers_no_more_score():
    # There the beam "2 2" goes on after its stop token and has 2 log .5.
    found = beam_search(
        *(TableModel(3), [[0]], None, 2, 5, [2], 0.0),
        num_hypotheses=2,
        patience=math.inf,
        sampler=constant(0.4, 0.1, 0.5),
    )

    assert found.token_ids.tolist() == [[[2] * 5, [0] + [2] * 4]]
    assert_close(found.scores, np.log([[0.5, 0.2]]))


def test_length_is_normalized():
    # "2" has log .4; "1 1 2" has log(.59 .7 .9) = log .37, less, but a larger mean.
    model = ScriptModel(3, 1)

    def known(logits, token_ids, visible):
        ones = ops.sum(ops.cast(visible & ops.equal(token_ids, 1), "int32"), axis=1)
        rows = np.log([[0.01, 0.59, 0.4], [0.2, 0.7, 0.1], [0.05, 0.05, 0.9]])
        rows = ops.convert_to_tensor(rows.astype("float32"))
        return ops.take(rows, ops.minimum(ones, 2), axis=0)

    def best(length_penalty):
        return beam_search(model, [[0]], None, 2, 4, [2], length_penalty, sampler=known)

    log_probability = np.log(0.59 * 0.7 * 0.9)
    short, long = best(0.0), best(2.0)
    assert short.token_ids.tolist() == [[[2, 2, 2, 2]]]
    assert_close(short.scores, np.log([[0.4]]))
    assert long.token_ids.tolist() == [[[1, 1, 2, 2]]]
    assert_close(long.scores, [[log_probability / (8 / 6) ** 2]])


def test_all_hypotheses_come_back_best_first():
    found = beam_search(TableModel(7), [[1, 2], [3]], None, 6, 4, [0], num_hypotheses=6)

    assert found.token_ids.shape == (2, 6, 4)
    for texts in found.token_ids.tolist():
        assert len({tuple(text) for text in texts}) == 6
    assert (np.diff(found.scores, axis=1) <= 0).all()
    np.testing.assert_array_equal(found.finished, (found.token_ids == 0).any(axis=2))


# ------------------------------------------------------------------------ exact


@pytest.mark.parametrize("length_penalty", [0.0, 1.3, -0.7])
def test_a_beam_as_wide_as_the_space_finds_all_of_it_in_order(length_penalty):
    model, prompt, num_new = TableModel(3, seed=3), [2, 1], 4
    log_probs = of_model(model, prompt)
    space = [
        text
        for length in range(1, num_new + 1)
        for text in itertools.product(range(3), repeat=length)
        if 0 not in text[:-1] and (text[-1] == 0 or length == num_new)
    ]
    scored = []
    for text in space:
        total = sum(log_probs(text[:i])[token] for i, token in enumerate(text))
        score = total / ((5 + len(text)) / 6) ** length_penalty
        scored.append((score, text))
    expected = [(text, score) for score, text in sorted(scored, reverse=True)]
    assert len(expected) == 15 + 16

    given = (model, [prompt], None, 81, num_new, [0], length_penalty)
    found = beam_search(*given, num_hypotheses=40)

    assert_found(found, 0, [*expected, *[((0,), -math.inf)] * 9], [0])


SETTINGS = [
    {"beam_size": 2, "num_hypotheses": 1},
    {"beam_size": 5, "num_hypotheses": 3, "length_penalty": 0.0},
    {"beam_size": 3, "num_hypotheses": 3, "patience": 2.5, "length_penalty": 2.0},
    {"beam_size": 4, "num_hypotheses": 2, "patience": math.inf, "stops": [0, 3]},
    {"beam_size": 4, "num_hypotheses": 4, "patience": 0.5, "length_penalty": -1.0},
    {"beam_size": 3, "num_hypotheses": 2, "stops": []},
    {"beam_size": 6, "num_hypotheses": 4, "num_groups": 2},
    {"beam_size": 3, "num_hypotheses": 3, "num_groups": 3, "diversity_penalty": 2.0},
]


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda given: str(len(str(given))))
def test_a_batch_gives_what_a_plain_search_gives_each_row_alone(settings):
    settings = {"stops": [0], **settings}
    stops = settings.pop("stops")
    model = TableModel(5, seed=7)

    found = beam_search(
        model, PROMPTS, None, max_new_tokens=7, stop_token_ids=stops, **settings
    )

    for row, prompt in enumerate(PROMPTS):
        log_probs = of_model(model, prompt)
        expected = plain_search(log_probs, num_new=7, stops=stops, **settings)
        assert_found(found, row, expected, stops)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("coverage_penalty", [0.0, 0.4])
def test_sources_and_prefixes_of_all_lengths(coverage_penalty):
    model = TableModel(5, has_source=True, seed=5)
    prefixes = [[2], [], [3, 1]]

    found = beam_search(
        *(model, SOURCES, 1, 4, 6, [0], 0.8, coverage_penalty),
        num_hypotheses=3,
        target_prefix=prefixes,
        return_attention=True,
    )

    assert found.attention.shape == (3, 3, 6, 9)
    for row, (source, prefix) in enumerate(zip(SOURCES, prefixes, strict=True)):
        begun = [1, *prefix]

        def attention(text, source=source, begun=begun):
            return model.attention([*begun, *text], source)

        def extra(text, source=source, prefix=prefix):
            def look(text):
                return model.attention([1, *text], source)

            return coverage_penalty * coverage(look, [*prefix, *text])

        expected = plain_search(
            of_model(model, begun, source), 4, 6, [0], 0.8, 1.0, 3, extra=extra
        )
        assert_found(found, row, expected, [0])
        for looks, (text, _) in zip(found.attention[row], expected, strict=True):
            wanted = np.zeros((6, 9))
            for place in range(len(text)):
                wanted[place, : len(source)] = attention(text[:place])
            assert_close(looks, wanted)


@pytest.mark.parametrize("prefixes", [None, [[2], [], [3, 1]]], ids=["first", "later"])
def test_alternatives_begin_with_the_best_tokens_each_completed_by_its_own_beam(
    prefixes,
):
    model = TableModel(6, has_source=True, seed=9)

    found = beam_search(
        *(model, SOURCES, 1, 2, 5, [0]),
        num_hypotheses=4,
        alternatives=True,
        target_prefix=prefixes,
    )

    for row, source in enumerate(SOURCES):
        begun = prefixes[row] if prefixes else []
        log_probs = of_model(model, [1, *begun], source)
        expected = []
        for first in np.argsort(-log_probs(()))[:4].tolist():

            def only(text, first=first, log_probs=log_probs):
                given = log_probs(text)
                if text:
                    return given
                return np.where(np.arange(6) == first, given, -1e30)

            best = plain_search(only, 2, 5, [0])[0]
            expected.append((best[1], best[0]))
        expected = [(text, total) for total, text in sorted(expected, reverse=True)]
        assert_found(found, row, expected, [0])


def test_a_beam_of_one_is_greedy():
    model = TableModel(11)

    found = beam_search(model, PROMPTS, None, 1, 8, [0, 5])

    greedy = generate(model, PROMPTS, 8, stop_token_ids=[0, 5])
    np.testing.assert_array_equal(found.token_ids[:, 0], greedy)
    assert np.isin(greedy, [0, 5]).any(axis=1).tolist() == [True, False, True]


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("patience", [1.0, math.inf])
def test_the_loop_ends_when_nothing_can_change(patience):
    # A step that is sure of its stop token: no other hypothesis can beat it.
    model = TableModel(3)
    given = (model, [[0], [1, 2]], None, 2, 200, [2], 0.0)

    def surer(logits, token_ids, visible):
        is_old = ops.sum(ops.cast(visible, "int32"), axis=1, keepdims=True) > 4
        return ops.where(is_old, constant(1e-4, 1e-4, 1.0)(logits, 0, 0), logits)

    beam_search(*given, patience=patience, sampler=surer)

    if not COMPILES:
        assert model.num_steps < 9


# ------------------------------------------------------------------- the state


@pytest.mark.parametrize("keeps", ["slots", "newest"])
def test_every_beam_keeps_the_state_of_its_row(keeps):
    # The fake answers "?" as soon as a slot, a position or a state is not its own.
    prompts = [[24, 25], [3], list(range(1, 20))]

    found = beam_search(AlphabetModel(keeps), prompts, None, 3, 6, length_penalty=0.0)

    assert [spell(row[0]) for row in found.token_ids] == ["zabcde", "defghi", "tuvwxy"]


def test_scores_are_the_models_own_and_weights_may_change():
    model = TransformerDecoder(
        vocabulary_size=23,
        num_layers=2,
        num_heads=2,
        hidden_dim=16,
        intermediate_dim=13,
        max_sequence_length=40,
    )
    prompts, answers = [[5, 7, 11], [13]], []
    for seed in (1, 2):
        random_weights(model, seed)
        found = beam_search(
            model, prompts, None, 3, 5, length_penalty=0.0, num_hypotheses=3
        )
        answers.append(found.token_ids.tolist())
        for prompt, texts, scores in zip(prompts, *found, strict=True):
            whole = np.array([[*prompt, *text] for text in texts.tolist()])
            logits = np.asarray(model.predict_on_batch(whole[:, :-1]), "float64")
            log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
            log_probs = log_probs[:, len(prompt) - 1 :]
            totals = np.take_along_axis(log_probs, texts[..., None], 2).sum((1, 2))
            assert_close(scores, totals, 1e-4)
    assert answers[0] != answers[1]


def test_a_model_that_was_searched_is_freed():
    model = TableModel(5)
    beam_search(model, [[1]], None, 2, 3)
    gone = weakref.ref(model)

    del model
    gc.collect()

    assert gone() is None


@pytest.mark.skipif(not COMPILES, reason="PyTorch's loop is a Python loop")
def test_lengths_of_one_bucket_compile_once():
    model = TableModel(5, has_source=True)
    beam_search(model, [[1, 2], [3]], 1, 2, 5, [0])
    compiled = model.num_steps

    beam_search(model, [[1, 2, 4, 4], [3, 3]], 2, 2, 16, (0, 0))
    assert model.num_steps == compiled

    beam_search(model, [[1] * 17, [3, 3]], 2, 2, 16, [0])
    assert model.num_steps > compiled


# ------------------------------------------------------------------ constraints


@pytest.mark.slow_elsewhere
def test_no_stop_token_comes_before_the_least_length():
    model = TableModel(5, seed=4)
    given = (model, PROMPTS, None, 3, 6, [0])

    found = beam_search(*given, num_hypotheses=3, min_new_tokens=4)

    for row, prompt in enumerate(PROMPTS):

        def log_probs(text, prompt=prompt):
            given = model.log_probs([*prompt, *text])
            if len(text) + 1 < 4:
                given = np.where(np.arange(5) == 0, -1e30, given)
            return given - np.log(np.exp(given).sum())

        expected = plain_search(log_probs, 3, 6, [0], num_hypotheses=3)
        assert_found(found, row, expected, [0])
    assert (beam_search(*given).token_ids[:, 0, :3] == 0).any()


@pytest.mark.slow_elsewhere
def test_samplers_shape_the_log_probabilities():
    model = TableModel(6, seed=1)
    sampler = samplers.chain(samplers.no_repeat_ngram(2), samplers.suppress([3]))

    found = beam_search(model, PROMPTS, None, 3, 9, num_hypotheses=3, sampler=sampler)

    for row, prompt in enumerate(PROMPTS):

        def log_probs(text, prompt=prompt):
            whole = [*prompt, *text]
            pairs = set(itertools.pairwise(whole))
            banned = [t == 3 or (whole[-1], t) in pairs for t in range(6)]
            given = np.where(banned, -1e30, model.log_probs(whole))
            return given - np.log(np.exp(given).sum())

        assert_found(found, row, plain_search(log_probs, 3, 9, num_hypotheses=3))


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize("prefixes", [None, [[2], [], [3, 1]]], ids=["start", "prefix"])
def test_a_sampler_does_not_see_the_start_token(prefixes):
    # The start token is the stop token: what was not said is neither repeated nor
    # punished. A prefix was said.
    model = TableModel(5, has_source=True, seed=5)
    penalty = samplers.repetition_penalty(3.0)
    sampler = samplers.chain(penalty, samplers.no_repeat_ngram(1))

    found = beam_search(
        *(model, SOURCES, 0, 3, 4, [0]),
        num_hypotheses=3,
        target_prefix=prefixes,
        sampler=penalty,
    )
    once = beam_search(model, SOURCES, 0, 1, 6, [0], sampler=sampler)

    for row, source in enumerate(SOURCES):
        begun = prefixes[row] if prefixes else []

        def log_probs(text, source=source, begun=begun):
            given = model.logits_after([0, *begun, *text], source)
            lowered = np.where(given > 0, given / 3, given * 3)
            said = np.isin(np.arange(5), [*begun, *text])
            given = np.where(said, lowered, given)
            return given - np.log(np.exp(given).sum())

        expected = plain_search(log_probs, 3, 4, [0], num_hypotheses=3)
        assert_found(found, row, expected, [0])
    # No token twice, the stop token among them: it is not used up by the start.
    assert (once.token_ids[:, 0, 4:] == 0).all() and once.finished.all()


def test_a_sampler_does_not_see_the_stop_tokens_of_a_prompt():
    model, prompts = TableModel(7, seed=5), [[0, 3], [2, 0, 4, 0, 5]]
    sampler = samplers.no_repeat_ngram(1)

    found = beam_search(model, prompts, None, 1, 8, [0], sampler=sampler)

    greedy = samplers.chain(sampler, samplers.greedy())
    given = {"sampler": greedy, "stop_token_ids": [0]}
    tokens = generate(model, prompts, 8, **given)
    np.testing.assert_array_equal(found.token_ids[:, 0], tokens)
    assert (tokens[:, -1] == 0).all()


@pytest.mark.slow_elsewhere
def test_groups_keep_apart():
    model = TableModel(9, seed=3, scale=3.0)
    given = (model, [[1], [2, 3]], None, 4, 5)

    alike = beam_search(*given, num_hypotheses=4).token_ids
    apart = beam_search(
        *given, num_hypotheses=4, num_groups=4, diversity_penalty=20.0
    ).token_ids

    for row in (0, 1):
        assert len(set(alike[row, :, 0])) < 4
        assert all(len(set(column)) == 4 for column in apart[row].T)


@pytest.mark.slow_elsewhere
def test_a_source_of_ones_own_is_handed_on():
    class Named(TableModel):
        def initial_state(self, inputs, max_length):
            ids = inputs["sound"]["ids"]
            real = ops.ones_like(ids, dtype="bool")
            return super().initial_state(
                {"token_ids": ids, "padding_mask": real}, max_length
            )

    ids = np.array([[3, 1, 2], [1, 1, 4]], "int32")
    own = beam_search(Named(5, has_source=True), {"sound": {"ids": ids}}, 1, 3, 4)
    usual = beam_search(TableModel(5, has_source=True), ids, 1, 3, 4)

    np.testing.assert_array_equal(own.token_ids, usual.token_ids)


@pytest.mark.slow_elsewhere
def test_padding_of_prompts_and_sources_may_stand_anywhere():
    padded = np.array([[9, 3, 1, 9, 2], [2, 9, 9, 9, 9]])
    mask = np.array([[0, 1, 1, 0, 1], [1, 0, 0, 0, 0]])
    for has_source, start in ((False, None), (True, 1)):
        model = TableModel(5, has_source=has_source)
        found = beam_search(model, padded, start, 2, 4, padding_mask=mask)
        lists = beam_search(model, [[3, 1, 2], [2]], start, 2, 4)
        np.testing.assert_array_equal(found.token_ids, lists.token_ids)


# ----------------------------------------------------------------------- errors


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs": []}, "must hold at least one prompt. Received: none"),
        ({"inputs": [[1], []]}, "Each source must have at least one real.*in row 1"),
        ({"inputs": {"ids": np.ones((0, 3))}}, "must hold arrays of one batch size"),
        (
            {"inputs": {"a": np.ones((2, 3)), "b": np.ones((3, 3))}},
            r"must hold arrays of one batch size.*shapes \[\(2, 3\), \(3, 3\)\]",
        ),
        (
            {"inputs": {"ids": np.ones((2, 3))}, "padding_mask": np.ones((2, 3))},
            "must hold arrays of one batch size, and its own mask.*beside it",
        ),
        ({"inputs": [[4], [1, 5]]}, "of a source must be .* below 5.*: 5 in row 1"),
        ({"inputs": [[-1], [1]]}, "Token ids of a source must be at.*: -1 in row 0"),
        ({"start_token_id": 5}, "at least 0 and below 5. Received: 5 in row 0"),
        ({"target_prefix": [[1]]}, "must hold a list of tokens for each row.*1 for 2"),
        ({"target_prefix": [[1], [7]]}, "below 5. Received: 7 in row 1"),
        ({"max_new_tokens": 0}, "`max_new_tokens` must be an int, at least 1"),
        ({"max_new_tokens": 31}, "must fit the model's max_sequence_length=31"),
        ({"beam_size": 0}, "`beam_size` must be an int, at least 1"),
        ({"sampler": "best"}, "`sampler` must be a function or one of"),
        (
            {"start_token_id": None, "return_attention": True},
            "has no source to attend to: without `start_token_id`.*attention=True",
        ),
    ],
)
def test_what_cannot_be_is_refused(given, message):
    model = TableModel(5, has_source=True, max_sequence_length=31)
    settings = {
        "inputs": [[1, 2], [3]],
        "start_token_id": 1,
        "beam_size": 3,
        "max_new_tokens": 4,
        **given,
    }

    with pytest.raises(ValueError, match=message):
        beam_search(model, **settings)

    assert model.num_steps == 0


@pytest.mark.once
def test_a_source_has_a_vocabulary_of_its_own():
    model = TableModel(5, has_source=True)
    model.source_vocabulary_size = 9

    assert beam_search(model, [[8]], 1, 2, 3).token_ids.shape == (1, 1, 3)
    with pytest.raises(ValueError, match="below 9. Received: 9 in row 0"):
        beam_search(model, [[9]], 1, 2, 3)


@pytest.mark.slow_elsewhere
@pytest.mark.parametrize(
    ("model_class", "start", "inputs", "message"),
    [
        (TransformerDecoder, 1, [[1, 2]], "a source of 'padding_mask', 'token_ids'"),
        (TransformerEncoderDecoder, None, [[1, 2]], "Received: a batch size"),
        (
            TransformerEncoderDecoder,
            1,
            {"ids": np.ones((1, 2))},
            r"Received: \['ids'\]",
        ),
    ],
)
def test_a_start_token_is_for_models_of_a_source(model_class, start, inputs, message):
    model = model_class(13, 1, 1, 4, 4, 16)

    with pytest.raises(ValueError, match=f"must begin with .*{message}"):
        beam_search(model, inputs, start, beam_size=2, max_new_tokens=4)
