"""A pipeline as a CTranslate2 model."""

import importlib.util
import time
from pathlib import Path

import numpy as np

from keras_lm.export.ctranslate2_answers import answers_of
from keras_lm.export.ctranslate2_settings import settings_of
from keras_lm.export.ctranslate2_weights import weights_of
from keras_lm.export.export_error import ExportError
from keras_lm.export.export_report import ExportReport
from keras_lm.export.hand_over import in_float32
from keras_lm.export.process import run_script
from keras_lm.export.target import workshop
from keras_lm.files import complete_folder
from keras_lm.pipelines import TextToText
from keras_lm.pipelines.save_pipeline import tokenizer_names

WORKER = Path(__file__).with_name("ctranslate2_worker.py")
# How far a log-likelihood may be from the model's, nats per token: as it is, or, by the
# bits of quantised weights, in standard deviations of the logits of one position.
# (Measured on a trained decoder of 4 layers: 9e-7 nats; 1e-4 and 0.03 deviations.)
TOLERANCE = 1e-3
SPREADS = {"float16": 0.01, "int8": 0.5, "int8_float16": 0.5}


def export_ctranslate2(
    pipeline, path, quantization: str | None = None, overwrite: bool = False
) -> ExportReport:
    r"""Writes a directory that CTranslate2 loads, with the SentencePiece models.

    A `TextToText` with a `models.TransformerEncoderDecoder` becomes a `Translator`, a
    `TextGenerator` with a `models.TransformerDecoder` a `Generator`. A process with
    nothing of keras_lm writes the model by CTranslate2's own specification and runs it:
    it must greedily answer as the model does and give texts the log-likelihoods that
    the model gives them. Only then does the directory take its name.

    In the directory are `model.bin`, `config.json`, the vocabularies and
    `source_tokenizer.model` and `target_tokenizer.model`, or `tokenizer.model`:

        translator = ctranslate2.Translator(path)
        source, target = (
            sentencepiece.SentencePieceProcessor(model_file=f"{path}/{one}.model")
            for one in ("source_tokenizer", "target_tokenizer"))
        found = translator.translate_batch(
            [source.encode("Guten Tag", out_type=str)], beam_size=1,
            min_decoding_length=0, max_decoding_length=128, max_input_length=0)
        target.decode(found[0].hypotheses[0])

        generator = ctranslate2.Generator(path)
        prompt = ["</s>", *tokenizer.encode("Once upon", out_type=str)]
        found = generator.generate_batch(
            [prompt], max_length=64, include_prompt_in_result=False)
        tokenizer.decode(found[0].sequences[0])

    The separator, "</s>", is added to a source and begins its answer by itself; before
    a generator's prompt it must stand. A prompt of nothing else goes in a batch of its
    own: CTranslate2 4.8.5 gives back prompts as answers where one of them has a single
    token. Write U+2581 in a text as "\x1b1" and ESC as "\x1b0", as the tokenizers do.

    A `Translator` does not cut long texts into slices, and with rotary positions nobody
    stops at `max_sequence_length`. Its beams divide scores by the length to the power
    of `length_penalty`; `generation.beam_search` divides as GNMT does.

    CTranslate2 runs multi-head attention, with grouped queries and heads of any width;
    rotary, learned, sinusoidal or no positions; normalisation first or last; plain or
    gated feed-forward networks with ReLU, SiLU, GELU (exact, or `layers.gelu_tanh`) or
    tanh; `qk_norm` in a decoder alone.
    Refused are other attention layers, `soft_cap`, values of another width than keys,
    and blocks that differ in such settings.

    Args:
        pipeline: `pipelines.TextToText` or `pipelines.TextGenerator`.
        path: str or path of the directory to be.
        quantization: of the weights: "int8", "float16", "int8_float16" or `None`,
            float32. What a processor cannot compute it computes in float32.
        overwrite: bool. Whether a directory that is there may be replaced.

    Returns:
        `ExportReport`; `largest_difference` is in nats per token.

    Raises:
        TypeError: `pipeline` is none.
        ValueError: `quantization` is unknown, or the model cannot be exported.
        ImportError: CTranslate2 is not installed (the extra `ctranslate2`).
        FileExistsError: the directory is there, and `overwrite` is false.
        OSError: it cannot be written.
        ExportError: CTranslate2 cannot express the model, or does not answer as it
            does. Log-likelihoods may differ by 0.001 nats per token, or, in standard
            deviations of the logits, by 0.01 with weights of 16 bits and by 0.5 with
            weights of 8. Answers must be the same in float32.
    """
    start = time.perf_counter()
    if quantization not in (None, *SPREADS):
        raise ValueError(
            f"`quantization` must be None or one of {sorted(SPREADS)}. "
            f"Received: quantization={quantization!r}"
        )
    settings = settings_of(pipeline)
    _need_ctranslate2()
    target = Path(path).absolute()
    with workshop(target.parent) as work, complete_folder(target, overwrite) as folder:
        job = _hand_over(in_float32(pipeline), settings, folder, work)
        job["quantization"] = quantization
        checked = run_script(job, work, WORKER)
        agreement = refuse_difference(checked, job["expected"], quantization)
    return ExportReport(
        path=target,
        size_bytes=checked["size_bytes"],
        largest_difference=_difference(checked, job["expected"]),
        greedy_agreement=agreement,
        seconds=time.perf_counter() - start,
        quantization=quantization,
    )


