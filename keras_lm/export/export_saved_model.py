"""A pipeline as a SavedModel that takes and gives strings."""

import time
from pathlib import Path

from keras_lm.export.export_error import ExportError
from keras_lm.export.export_report import ExportReport
from keras_lm.export.hand_over import check_pipeline, hand_over
from keras_lm.export.process import run_checker, run_worker
from keras_lm.export.target import place_version, version_exists, workshop

# Nats per token; a processor's rounding stays a hundred times below.
TOLERANCE = 1e-3


def export_saved_model(pipeline, path, version: int | None = None) -> ExportReport:
    """Writes `path/<version>/`, as TensorFlow Serving reads it.

    Whatever backend the pipeline runs on, a TensorFlow process of its own writes the
    SavedModel, a second one runs it without keras_lm, and what it answers is compared
    with the pipeline. Only then does the folder take its name. The signatures:

        serving_default   text (B,) -> generated_text (B,), greedily, up to the
                          pipeline's own `max_new_tokens`
        generate          text (B,), max_new_tokens (), temperature () (0 = greedy),
                          seed () -> generated_text (B,), num_new_tokens (B,)
        score             text (B,) -> log_likelihood (B,), nats; num_tokens (B,)

    The tokenizer is inside, as tensorflow-text ops: import tensorflow_text before
    loading. A model in half precision is written in float32.

    Args:
        pipeline: `pipelines.TextGenerator`.
        path: str or path of the folder that holds the versions.
        version: int, at least 1. The next that is free when `None`.

    Returns:
        `ExportReport`; its `path` is the version's folder.

    Raises:
        TypeError: `pipeline` is none.
        ValueError: `version` is below 1, or the model cannot be exported.
        FileExistsError: `version` is there.
        OSError: `path` cannot be written.
        ExportError: a layer cannot be exported, or the export does not agree.
    """
    start = time.perf_counter()
    check_pipeline(pipeline)
    folder = Path(path).absolute()
    _check_version(version, folder)
    with workshop(folder) as work:
        job, expected = hand_over(pipeline, work)
        finished = work / "saved_model"
        run_worker({**job, "format": "saved_model", "path": str(finished)}, work)
        check = {**expected, "saved_model": str(finished)}
        checked = run_checker(check, work)["saved_model"]
        agreement = refuse_disagreement(checked, expected, TOLERANCE)
        target = place_version(finished, folder, version)
    return ExportReport(
        path=target,
        size_bytes=checked["size_bytes"],
        largest_difference=checked["largest_difference"],
        greedy_agreement=agreement,
        seconds=time.perf_counter() - start,
    )


def refuse_disagreement(checked: dict, expected: dict, tolerance: float) -> float:
    """Compares what the SavedModel answered with what the model does.

    Args:
        checked: what `check_exports.py` says of it.
        expected: what `reference` says of the model.
        tolerance: float. Largest difference allowed, nats per token.

    Returns:
        float, the share of equal texts. Where a text differs, the model's two best
        tokens must have been as good as equal.

    Raises:
        ExportError: it does not agree.
    """
    difference = checked["largest_difference"]
    if not checked["finite"] or not difference <= tolerance:
        raise ExportError(
            f"The SavedModel must agree with the model to {tolerance} nats per token. "
            f"Received: a difference of {difference}"
        )
    for place, equal in enumerate(checked["equal"]):
        if not equal and expected["margins"][place] > tolerance:
            raise ExportError(
                "The SavedModel must continue a text as the model does. Received: "
                f"{checked['greedy_texts'][place]!r}, where the model says "
                f"{expected['greedy_texts'][place]!r}"
            )
    return checked["greedy_agreement"]


def _check_version(version, folder):
    if version is None:
        return
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise ValueError(
            "`version` must be an int of at least 1, or None. "
            f"Received: version={version!r}"
        )
    if (folder / str(version)).exists():
        raise version_exists(folder / str(version))
