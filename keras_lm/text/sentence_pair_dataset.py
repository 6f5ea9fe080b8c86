"""Texts to batches for sentence-order and next-sentence prediction."""

from collections.abc import Callable

from keras_lm.text.fresh_batches import fresh_batches
from keras_lm.text.sentence_pairs import SentencePairs


def sentence_pair_dataset(
    texts,
    tokenizer,
    kind: str,
    sequence_length: int,
    batch_size: int,
    *,
    shuffle: bool = True,
    seed: int = 0,
    drop_remainder: bool = True,
    repeat: bool = False,
    notify: Callable[[str], object] = print,
    masking=None,
):
    """Batches of two segments, and whether the second follows the first, for `fit`.

    A pair is set up as a classifier reads it: `[CLS]`, if the tokenizer has one, first
    segment, separator, second segment, separator, padding. Half of the pairs are two
    parts of one text in their order. For `"order"` (ALBERT) the others are the same
    parts exchanged, for `"next"` (BERT) the second is of another text. Where a text is
    cut and which pairs are wrong is drawn anew in each pass, from `seed`, the number of
    the pass and that of the batch only: see `language_model_dataset` for `repeat` and
    for going on in another process. (Pairs of your own, with labels of your own, are
    for `classification_dataset`.)

    With `masking`, words of the pairs are hidden too, for a `MaskedLanguageModel` that
    judges pairs: both papers train on the two losses together. Alone, the judgement
    teaches an encoder little else.

    Shapes: `B` `batch_size`, `T` `sequence_length`, `P` the most tokens that are ever
    hidden in a pair of one text.

    Args:
        texts: sequence of str or UTF-8 bytes. What is between two sentences is found by
            `split_sentences`; texts of one sentence are left out.
        tokenizer: a `SentencePieceTokenizer`, or a `HuggingFaceTokenizer` of BERT's
            kind.
        kind: "order" or "next".
        sequence_length: int. Tokens of a pair, special ones included. Texts that are
            longer give several pairs.
        batch_size: int, at least 1.
        shuffle: bool. `False` keeps the order of the texts.
        seed: int, 0 or above.
        drop_remainder: bool. `True` drops the rows that fill no batch, of each pass
            others. `False` makes the last batch smaller.
        repeat: bool. `True` gives endless passes, for `fit(steps_per_epoch=...)`.
        notify: function of one string; is told how much is left out.
        masking: `WordMasking` of this tokenizer, or `None`.

    Returns:
        `tf.data.Dataset`, its cardinality known, of `(inputs, labels)`: a dictionary of
        `token_ids`, int32, `padding_mask`, bool, and `segment_ids`, int32, 1 for the
        second segment and the separator behind it, all `(B, T)`; and int32 `(B,)`, 1
        for a pair that is right and 0 for another. With `masking`, of `(inputs, labels,
        weights)`: the inputs have `masked_positions`, int32 `(B, P)`, too; labels and
        weights are dictionaries of `tokens`, int32 and float32 `(B, P)`, as
        `masked_dataset` gives them, and of `pairs`, int32 and float32 `(B,)`, the
        labels above and ones.

    Raises:
        TypeError: a text is neither str nor bytes.
        ValueError: `kind` is unknown, a number is out of range, or there are too few
            sentences or texts.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> dataset = keras_lm.text.sentence_pair_dataset(
        ...     ["One two. Two one."] * 9, tokenizer, "order", 30, batch_size=2)
        >>> inputs, labels = next(iter(dataset))
        >>> tuple(inputs["segment_ids"].shape), tuple(labels.shape)
        ((2, 30), (2,))

    Source: https://arxiv.org/abs/1909.11942, section 3.1; https://arxiv.org/abs/1810.04805,
        section 3.1.
    """
    pairs = SentencePairs(texts, tokenizer, kind, sequence_length, notify, masking)
    return fresh_batches(
        pairs,
        len(pairs),
        batch_size,
        shuffle=shuffle,
        seed=seed,
        drop_remainder=drop_remainder,
        repeat=repeat,
    )
