"""How a `TokenTagger` is exported: what it answers, how it is served."""

from pathlib import Path

from keras_lm.export.export_error import ExportError
from keras_lm.export.graph_function import graph_function
from keras_lm.export.graph_texts import describe_tokenizer, graph_tokenizer
from keras_lm.export.graph_words import (
    graph_best_labels,
    graph_word_arrays,
    graph_words,
)
from keras_lm.export.reference import (
    PROBES,
    as_bytes,
    real_tokens,
    refuse_far,
    refuse_none_fits,
    refuse_not_finite,
)
from keras_lm.pipelines.predict_texts import predict_tokens
from keras_lm.pipelines.word_arrays import word_arrays
from keras_lm.text import split_words
from keras_lm.text.bio_labels import OUTSIDE
from keras_lm.text.encode_words import frame_of
from keras_lm.text.split_words import JOINERS

CHECKER = Path(__file__).with_name("check_token_tagger.py")
# Of a label's probability; a processor's rounding stays a hundred times below.
TOLERANCE = 1e-4


def reference(pipeline, work: Path) -> dict:
    """Texts, their words and token ids, and what the model says of them.

    Args:
        pipeline: `TokenTagger`.
        work: folder for files; not used.

    Returns:
        dict, by text: `texts` (bytes that are no UTF-8 stand as lone surrogates),
        `predicates` (ints, if there are any), `words`, `inputs` (by name, rows of ints,
        special tokens included), `logits` (of each token), `log_probabilities` (of each
        word that is not cut off) and `tags`; and `labels`, `may_begin` and
        `may_follow`.

    Raises:
        ValueError: no text fits the model, or the logits are not finite.
    """
    given, predicates = _probes(pipeline)
    refuse_none_fits(given, pipeline.max_length)
    words = [_words(pipeline, text) for text in given]
    arrays, _ = _arrays(pipeline, words, predicates, pipeline.truncate)
    most = pipeline.model.encoder.max_sequence_length
    logits = predict_tokens(pipeline.model, arrays, len(pipeline.labels), most)
    refuse_not_finite("logits", logits)
    shares = pipeline.log_probabilities(given, predicates)
    return {
        "texts": [text.decode("utf-8", "surrogateescape") for text in given],
        **({} if predicates is None else {"predicates": predicates}),
        "words": words,
        "inputs": real_tokens(arrays),
        "labels": pipeline.labels,
        "may_begin": pipeline.may_begin.tolist(),
        "may_follow": pipeline.may_follow.tolist(),
        "logits": [one.tolist() for one in logits],
        "log_probabilities": [one.tolist() for one in shares],
        "tags": pipeline.tags(given, predicates),
    }


def refuse(checked: dict, expected: dict) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_token_tagger.py` says of it.
        expected: what `reference` says of the model.

    Returns:
        float, the share of texts with equal labels. (Where two labellings are as
        likely, either may come.)

    Raises:
        ExportError: it does not agree.
    """
    refuse_far("scores", checked, TOLERANCE)
    if not checked["agrees"]:
        raise ExportError(
            "The SavedModel must label the words as the model does. "
            f"Received: {checked['named']}"
        )
    return checked["greedy_agreement"]


def saved_model_signatures(pipeline):
    """The graph from texts to labels of words: see `export_saved_model`.

    Args:
        pipeline: `TokenTagger`.

    Returns:
        `(signatures, kept)`: dict of a concrete function, and the tokenizer's graph.

    Raises:
        ExportError: the tokenizer cannot be in a graph.
    """
    import tensorflow as tf

    tokenizer = graph_tokenizer(pipeline.tokenizer)
    labels = tf.constant(pipeline.labels)

    def serve(text, predicate=None):
        words = graph_words(text, pipeline.split)
        arrays, first, counts = graph_word_arrays(tokenizer, pipeline, words, predicate)
        logits = pipeline.model(arrays, training=False)  # (B, T, L)
        logits = tf.gather(logits, first, batch_dims=1)  # (B, W, L)
        best = graph_best_labels(
            tf.nn.log_softmax(logits), counts, pipeline.may_begin, pipeline.may_follow
        )
        scores = tf.gather(tf.nn.softmax(logits), best, batch_dims=2)  # (B, W)
        width = tf.shape(first)[1]
        read = tf.sequence_mask(counts, width)
        there = tf.sequence_mask(words.row_lengths(), width)
        cut_off = tf.where(there, OUTSIDE, "")
        return {
            "words": words.to_tensor("", shape=tf.stack([-1, width])),
            "labels": tf.where(read, tf.gather(labels, best), cut_off),
            "scores": tf.where(read, scores, 0.0),
        }

    kinds = {"text": "string"}
    if pipeline.marks_predicate:
        kinds["predicate"] = "int32"
    function = graph_function(serve, kinds, [None])
    return {"serving_default": function}, tokenizer


def litert_signatures(pipeline) -> dict:
    """The graph from token ids to logits: see `export_litert`.

    Args:
        pipeline: `TokenTagger`.

    Returns:
        dict of a concrete function.
    """

    def tag(**arrays):
        return {"logits": pipeline.model(arrays, training=False)}

    kinds = {"token_ids": "int32", "padding_mask": "bool"}
    if pipeline.marks_predicate:
        kinds["marks"] = "int32"
    function = graph_function(tag, kinds, [1, None])
    return {"tag": function}


def litert_description(pipeline) -> dict:
    """Names, sizes, labels and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `TokenTagger`.

    Returns:
        dict of plain Python.
    """
    before, behind = frame_of(pipeline.tokenizer)
    return {
        "signatures": ["tag"],
        "split": pipeline.split,  # a text into words, or into characters
        "marks": pipeline.marks_predicate,  # 1 for each token of the predicate
        "max_length": pipeline.max_length,  # tokens of a text, special ones included
        "truncate": pipeline.truncate,
        "logits": {"shape": [1, None, len(pipeline.labels)], "dtype": "float32"},
        "labels": pipeline.labels,
        "tokenizer": {
            **describe_tokenizer(pipeline.tokenizer),
            "joiner": JOINERS[pipeline.split],  # before each word but the first
            "unknown_id": pipeline.tokenizer.unknown_id,  # of a word without tokens
            "before": before,  # special tokens of a text
            "behind": behind,
        },
    }


def _probes(pipeline):
    """Texts as bytes that fit, and for each a word in its middle, if that is asked."""
    texts, predicates = [], []
    # The first text is also run alone and padded: it is not the one without words.
    for probe in (*PROBES[1:], PROBES[0]):
        text = as_bytes(probe)
        words = _words(pipeline, text)
        arrays, firsts = _arrays(pipeline, [words], None, pipeline.truncate)
        is_short = arrays["token_ids"].shape[1] <= pipeline.max_length
        if is_short and (firsts[0] or not pipeline.marks_predicate):
            texts.append(text)
            predicates.append(len(firsts[0]) // 2)
    return texts, predicates if pipeline.marks_predicate else None


def _words(pipeline, text):
    return [word.text for word in split_words(text, pipeline.split)]


def _arrays(pipeline, words, predicates, truncate):
    most = pipeline.max_length if truncate else 1 << 30
    return word_arrays(
        pipeline.tokenizer, words, predicates, pipeline.split, most, truncate
    )
