"""A pipeline as a SavedModel that takes and gives strings."""

import time
from pathlib import Path

from keras_lm.export.export_report import ExportReport
from keras_lm.export.graph_texts import differences
from keras_lm.export.hand_over import check_pipeline, hand_over
from keras_lm.export.kinds import kind_of
from keras_lm.export.process import run_checker, run_worker
from keras_lm.export.target import place_version, version_exists, workshop


def export_saved_model(pipeline, path, version: int | None = None) -> ExportReport:
    """Writes `path/<version>/`, as TensorFlow Serving reads it.

    Whatever backend the pipeline runs on, a TensorFlow process of its own writes the
    SavedModel, a second one runs it without keras_lm, and what it answers is compared
    with the pipeline. Only then does the folder take its name. The signatures of a
    `TextGenerator`:

        serving_default   text (B,) -> generated_text (B,), greedily, up to the
                          pipeline's own `max_new_tokens`
        generate          text (B,), max_new_tokens (), temperature () (0 = greedy),
                          seed () -> generated_text (B,), num_new_tokens (B,)
        score             text (B,) -> log_likelihood (B,), nats; num_tokens (B,)

    of a `ChatGenerator`, whose turns are of the roles "system", "user" and "assistant",
    both strings "" behind the end of a conversation that is shorter than others:

        serving_default   role (B, N), content (B, N) -> reply (B,), greedily
        generate          role, content, max_new_tokens (), temperature (), seed () ->
                          reply (B,), num_new_tokens (B,)
        score             role, content -> log_likelihood (B,) of the last turn, given
                          those before; num_tokens (B,)

    of a `TextToText`, which answers by a beam search of 4 inside the graph:

        serving_default   text (B,) -> answer (B,), score (B,), finished (B,), False
                          where it was cut off at the pipeline's own `max_new_tokens`
        n_best            text (B,), max_new_tokens () -> answers (B, 4), best first,
                          scores (B, 4), -inf where there was no other, finished (B, 4)
        score             text (B,), answer (B,) -> log_likelihood (B,), nats;
                          num_tokens (B,)

    of a `TextEmbedder`:

        serving_default   text (B,) -> vector (B, D), of length 1

    of a `WordSense`, of the word between `[[` and `]]`, or of a text without, a gloss:

        serving_default   text (B,) -> vector (B, D), of length 1; a word has the sense
                          whose gloss gives the largest product, but the first sense of
                          its list unless another leads by the pipeline's `lead`

    of a `TextClassifier`:

        serving_default   text (B,) and, of pairs, text_pair (B,) -> label (B,), the
                          likeliest; labels (B, num_classes), the names of all, and
                          scores (B, num_classes), their probabilities; only these two
                          of a `multi_label` one, whose likeliest may be unlikely

    of a `TokenTagger`, which keeps to BIO by Viterbi's algorithm inside the graph:

        serving_default   text (B,) and, of predicates, predicate (B,), int32, the place
                          of a word -> words (B, W), labels (B, W), "" behind the end of
                          a text, scores (B, W), probabilities of these labels, 0 there

    of a `QuestionAnswerer`:

        serving_default   question (B,), context (B,) -> answer (B,), "" where there is
                          none; start and end (B,), characters of the context, -1 where
                          there is none; score (B,), how likely this is
        best              question (B,), context (B,) -> the same of the likeliest span,
                          whatever the pipeline's `threshold`

    and of a `StreamClassifier`:

        serving_default   each stream by its name: an image or a sound as float32, a
                          text (B,); and `<name>_present` (B,), bool -> label (B,),
                          labels and scores (B, num_classes), as of a `TextClassifier`

    The tokenizer is inside, as tensorflow-text ops: import tensorflow_text before
    loading. Its tokens are the pipeline's for every text; but in BERT's, the name of a
    special token in a text, as "[SEP]", is text there, and in the pipeline that token
    (the report's `notes` say so). A model in half precision is written in float32. A
    context is read in windows, as the pipeline reads it; any other text that is longer
    than the model, which a `TextToText` cuts into slices, is an error here that says
    so.

    Args:
        pipeline: one of `pipelines`.
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
    kind = kind_of(pipeline)
    folder = Path(path).absolute()
    _check_version(version, folder)
    with workshop(folder) as work:
        job, expected = hand_over(pipeline, work)
        finished = work / "saved_model"
        run_worker({**job, "format": "saved_model", "path": str(finished)}, work)
        check = {**expected, "saved_model": str(finished)}
        checked = run_checker(check, work, kind.CHECKER)["saved_model"]
        agreement = kind.refuse(checked, expected)
        target = place_version(finished, folder, version)
    return ExportReport(
        path=target,
        size_bytes=checked["size_bytes"],
        largest_difference=checked["largest_difference"],
        greedy_agreement=agreement,
        seconds=time.perf_counter() - start,
        notes=differences(pipeline),
    )


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
