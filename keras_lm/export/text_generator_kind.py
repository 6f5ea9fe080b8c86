"""How a `TextGenerator` is exported: what it answers, how it is served."""

from keras_lm.export.export_error import ExportError
from keras_lm.export.process import CHECKER as CHECKER  # of this kind
from keras_lm.export.reference import reference as reference
from keras_lm.text import unicode

# Nats per token; a processor's rounding stays a hundred times below.
TOLERANCE = 1e-3


def refuse(checked: dict, expected: dict) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_exports.py` says of it.
        expected: what `reference` says of the model.

    Returns:
        float, the share of equal texts. Where a text differs, the model's two best
        tokens must have been as good as equal.

    Raises:
        ExportError: it does not agree.
    """
    difference = checked["largest_difference"]
    if not checked["finite"] or not difference <= TOLERANCE:
        raise ExportError(
            f"The SavedModel must agree with the model to {TOLERANCE} nats per token. "
            f"Received: a difference of {difference}"
        )
    for place, equal in enumerate(checked["equal"]):
        if not equal and expected["margins"][place] > TOLERANCE:
            raise ExportError(
                "The SavedModel must continue a text as the model does. Received: "
                f"{checked['greedy_texts'][place]!r}, where the model says "
                f"{expected['greedy_texts'][place]!r}"
            )
    return checked["greedy_agreement"]


def saved_model_signatures(pipeline):
    """Graphs of strings in and out: see `export_saved_model`.

    Args:
        pipeline: `TextGenerator`.

    Returns:
        `(signatures, kept)`: dict of concrete functions, and the tokenizer's graph.
    """
    from keras_lm.export.served_text_generator import ServedGenerator

    return signatures_of(ServedGenerator(pipeline))


def signatures_of(served):
    """The signatures of what continues texts or chats.

    Args:
        served: has `serve`, `generate`, `score` and `graph_tokenizer`.

    Returns:
        `(signatures, kept)`: dict of concrete functions, and the tokenizer's graph.
    """
    signatures = {
        "serving_default": served.serve.get_concrete_function(),
        "generate": served.generate.get_concrete_function(),
        "score": served.score.get_concrete_function(),
    }
    return signatures, served.graph_tokenizer


def litert_signatures(pipeline) -> dict:
    """Graphs of token ids and state in, logits and state out: see `export_litert`.

    Args:
        pipeline: `TextGenerator`.

    Returns:
        dict of concrete functions.
    """
    from keras_lm.export.step_signatures import decoder_signatures

    return decoder_signatures(pipeline.model)


def litert_description(pipeline) -> dict:
    """Names, shapes and the tokenizer's rules, for `<stem>.json`.

    Args:
        pipeline: `TextGenerator`.

    Returns:
        dict of plain Python.
    """
    from keras_lm.export.step_signatures import decoder_specs

    model = pipeline.model
    return {
        "signatures": ["prefill", "decode"],
        "token_ids": {"prefill": [1, None], "decode": [1, 1], "dtype": "int32"},
        "logits": {"shape": [1, model.vocabulary_size], "dtype": "float32"},
        "state": {
            name: {"shape": spec.shape.as_list(), "dtype": spec.dtype.name}
            for name, spec in decoder_specs(model).items()
        },
        "max_sequence_length": model.max_sequence_length,
        "vocabulary_size": model.vocabulary_size,
        "max_new_tokens": pipeline.max_new_tokens,
        "tokenizer": {
            "separator_id": pipeline.tokenizer.separator_id,
            # Done in this order before encoding, undone in the other after decoding.
            "escapes": unicode.ESCAPES,
        },
    }