def refuse_difference(checked: dict, expected: dict, quantization: str | None) -> float:
    """Compares what CTranslate2 answered with what the model does.

    Args:
        checked: what `ctranslate2_worker.py` says.
        expected: what `answers_of` says.
        quantization: of the weights.

    Returns:
        float, the share of equal answers. Where one differs in float32, the model's two
        best tokens were as good as equal.

    Raises:
        ExportError: it does not agree.
    """
    difference, tolerance = _difference(checked, expected), TOLERANCE
    if quantization is not None:
        tolerance = SPREADS[quantization] * expected["spread"]
    if not difference <= tolerance:  # also where it is no number
        raise ExportError(
            f"CTranslate2 must agree with the model to {tolerance:.3g} nats per token. "
            f"Received: a difference of {difference}"
        )
    answers = zip(checked["greedy"], expected["greedy"], expected["margins"])
    for answer, wanted, margin in answers:
        if answer != wanted and margin > tolerance and quantization is None:
            raise ExportError(
                "CTranslate2 must answer as the model does. Received: the token ids "
                f"{answer}, where the model says {wanted}"
            )
    equal = [one == other for one, other in zip(checked["greedy"], expected["greedy"])]
    return float(np.mean(equal))


def _difference(checked, expected):
    """The largest of a log-likelihood, nats per token."""
    ours, theirs = expected["log_likelihoods"], checked["log_likelihoods"]
    counts = np.maximum(expected["num_tokens"], 1)
    return float(np.max(np.abs(np.subtract(ours, theirs)) / counts))


def _hand_over(pipeline, settings, folder, work):
    """What the worker is given; tokenizers and weights in files."""
    names = tokenizer_names(type(pipeline))
    for name in names:
        getattr(pipeline, name).save(folder / f"{name}.model")
    longest = pipeline.max_source_length if isinstance(pipeline, TextToText) else 0
    weights = weights_of(pipeline.model, longest)
    np.savez(work / "weights.npz", allow_pickle=False, **weights)
    return {
        "path": str(folder),
        "weights": str(work / "weights.npz"),
        "settings": settings,
        "tokenizers": [f"{name}.model" for name in names],
        "expected": answers_of(pipeline, work),
    }


def _need_ctranslate2():
    if importlib.util.find_spec("ctranslate2") is None:
        raise ImportError(
            "export_ctranslate2 needs the extra `ctranslate2`: pip install "
            "'keras-lm[ctranslate2]'. Received: an installation without ctranslate2"
        )
