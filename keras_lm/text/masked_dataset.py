"""Texts to batches for masked language modelling."""

from keras_lm.text.fresh_batches import fresh_batches
from keras_lm.text.masked_rows import MaskedRows


def masked_dataset(
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
    """Batches of texts with hidden words and of what they were, for `model.fit`.

    A row is a text as an encoder reads it: `[CLS]`, if the tokenizer has one, tokens,
    separator, padding; longer texts are cut into rows. The words to hide are chosen
    anew in each pass (dynamic masking), from `seed`, the number of the pass and that
    of the batch only: see `language_model_dataset` for `repeat` and for going on in
    another process.

    Shapes: `B` `batch_size`, `T` `sequence_length`, `P` the most tokens that are ever
    hidden in a row.

    Args:
        texts: sequence of str or UTF-8 bytes. Empty ones are left out.
        masking: `WordMasking`; its tokenizer is used.
        sequence_length: int. Tokens of a row, special ones included.
        batch_size: int, at least 1.
        shuffle: bool. `False` keeps the order of the texts.
        seed: int, 0 or above.
        drop_remainder: bool. `True` drops the rows that fill no batch, of each pass
            others. `False` makes the last batch smaller.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, labels, weights)`: a
        dictionary of `token_ids`, int32, and `padding_mask`, bool, `(B, T)`, and of
        `masked_positions`, int32 `(B, P)`, as `models.MaskedLanguageModel` takes them;
        int32 `(B, P)`, the tokens that were there; and float32 `(B, P)`, 1 for a hidden
        token and 0 where a row has fewer than `P`.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: a number is out of range, or the texts are empty or too few.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> masking = keras_lm.text.WordMasking(tokenizer.with_special_tokens())
        >>> dataset = keras_lm.text.masked_dataset(["one two one"] * 9, masking, 6, 2)
        >>> inputs, labels, weights = next(iter(dataset))
        >>> tuple(inputs["token_ids"].shape), labels.shape == weights.shape
        ((2, 6), True)
    """
    rows = MaskedRows(texts, masking, sequence_length)
    return fresh_batches(
        rows,
        len(rows),
        batch_size,
        shuffle=shuffle,
        seed=seed,
        drop_remainder=drop_remainder,
        repeat=repeat,
    )
