"""What the model itself answers: what its CTranslate2 twin is held to."""

import numpy as np

from keras_lm import generation
from keras_lm.export import reference
from keras_lm.pipelines import TextToText
from keras_lm.text import teacher_forcing, unicode


def answers_of(pipeline, work) -> dict:
    """Texts, what the model greedily says to each, and log-likelihoods.

    Args:
        pipeline: `TextGenerator` or `TextToText`, in float32.
        work: folder for a file.

    Returns:
        dict of plain Python: `texts` (bytes that are no UTF-8 stand as lone
        surrogates); `escapes`; `max_new_tokens`; `greedy`, the token ids that follow
        each text, without the separator; `margins`, the least lead of one of these over
        the next best; `scored`, the token ids of a text or of a source and a target;
        `log_likelihoods` of these, nats; `num_tokens` that each sums over; and
        `spread`, the mean standard deviation of the logits of a position.

    Raises:
        ValueError: no text fits the model, or its logits are not finite.
    """
    limit = min(pipeline.max_new_tokens, reference.FOLLOWED)
    answers = _pairs if isinstance(pipeline, TextToText) else _continuations
    return {
        "max_new_tokens": limit,
        "escapes": unicode.ESCAPES,
        **answers(pipeline, limit, work),
    }


def _continuations(pipeline, limit, work):
    answers = reference.reference(pipeline, work)
    separator = pipeline.tokenizer.separator_id
    rows = list(zip(answers["token_ids"], answers["prompt_lengths"]))
    logits = np.load(answers["logits_path"])
    return {
        "texts": answers["prompts"],
        "greedy": [_until(separator, row[length:][:limit]) for row, length in rows],
        "margins": answers["margins"],
        "scored": [[row[1:length]] for row, length in rows],
        "log_likelihoods": answers["log_likelihoods"],
        "num_tokens": answers["num_tokens"],
        "spread": float(logits.std(axis=-1).mean()),
    }


def _pairs(pipeline, limit, work):
    """Of each text: what is said to it, and the score of that and of another text."""
    probes = [text.encode("utf-8", "surrogateescape") for text in reference.PROBES]
    encoded = pipeline.source_tokenizer.encode(probes)
    room = pipeline.max_source_length - 1
    kept = [i for i, row in enumerate(encoded) if len(row) <= room]
    sources = [encoded[i] for i in kept]
    room = pipeline.model.max_sequence_length - 1
    targets = [row[:room] for row in pipeline.target_tokenizer.encode(probes)]
    greedy = _greedy(pipeline, sources, limit)
    # The empty text has the empty answer, whatever the model would say.
    asked = [i for i, row in enumerate(sources) if row]
    if not asked:
        raise ValueError(
            "A text must fit the pipeline to be exported. Received: "
            f"max_source_length={pipeline.max_source_length}"
        )
    pairs = [(sources[i], greedy[i]) for i in asked]
    pairs += [(sources[i], targets[kept[i] - 1]) for i in asked]
    nats, leads, spread = _nats(pipeline, pairs)
    margins = np.full(len(sources), np.inf)
    for place, i in enumerate(asked):
        # Where the answer was cut, the separator behind it was not the model's choice.
        margins[i] = leads[place][: min(len(greedy[i]) + 1, limit)].min()
    return {
        "texts": [reference.PROBES[i] for i in kept],
        "greedy": greedy,
        "margins": margins.tolist(),
        "scored": [[list(source), list(target)] for source, target in pairs],
        "log_likelihoods": nats,
        "num_tokens": [len(target) + 1 for _, target in pairs],
        "spread": spread,
    }


def _greedy(pipeline, sources, limit):
    start = pipeline.target_tokenizer.separator_id
    end = pipeline.source_tokenizer.separator_id
    found = generation.beam_search(
        pipeline.model,
        [[*row, end] for row in sources],
        start,
        beam_size=1,
        max_new_tokens=limit,
        stop_token_ids=[start],
    )
    rows = found.token_ids[:, 0].tolist()
    return [_until(start, row) if source else [] for source, row in zip(sources, rows)]


def _nats(pipeline, pairs):
    """Log-likelihoods of the targets, leads of the likeliest tokens, logits' spread."""
    sources, targets = zip(*pairs)
    inputs, labels, weights = teacher_forcing(
        sources, targets, pipeline.source_tokenizer, pipeline.target_tokenizer
    )
    logits = pipeline.model.predict_on_batch(inputs)
    logits = np.asarray(logits, "float64")  # (B, T, V)
    if not np.isfinite(logits).all():
        raise ValueError(
            "The model's logits must be finite to be exported. Received: "
            f"{np.count_nonzero(~np.isfinite(logits))} that are not"
        )
    logits -= logits.max(axis=-1, keepdims=True)
    chosen = np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    nats = chosen - np.log(np.exp(logits).sum(axis=-1))
    best = np.sort(logits, axis=-1)[..., -2:]
    spread = float(logits.std(axis=-1).mean())
    return (nats * weights).sum(axis=1).tolist(), best[..., 1] - best[..., 0], spread


def _until(stop, tokens):
    """The tokens before the first stop token."""
    return tokens[: tokens.index(stop)] if stop in tokens else tokens
