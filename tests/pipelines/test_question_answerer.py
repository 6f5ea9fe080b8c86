"""QuestionAnswerer: the spans that the model says, windows, none, saved, errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.models import SpanExtractor, TransformerEncoder
from keras_lm.pipelines import QuestionAnswerer, load
from keras_lm.text.context_windows import context_windows
from keras_lm.text.unicode import as_unicode
from tests.checks import assert_close
from tests.fakes import random_weights
from tests.text.samples import TOKENIZER, word_tokenizer
from tests.text.test_context_windows import bert

QUESTIONS = ["area of", "中文?", b"\xff ok", "width", "é"]
CONTEXTS = [
    "The area of a circle, of a square.",
    "中文分词,中文。 🙂 é",
    b"def \xff area(width)  ",
    "width",
    "\n of 👩‍👧 a square \t",
]
LONG = "width * height 中文, " * 12 + "of a square 🙂"


def make_answerer(tokenizer=TOKENIZER, seed=4, num_segments=2, **options):
    encoder = TransformerEncoder(
        tokenizer.vocabulary_size, 1, 2, 8, 6, 60, num_segments=num_segments
    )
    model = SpanExtractor(encoder)
    random_weights(model, seed=seed)
    return QuestionAnswerer(model, tokenizer, **options)


@pytest.fixture(scope="module")
def answerer():
    return make_answerer(max_answer_length=4)


def odds_of(answerer, question, context):
    """For each `(start, end)`, by plain loops, how likely; and `None`."""
    most, stride = answerer.max_length, answerer.stride
    windowed = context_windows(TOKENIZER, [question], [context], most, stride)[0]
    odds = {None: 0.0}
    for window in windowed.windows:
        inputs = {"token_ids": window.token_ids, "segment_ids": window.segment_ids}
        inputs = {name: np.array([row]) for name, row in inputs.items()}
        logits = ops.convert_to_numpy(answerer.model(inputs))[0]
        spans = windowed.offsets[window.place : window.place + window.num_tokens]
        for i, (start, behind) in enumerate(spans):
            for j in range(i, min(i + answerer.max_answer_length, len(spans))):
                if start < behind and spans[j, 0] < spans[j, 1]:
                    score = logits[window.first + i, 0] + logits[window.first + j, 1]
                    tokens = window.place + i, window.place + j
                    place = int(start), int(spans[j, 1]), *tokens
                    score -= logits[0].sum()
                    odds[place] = max(score, odds.get(place, -np.inf))
    total = sum(np.exp(one) for one in odds.values())
    return {place: np.exp(one) / total for place, one in odds.items()}


@pytest.mark.slow_elsewhere
def test_answers_are_those_of_each_window_alone(answerer):
    found = answerer.n_best(QUESTIONS, CONTEXTS, 3)
    nothing = answerer.no_answer_scores(QUESTIONS, CONTEXTS)

    assert nothing.dtype == "float32"
    for question, context, best, none in zip(
        QUESTIONS, CONTEXTS, found, nothing, strict=True
    ):
        shares = odds_of(answerer, question, context)
        assert none == pytest.approx(shares.pop(None), abs=1e-5)
        wanted = sorted(shares, key=lambda place: -shares[place])
        wanted = list(dict.fromkeys(place[:2] for place in wanted))[:3]
        assert [one[1:3] for one in best] == wanted
        text = as_unicode(context)
        for one in best:
            assert one.text == text[one.start : one.end] == one.text.strip() != ""
    assert found[3][0].text == "width"


@pytest.mark.slow_elsewhere
def test_the_best_of_all_windows_is_the_answer():
    answerer = make_answerer(seed=2, max_length=13, stride=3, max_answer_length=3)
    shares = odds_of(answerer, "area", LONG)
    none = shares.pop(None)
    best = max(shares, key=lambda place: shares[place])
    (windowed,) = context_windows(TOKENIZER, ["area"], [LONG], 13, 3)
    assert len(windowed.windows) > 8 and best[2] >= 13  # not in the first

    (found,) = answerer.n_best(["area"], [LONG], 1)

    assert found[0][1:3] == best[:2]
    assert found[0].score == pytest.approx(shares[best], abs=1e-5)
    assert_close(answerer.no_answer_scores(["area"], [LONG]), [none])


def test_none_where_no_span_is_likelier_by_the_threshold(answerer):
    best = [one[0] for one in answerer.n_best(QUESTIONS, CONTEXTS)]
    none = answerer.no_answer_scores(QUESTIONS, CONTEXTS)
    leads = np.log([one.score for one in best]) - np.log(none)
    threshold = float(np.sort(leads)[1:3].mean())  # two of five have none

    some = QuestionAnswerer(
        answerer.model, TOKENIZER, max_answer_length=4, threshold=threshold
    )
    found = some(QUESTIONS, CONTEXTS)

    assert [one is None for one in found] == (leads <= threshold).tolist()
    assert found.count(None) == 2
    for one, other in zip(found, best, strict=True):
        assert one is None or one[:3] == other[:3]
    always = QuestionAnswerer(
        answerer.model, TOKENIZER, max_answer_length=4, no_answer=False, threshold=99.0
    )
    found = always(QUESTIONS, CONTEXTS)
    assert [one[:3] for one in found] == [one[:3] for one in best]
    scores = [one.score * (1 - share) for one, share in zip(found, none, strict=True)]
    assert_close(scores, [one.score for one in best])
    assert always.no_answer_scores(QUESTIONS, CONTEXTS).tolist() == [0.0] * 5


@pytest.mark.slow_elsewhere
def test_one_context_for_many_questions_and_none_for_none(answerer):
    many = answerer.n_best([*QUESTIONS * 8, "area"], LONG)
    pairs = answerer.n_best(QUESTIONS, [LONG] * 5)

    for row, best in enumerate(pairs):
        for copy in (many[row], many[row + 35]):
            assert [one[:3] for one in copy] == [one[:3] for one in best]
    assert len({len(best) for best in many}) == 1
    assert answerer([], []) == answerer([], LONG) == []


def test_it_comes_back_from_its_directory(tmp_path):
    options = {"max_length": 19, "stride": 5, "max_answer_length": 3}
    options |= {"no_answer": True, "threshold": -3.5}
    answerer = make_answerer(**options)

    answerer.save(tmp_path / "a")
    back = load(tmp_path / "a")

    assert isinstance(back, QuestionAnswerer)
    assert {name: getattr(back, name) for name in options} == options
    for one, other in zip(
        back(QUESTIONS, LONG), answerer(QUESTIONS, LONG), strict=True
    ):
        assert (one and one[:3]) == (other and other[:3])
    scores = back.no_answer_scores(QUESTIONS, LONG)
    assert_close(scores, answerer.no_answer_scores(QUESTIONS, LONG))


@pytest.mark.slow_elsewhere
def test_with_a_pretrained_tokenizer_too(tmp_path):
    answerer = make_answerer(bert(), no_answer=False, max_answer_length=2)
    contexts = ["An École, naïve\0.", "中文分词 🙂"]

    answerer.save(tmp_path / "a")
    found = load(tmp_path / "a").n_best(["who?", "何"], contexts, 99)

    texts = {one.text for one in found[0]}
    assert texts == {"An", "An École", "École", "École,", ",", ", naïve", "naïve"} | {
        "naïve\0.",
        ".",
    }
    assert {one.text for one in found[1]} >= {"中", "中文", "词 🙂", "🙂"}
    assert answerer(["who?"], contexts[:1])[0].text in texts


# ----------------------------------------------------------------------- errors


@pytest.mark.slow_elsewhere
def test_what_does_not_fit_is_refused(answerer):
    with pytest.raises(TypeError, match="`models.SpanExtractor`. Received: Transfor"):
        QuestionAnswerer(answerer.model.encoder, TOKENIZER)
    with pytest.raises(ValueError, match="must have vocabularies of one size"):
        QuestionAnswerer(answerer.model, word_tokenizer())
    with pytest.raises(ValueError, match="must know two segments, or the tokenizer"):
        make_answerer(word_tokenizer(), num_segments=1)
    assert make_answerer(num_segments=0).max_length == 60  # a separator is enough
    for name, value, message in [
        ("max_length", 4, "`max_length` must be from 5 to"),
        ("max_length", 61, "`max_length` must be from 5 to"),
        ("stride", 0, "`stride` must be at least 1"),
        ("max_answer_length", 0, "`max_answer_length` must be at least 1"),
        ("stride", 2.5, "`stride` must be an int, at least 1"),
        ("max_answer_length", None, "`max_answer_length` must be an int, at least 1"),
        ("threshold", np.nan, "`threshold` must be finite"),
        ("threshold", None, "`threshold` must be finite. Received: threshold=None"),
    ]:
        with pytest.raises(ValueError, match=message):
            QuestionAnswerer(answerer.model, TOKENIZER, **{name: value})
    with pytest.raises(ValueError, match="`num_answers` must be at least 1"):
        answerer.n_best(QUESTIONS, CONTEXTS, 0)
    with pytest.raises(TypeError, match="`questions` must be a list of texts"):
        answerer("area", CONTEXTS[0])
    with pytest.raises(TypeError, match="`questions` must be a list .* Received: None"):
        answerer(None, CONTEXTS[0])
    with pytest.raises(ValueError, match="`num_answers` must be an int, at least 1"):
        answerer.n_best(QUESTIONS, CONTEXTS, 1.5)
    with pytest.raises(ValueError, match="5 questions and 4 contexts"):
        answerer(QUESTIONS, CONTEXTS[1:])
    with pytest.raises(ValueError, match="A context must hold some text.*context 1"):
        answerer(["area", "area"], ["area", " "])
    with pytest.raises(ValueError, match="A question must hold some text.*question 0"):
        answerer([""], ["area"])
    with pytest.raises(ValueError, match="A question must leave room for its context"):
        answerer(["\0" * 60], ["area"])
