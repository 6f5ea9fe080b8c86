"""Texts to batches for replaced-token detection."""

from keras_lm.text.fresh_batches import fresh_batches
from keras_lm.text.masked_rows import MaskedRows


def replaced_token_dataset(
    texts,
    masking,
    sequence_length: int,
    batch_size: int,
    *,
    shuffle: bool = True,
    seed: int = 0,
    drop_remainder: bool = True,
    repeat: bool = False,
):
    """Batches as `masked_dataset` makes them, for a generator and a discriminator.

    Beside what is hidden there is `guess_noise`, a number between 0 and 1 for each
    guess: the generator's replacements are drawn with it, so that they too depend on
    the seed and are the same on every backend.

    Shapes: `B` `batch_size`, `T` `sequence_length`, `P` the most tokens that are ever
    hidden in a row.

    Args:
        texts: sequence of str or UTF-8 bytes. Empty ones are left out.
        masking: `WordMasking` with `masked=1.0, random=0.0`; its tokenizer is used.
        sequence_length: int. Tokens of a row, special ones included.
        batch_size: int, at least 1.
        shuffle: bool. `False` keeps the order of the texts.
        seed: int, 0 or above.
        drop_remainder: bool. `True` drops the rows that fill no batch, of each pass
            others. `False` makes the last batch smaller.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, labels, weights)`, all
        dictionaries: what `models.ReplacedTokenDetector` takes; of `guesses`, int32
        `(B, P)`, the tokens that were hidden, and `detections`, int32 `(B, T)`, the
        text as it was; and their weights, float32, 1 for what counts.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: a number is out of range, the texts are empty or too few, or the
            masking leaves a chosen token or draws another.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> masking = keras_lm.text.WordMasking(
        ...     tokenizer.with_special_tokens(), masked=1.0, random=0.0)
        >>> texts = ["one two"] * 9
        >>> dataset = keras_lm.text.replaced_token_dataset(texts, masking, 6, 2)
        >>> inputs, labels, weights = next(iter(dataset))
        >>> tuple(labels["detections"].shape)
        (2, 6)

    Source: https://arxiv.org/abs/2003.10555, section 2.
    """
    if masking.masked != 1:
        raise ValueError(
            "`masking` must put the mask token at every chosen place: `masked=1.0, "
            f"random=0.0`. Received: masked={masking.masked}"
        )
    rows = MaskedRows(texts, masking, sequence_length)

    def make_batch(rng, numbers):
        inputs, hidden, weights = rows(rng, numbers)
        noise = rng.random(hidden.shape, "float32")
        real = inputs["padding_mask"].astype("float32")
        labels = {"guesses": hidden, "detections": rows.token_ids[numbers]}
        weights = {"guesses": weights, "detections": real}
        return {**inputs, "guess_noise": noise}, labels, weights

    return fresh_batches(
        make_batch,
        len(rows),
        batch_size,
        shuffle=shuffle,
        seed=seed,
        drop_remainder=drop_remainder,
        repeat=repeat,
    )
