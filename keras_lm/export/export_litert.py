"""A pipeline as one LiteRT file that any plain runtime runs."""

import time
from pathlib import Path

from keras_lm.export.export_error import ExportError
from keras_lm.export.export_report import ExportReport
from keras_lm.export.hand_over import check_pipeline, hand_over
from keras_lm.export.kinds import kind_of
from keras_lm.export.process import run_checker, run_worker
from keras_lm.export.target import place_files, workshop

# How far a logit may be from the model's: as it is, or, quantised, in standard
# deviations of the logits of one position. (Measured on a trained decoder of 4 layers:
# 4e-6; 0.002 and 0.05 standard deviations.)
TOLERANCE = 1e-3
SPREADS = {"float16": 0.05, "dynamic_int8": 0.5}


def export_litert(
    pipeline, path, quantization: str | None = None, overwrite: bool = False
) -> ExportReport:
    """Writes a `.tflite` file, its names beside it, and its tokenizer.

    Whatever backend the pipeline runs on, a TensorFlow process of its own writes the
    file, a second one runs it with ai-edge-litert alone, and its logits are compared
    with the model's. Only then does it take its name. Builtin operations only.
    `<stem>.json` beside the file holds names and shapes, `<stem>.tokenizer.model` (or
    `.source_tokenizer` and `.target_tokenizer`) the SentencePiece model, or, with
    pretrained weights, `<stem>.tokenizer.json`; `saved_models/README.md` shows how to
    use them.

    A `TextGenerator` becomes the signatures `prefill` and `decode`. Both take
    `token_ids` (`[1, n]` or `[1, 1]`) and the state by name, and give `logits` `[1, V]`
    of the last position and the state after it. A `TextToText` has `encode` besides,
    which takes the source's `token_ids` `[1, n]` and gives the first state, and what is
    known of the source, for the other two to read. A `StreamClassifier` becomes
    `classify`, which takes each stream by its name (a text as token ids) and
    `<name>_present` `[1]`, and gives `logits` `[1, num_classes]`; a `TextEmbedder`
    `embed`, which takes `token_ids` and `padding_mask` `[1, n]` and gives `vector`
    `[1, D]`; a `WordSense` the same, with `pooling_mask` `[1, n]`, `True` where its
    word stands or, of a gloss, wherever a token is real; a `TextClassifier` `classify`,
    which takes the same as an embedder, and `segment_ids` where an encoder of pairs
    knows them, and gives `logits` and `probabilities` `[1, num_classes]`; a
    `TokenTagger` `tag`, which takes the same two, and `marks` of the predicate's tokens
    if there is one, and gives `logits` `[1, n, num_labels]`; a `QuestionAnswerer`
    `extract`, which takes what a classifier of pairs takes and `context_mask` `[1, n]`,
    where an answer may begin or end, and gives `logits` `[1, n, 2]` of start and end:
    windows, and the choice of a span, are the caller's.

    A `ChatGenerator` has the signatures of a `TextGenerator`. Its prompt is a
    separator; for each turn the token of its role, of `role_ids` in `<stem>.json`,
    those of its content, and a separator; and the assistant's token.

    Args:
        pipeline: one of `pipelines`.
        path: str or path of the file, ending in `.tflite`.
        quantization: "float16" (half the size), "dynamic_int8" (a quarter to a third:
            weights of 8 bits, computed with 8-bit activations) or `None`, float32.
        overwrite: bool. Whether a file that is there may be replaced.

    Returns:
        `ExportReport`.

    Raises:
        TypeError: `pipeline` is none.
        ValueError: `quantization` is unknown, `path` does not end in `.tflite`, or the
            model cannot be exported.
        FileExistsError: the file is there, and `overwrite` is false.
        OSError: it cannot be written.
        ExportError: LiteRT cannot run a layer, or the file does not agree.
    """
    start = time.perf_counter()
    check_pipeline(pipeline)
    target = Path(path).absolute()
    _check_arguments(target, quantization, overwrite)
    with workshop(target.parent) as work:
        job, expected = hand_over(pipeline, work)
        finished = work / "finished"
        finished.mkdir()
        file = finished / target.name
        job |= {"format": "litert", "path": str(file), "quantization": quantization}
        run_worker(job, work)
        check = {**expected, "litert": str(file)}
        checked = run_checker(check, work, kind_of(pipeline).CHECKER)["litert"]
        refuse_difference(checked, quantization)
        place_files(finished, target.parent, last=target.name)
    return ExportReport(
        path=target,
        size_bytes=checked["size_bytes"],
        largest_difference=checked["largest_difference"],
        greedy_agreement=checked["greedy_agreement"],
        seconds=time.perf_counter() - start,
        quantization=quantization,
    )


def refuse_difference(checked: dict, quantization: str | None) -> None:
    """Refuses a file whose logits are not the model's.

    Args:
        checked: what `check_exports.py` says of it.
        quantization: of the file.

    Raises:
        ExportError: it is further, or not finite.
    """
    difference, tolerance = checked["largest_difference"], TOLERANCE
    if quantization is not None:
        tolerance = SPREADS[quantization] * checked["spread"]
    if not checked["finite"]:
        raise ExportError(
            "The LiteRT file must give finite logits. Received: some that are not"
        )
    if not difference <= tolerance:
        raise ExportError(
            f"The LiteRT file's logits must be within {tolerance:.3g} of the model's. "
            f"Received: a difference of {difference}"
        )


def _check_arguments(target, quantization, overwrite):
    if quantization not in (None, *SPREADS):
        raise ValueError(
            '`quantization` must be None, "float16" or "dynamic_int8". '
            f"Received: quantization={quantization!r}"
        )
    if target.suffix != ".tflite":
        raise ValueError(f"`path` must end in .tflite. Received: {target}")
    if target.is_dir():
        raise IsADirectoryError(f"`path` must be a file. Received: a folder, {target}")
    if target.exists() and not overwrite:
        raise FileExistsError(
            f"The target must not exist, or overwrite=True be given. Received: {target}"
        )
