"""Texts to batches for an encoder-decoder that mends them."""

from keras_lm.text.fresh_batches import fresh_batches
from keras_lm.text.teacher_forcing import teacher_forcing
from keras_lm.text.text_rows import text_rows


def denoising_dataset(
    texts,
    corruption,
    sequence_length: int,
    batch_size: int,
    *,
    shuffle: bool = True,
    seed: int = 0,
    drop_remainder: bool = True,
    repeat: bool = False,
):
    """Batches of texts with gaps and of what fills them, for `model.fit`.

    A row is a text, or a part of one that is longer. It is corrupted anew in each pass
    (dynamic masking), from `seed`, the number of the pass and that of the batch only,
    and set up by `teacher_forcing`: see `language_model_dataset` for `repeat` and for
    going on in another process. All batches have one shape.

    Shapes: `B` `batch_size`, `S` the longest source and `T` the longest target that
    there can be, each with its separator; `S` is at most `sequence_length`.

    Args:
        texts: sequence of str or UTF-8 bytes. Empty ones are left out.
        corruption: `SpanDenoising` or `TextInfilling`; its tokenizer is used.
        sequence_length: int. Most tokens of a text, its separator included.
        batch_size: int, at least 1.
        shuffle: bool. `False` keeps the order of the texts.
        seed: int, 0 or above.
        drop_remainder: bool. `True` drops the rows that fill no batch, of each pass
            others. `False` makes the last batch smaller.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, labels, weights)` as
        `teacher_forcing` gives them.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: a number is out of range, the texts are empty or too few, or the
            tokenizer has too few sentinels.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> infilling = keras_lm.text.TextInfilling(tokenizer.with_special_tokens())
        >>> dataset = keras_lm.text.denoising_dataset(["one two"] * 9, infilling, 7, 2)
        >>> inputs, labels, weights = next(iter(dataset))
        >>> inputs["decoder_token_ids"].shape == labels.shape == weights.shape
        True
    """
    tokenizer = corruption.tokenizer
    rows = text_rows(texts, tokenizer, sequence_length - 1)
    source, target = corruption.widths(max(map(len, rows)))
    widths = (source + 1, target + 1)

    def make_batch(rng, numbers):
        pairs = [corruption(rows[number], rng) for number in numbers]
        sources, targets = zip(*pairs, strict=True)
        return teacher_forcing(sources, targets, tokenizer, tokenizer, widths)

    return fresh_batches(
        make_batch,
        len(rows),
        batch_size,
        shuffle=shuffle,
        seed=seed,
        drop_remainder=drop_remainder,
        repeat=repeat,
    )
