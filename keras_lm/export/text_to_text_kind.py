"""How a `TextToText` is exported: what it answers, how it is served."""

import io
from pathlib import Path

import keras
import numpy as np

from keras_lm.export.export_error import ExportError
from keras_lm.export.reference import FOLLOWED, PROBES, as_bytes, refuse_not_finite
from keras_lm.text import teacher_forcing, unicode

CHECKER = Path(__file__).with_name("check_text_to_text.py")
# Nats per token, and of a score; a processor's rounding stays a hundred times below.
TOLERANCE = 1e-3
BEAM_SIZE = 4  # as the pipeline is called without one


def reference(pipeline, work: Path) -> dict:
    """Sources, the pipeline's answers, and logits; the logits go to a file.

    Shapes: `P` probes, `T` longest answer, `V` vocabulary.

    Args:
        pipeline: `TextToText`.
        work: folder for the file.

    Returns:
        dict: `sources` and `targets` (texts; bytes that are no UTF-8 stand as lone
        surrogates), `log_likelihoods` (of each target, nats) and `num_tokens` of it;
        `answers`, `scores` and `finished` of beam search, `greedy_answers`;
        `source_ids` and `target_ids` (of each greedy answer, after the separator that
        it begins with), `logits_path` (`.npy`, float32 `(P, T, V)`: after each of
        `target_ids`).

    Raises:
        ValueError: no probe fits the model, or its logits are not finite.
    """
    encode = pipeline.source_tokenizer.encode
    room = pipeline.max_source_length - 1
    sources = [text for text in PROBES if len(encode(as_bytes(text))) <= room]
    given = [as_bytes(text) for text in sources]
    best = [answers[0] for answers in pipeline.n_best(given, 1, BEAM_SIZE)]
    greedy = pipeline(given, beam_size=1)
    room = pipeline.model.max_sequence_length - 1
    targets = _targets(pipeline.target_tokenizer, room, len(sources))
    to_targets = pipeline.target_tokenizer.encode
    source_ids = [encode(text) for text in given]
    target_ids = [to_targets(text)[: min(FOLLOWED, room)] for text in greedy]
    logits = _logits(pipeline, source_ids, target_ids)
    content = io.BytesIO()
    np.save(content, logits)
    # Not `np.save` to the disk: its error does not say that it is full.
    (work / "logits.npy").write_bytes(content.getbuffer())
    separator = pipeline.target_tokenizer.separator_id
    return {
        "sources": sources,
        "targets": targets,
        "log_likelihoods": pipeline.score(given, list(map(as_bytes, targets))).tolist(),
        "num_tokens": [len(to_targets(as_bytes(text))) + 1 for text in targets],
        "answers": [answer.text for answer in best],
        "scores": [answer.score for answer in best],
        "finished": [answer.finished for answer in best],
        "greedy_answers": greedy,
        "source_ids": [
            [*row, pipeline.source_tokenizer.separator_id] for row in source_ids
        ],
        "target_ids": [[separator, *row] for row in target_ids],
        "logits_path": str(work / "logits.npy"),
    }


def refuse(checked: dict, expected: dict) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_text_to_text.py` says of it.
        expected: what `reference` says of the model.

    Returns:
        float, the share of equal answers. Where an answer differs, it must be as good:
        in a search over two that are as good as equal, either may win.

    Raises:
        ExportError: it does not agree.
    """
    difference = checked["largest_difference"]
    if not checked["finite"] or not difference <= TOLERANCE:
        raise ExportError(
            f"The SavedModel must agree with the model to {TOLERANCE} nats per token. "
            f"Received: a difference of {difference}"
        )
    for place, answer in enumerate(checked["answers"]):
        score, wanted = checked["scores"][place], expected["scores"][place]
        worse = wanted - score
        if checked["equal"][place]:
            worse = abs(worse)
        if not worse <= TOLERANCE:
            raise ExportError(
                "The SavedModel must find answers as good as the model's. Received: "
                f"{answer!r}, which scores {score}, where the model says "
                f"{expected['answers'][place]!r}, which scores {wanted}"
            )
        finished = checked["finished"][place]
        if checked["equal"][place] and finished != expected["finished"][place]:
            raise ExportError(
                "The SavedModel must say which answers were cut off. Received: "
                f"finished={finished} for {answer!r}, where the model says the other"
            )
    return checked["greedy_agreement"]


def saved_model_signatures(pipeline):
    """Graphs of strings in and out: see `export_saved_model`.

    Args:
        pipeline: `TextToText`.

    Returns:
        `(signatures, kept)`: dict of concrete functions, and the tokenizers' graphs.
    """
    from keras_lm.export.served_text_to_text import ServedTextToText

    served = ServedTextToText(pipeline, BEAM_SIZE)
    signatures = {
        "serving_default": served.serve.get_concrete_function(),
        "n_best": served.n_best.get_concrete_function(),
        "score": served.score.get_concrete_function(),
    }
    return signatures, [served.source_tokenizer, served.target_tokenizer]


def litert_signatures(pipeline) -> dict:
    """Graphs of token ids, source and state: see `export_litert`.

    Args:
        pipeline: `TextToText`.

    Returns:
        dict of concrete functions.
    """
    from keras_lm.export.step_signatures import encoder_decoder_signatures

    return encoder_decoder_signatures(pipeline.model)


def litert_description(pipeline) -> dict:
    """Names, shapes and the tokenizers' rules, for `<stem>.json`.

    Args:
        pipeline: `TextToText`.

    Returns:
        dict of plain Python.
    """
    from keras_lm.export.step_signatures import encoder_decoder_specs

    model = pipeline.model
    specs = {
        name: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name}
        for name, spec in encoder_decoder_specs(model).items()
    }
    lengths = {"encode": [1, None], "prefill": [1, None], "decode": [1, 1]}
    return {
        "signatures": list(lengths),
        "token_ids": {**lengths, "dtype": "int32"},
        "logits": {"shape": [1, model.vocabulary_size], "dtype": "float32"},
        # Given by `encode`; the state is another after each step.
        "state": {k: v for k, v in specs.items() if k.startswith("state_")},
        "source": {k: v for k, v in specs.items() if k.startswith("source_")},
        "max_sequence_length": model.max_sequence_length,
        "max_source_length": pipeline.max_source_length,
        "vocabulary_size": model.vocabulary_size,
        "max_new_tokens": pipeline.max_new_tokens,
        **{
            name: {
                "separator_id": getattr(pipeline, name).separator_id,
                # Done in this order before encoding, undone in the other after.
                "escapes": unicode.ESCAPES,
            }
            for name in pipeline.TOKENIZERS
        },
    }


def _targets(tokenizer, room, count):
    """So many texts that fit, other ones first than the sources."""
    fit = [text for text in PROBES if len(tokenizer.encode(as_bytes(text))) <= room]
    return [fit[-1 - place % len(fit)] for place in range(count)]


def _logits(pipeline, source_ids, target_ids):
    """After the separator and each token of the targets: float32 `(P, T, V)`."""
    tokenizers = pipeline.source_tokenizer, pipeline.target_tokenizer
    inputs, _, _ = teacher_forcing(source_ids, target_ids, *tokenizers)
    logits = pipeline.model.predict_on_batch(inputs)
    refuse_not_finite("logits", logits)
    return np.asarray(keras.ops.convert_to_numpy(logits), "float32")
