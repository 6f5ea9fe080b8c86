"""How a `QuestionAnswerer` is exported: what it answers, how it is served."""

import itertools
from pathlib import Path

import numpy as np

from keras_lm.export.export_error import ExportError
from keras_lm.export.graph_answers import graph_answers, graph_best, graph_odds
from keras_lm.export.graph_function import graph_function
from keras_lm.export.graph_texts import describe_tokenizer, graph_tokenizer
from keras_lm.export.graph_windows import graph_windows
from keras_lm.export.reference import (
    PROBES,
    as_bytes,
    real_tokens,
    refuse_far,
    refuse_none_fits,
    refuse_not_finite,
)
from keras_lm.pipelines.predict_texts import predict_tokens
from keras_lm.text.context_windows import context_windows, window_arrays

CHECKER = Path(__file__).with_name("check_question_answerer.py")
# Of a probability; a processor's rounding stays a hundred times below.
TOLERANCE = 1e-4
_NUM_PROBES, _NUM_WINDOWS, _NUM_CHOICES = 8, 3, 20
# Where a model reads more tokens at once, no longer text is made to check it: the
# export would take minutes.
_MOST_AT_ONCE = 2048


def reference(pipeline, work: Path) -> dict:
    """Questions and contexts, their arrays, and what the model says of them.

    The last context is longer than the model, so that it is read in windows; unless the
    pipeline reads more than 2,048 tokens at once.

    Args:
        pipeline: `QuestionAnswerer`.
        work: folder for files; not used.

    Returns:
        dict: `questions` and `contexts` (bytes that are no UTF-8 stand as lone
        surrogates), `inputs` (by name, a list of `P` rows, one for each window),
        `logits` (`P` lists of two numbers for each token) and `choices` (for each
        question the best answers, no answer among them if there may be none: lists of
        text, start, end, score, and a weight, by which the pipeline chooses).

    Raises:
        ValueError: no pair fits the model, or the logits are not finite.
    """
    pairs: list[tuple[str, str]] = [
        *itertools.islice(_pairs_that_fit(pipeline), _NUM_PROBES)
    ]
    refuse_none_fits(pairs, pipeline.max_length, "Questions and contexts")
    if pipeline.max_length <= _MOST_AT_ONCE:
        pairs.append(_long_pair(pipeline, pairs))
    questions, contexts = ([as_bytes(pair[side]) for pair in pairs] for side in (0, 1))
    windowed = context_windows(
        pipeline.tokenizer, questions, contexts, pipeline.max_length, pipeline.stride
    )
    arrays = window_arrays(pipeline.tokenizer, windowed)
    most = pipeline.model.encoder.max_sequence_length
    logits = predict_tokens(pipeline.model, arrays, 2, most)
    refuse_not_finite("logits", logits)
    return {
        "questions": [question for question, _ in pairs],
        "contexts": [context for _, context in pairs],
        "inputs": real_tokens(arrays, _inputs(pipeline)),
        "logits": [row.tolist() for row in logits],
        "choices": _choices(pipeline, questions, contexts),
    }


def refuse(checked: dict, expected: dict) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_question_answerer.py` says of it.
        expected: what `reference` says of the model.

    Returns:
        float, the share of equal answers. (Where two are as likely, either may come.)

    Raises:
        ExportError: it does not agree.
    """
    if not checked["agrees"]:
        raise ExportError(
            "The SavedModel must give the answer that the model does. "
            f"Received: {checked['answers']}"
        )
    refuse_far("scores", checked, TOLERANCE)
    return checked["greedy_agreement"]


def saved_model_signatures(pipeline):
    """The graph from questions and contexts to answers: see `export_saved_model`.

    Args:
        pipeline: `QuestionAnswerer`.

    Returns:
        `(signatures, kept)`: dict of concrete functions, and the tokenizer's graph.

    Raises:
        ExportError: the tokenizer cannot be in a graph.
    """
    tokenizer = graph_tokenizer(pipeline.tokenizer)

    def find(question, context):
        windows = graph_windows(tokenizer, pipeline, question, context)
        odds = graph_odds(tokenizer, pipeline, windows)
        return graph_best(pipeline, windows, context, odds)

    def serve(question, context):
        return graph_answers(pipeline, *find(question, context))

    def best(question, context):
        return find(question, context)[0]

    kinds = {"question": "string", "context": "string"}
    signatures = {
        name: graph_function(one, kinds, [None])
        for name, one in (("serving_default", serve), ("best", best))
    }
    return signatures, tokenizer


def litert_signatures(pipeline) -> dict:
    """The graph from token ids to logits: see `export_litert`.

    Args:
        pipeline: `QuestionAnswerer`.

    Returns:
        dict of a concrete function.
    """

    def extract(**arrays):
        return {"logits": pipeline.model(arrays, training=False)}

    function = graph_function(extract, _inputs(pipeline), [1, None])
    return {"extract": function}


def litert_description(pipeline) -> dict:
    """Names, sizes and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `QuestionAnswerer`.

    Returns:
        dict of plain Python.
    """
    return {
        "signatures": ["extract"],
        "segment_ids": _uses_segments(pipeline),  # 1 for the context and its end
        "max_length": pipeline.max_length,  # tokens of a row, special ones included
        "stride": pipeline.stride,
        "max_answer_length": pipeline.max_answer_length,
        "no_answer": pipeline.no_answer,
        "threshold": pipeline.threshold,
        "logits": {"shape": [1, "tokens", 2], "dtype": "float32"},
        "tokenizer": describe_tokenizer(pipeline.tokenizer),
    }


def _pairs_that_fit(pipeline):
    """Questions and contexts that are read at once, short and long ones mixed."""
    for shift in range(1, len(PROBES)):
        for question, context in zip(PROBES, PROBES[shift:] + PROBES[:shift]):
            try:
                count = _num_windows(pipeline, question, context)
            except ValueError:  # empty, or a question that leaves no room
                continue
            if count == 1:
                yield question, context


def _long_pair(pipeline, pairs):
    """The shortest of the questions, and a context of several windows."""
    question, _ = min(pairs, key=lambda pair: len(as_bytes(pair[0])))
    whole = "".join(PROBES)
    context = whole
    while _num_windows(pipeline, question, context) < _NUM_WINDOWS:
        context += whole
    return question, context


def _num_windows(pipeline, question, context):
    given = [as_bytes(question)], [as_bytes(context)]
    sizes = pipeline.max_length, pipeline.stride
    (windowed,) = context_windows(pipeline.tokenizer, *given, *sizes)
    return len(windowed.windows)


def _choices(pipeline, questions, contexts):
    best = pipeline.n_best(questions, contexts, _NUM_CHOICES)
    choices = [
        [[*answer, float(np.log(answer.score + 1e-30))] for answer in answers]
        for answers in best
    ]
    if pipeline.no_answer:
        nothing = pipeline.no_answer_scores(questions, contexts).astype("float64")
        for row, none in zip(choices, nothing, strict=True):
            weight = float(np.log(none + 1e-30)) + pipeline.threshold
            row.append(["", -1, -1, float(none), weight])
    return choices


def _inputs(pipeline):
    """What the model reads, by name."""
    more = {"segment_ids": "int32"} if _uses_segments(pipeline) else {}
    masks = {"padding_mask": "bool", "context_mask": "bool"}
    return {"token_ids": "int32", **masks, **more}


def _uses_segments(pipeline):
    return pipeline.model.encoder.num_segments > 1
