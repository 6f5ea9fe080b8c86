"""Log-likelihoods of targets, given their sources."""

import numpy as np

from keras_lm.generation import batches_by_length
from keras_lm.generation.generate import bucket
from keras_lm.pipelines.search_rows import fill_batch
from keras_lm.pipelines.sum_log_likelihoods import sum_log_likelihoods
from keras_lm.text import teacher_forcing


def score_pairs(
    model,
    sources,
    targets,
    source_tokenizer,
    target_tokenizer,
    max_source_length: int,
    max_batch_tokens: int,
) -> np.ndarray:
    """How likely a model finds each target, the separator at its end included.

    Args:
        model: an encoder-decoder, called with a dictionary of arrays.
        sources: lists of token ids, without special tokens.
        targets: as many of these.
        source_tokenizer: has `separator_id` and `padding_id`.
        target_tokenizer: the same.
        max_source_length: int. Most tokens of a source, its separator included.
        max_batch_tokens: int. Target tokens of a batch, padding included.

    Returns:
        float32 `(len(targets),)`: nats, at most 0.

    Raises:
        ValueError: there are not as many sources as targets, or one is too long.
    """
    if len(sources) != len(targets):
        raise ValueError(
            "There must be as many sources as targets. "
            f"Received: {len(sources)} sources and {len(targets)} targets"
        )
    limits = (max_source_length, model.max_sequence_length)
    for name, rows, limit in zip(
        ("source", "target"), (sources, targets), limits, strict=True
    ):
        longest = max(map(len, rows), default=0) + 1
        if longest > limit:
            raise ValueError(
                f"A {name} must have at most {limit} tokens, its separator included. "
                f"Received: {longest} tokens"
            )
    batches, order = batches_by_length(
        [[0, *target] for target in targets], max_batch_tokens
    )
    scores = [np.zeros((0,), "float32")]
    for batch in batches:
        width = bucket(len(targets[batch[0]]) + 1)
        filled = fill_batch(batch, max_batch_tokens // width)
        some_sources = [sources[i] for i in filled]
        some_targets = [targets[i] for i in filled]
        longest = max(map(len, some_sources)) + 1
        widths = (min(bucket(longest), limits[0]), min(width, limits[1]))
        inputs, labels, weights = teacher_forcing(
            some_sources, some_targets, source_tokenizer, target_tokenizer, widths
        )
        logits = model.predict_on_batch(inputs)
        nats = sum_log_likelihoods(logits, labels, weights > 0)
        scores.append(nats[: len(batch)])
    return np.concatenate(scores)[order]
