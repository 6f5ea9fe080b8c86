"""compare_texts: sacrebleu's and rouge-score's numbers, all scripts, errors."""

import sys

import pytest
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

from keras_lm.training import compare_texts

pytestmark = pytest.mark.once
HYPOTHESES = ["The cat sat on the mat.", "a dog, it_ran home in 3.5 hours", ""]
REFERENCES = ["The cat sat on a mat!", "The dog ran home in 3.5 hours", "Nothing."]


def test_rouge_by_hand():
    # 3 of 4 words and of 5; 1 of 3 pairs and of 4; "a b" and "d" in this order.
    found = compare_texts(["a b c d"], ["a b d e f"], ["rouge"])

    assert list(found) == ["rouge1", "rouge2", "rougeL"]
    expected = [2 * 3 / 9, 2 * 1 / 7, 2 * 3 / 9]
    values = [metric.value / 100 for metric in found.values()]
    assert values == pytest.approx(expected)


def test_numbers_are_sacrebleus_with_its_signature():
    for options in ({}, {"lowercase": True, "tokenize": "char"}):
        found = compare_texts(HYPOTHESES, REFERENCES, ["bleu", "chrf"], **options)

        bleu = BLEU(**options)
        lowercase = options.get("lowercase", False)
        expected = {"bleu": bleu, "chrf": CHRF(lowercase=lowercase)}
        for name, metric in expected.items():
            value = metric.corpus_score(HYPOTHESES, [REFERENCES]).score
            assert 0 < value < 100
            assert found[name] == (value, str(metric.get_signature()))
        assert "nrefs:1" in found["bleu"].signature


def test_rouge_of_english_is_rouge_scores():
    names = ["rouge1", "rouge2", "rougeL"]
    theirs = RougeScorer(names)
    scores = [theirs.score(r, h) for h, r in zip(HYPOTHESES, REFERENCES, strict=True)]

    found = compare_texts(HYPOTHESES, REFERENCES, ["rouge"])

    for name in names:
        mean = sum(score[name].fmeasure for score in scores) / 3
        assert found[name].value == pytest.approx(100 * mean)


def test_chinese_counts_by_character_and_accents_are_letters():
    # 3 of 4 characters; rouge-score alone would find no word at all.
    found = compare_texts(["中文分词"], ["中文句词"], ["rouge"])
    assert found["rouge1"].value == pytest.approx(75)
    found = compare_texts(["naïve été"], ["NAÏVE ete"], ["rouge"])
    assert found["rouge1"].value == pytest.approx(50)

    texts = ["我们喜欢学习中文。", "今天天气很好。"]
    assert compare_texts(texts, texts, ["bleu"], tokenize="zh")["bleu"].value > 99.9
    assert compare_texts(texts, texts, ["bleu"])["bleu"].value < 99


@pytest.mark.parametrize(
    ("hypothesis", "reference", "words", "pairs"),
    [
        # Marks are no words' ends: Hindi, a joiner, Yoruba, Arabic.
        ("कि", "का", 0, 0),
        ("नमस्ते दुनिया", "नमस्ते भारत", 1 / 2, 0),
        ("क\u094d\u200dष क", "क\u094d\u200dष", 2 / 3, 0),
        ("ọ\u0300rọ\u0300", "ọrọ", 0, 0),
        ("مُحَمَّد", "محمد", 0, 0),
        ("cafe\u0301 E\u0301te\u0301", "caf\u00e9 \u00e9t\u00e9", 1, 1),
        ("e\u0301", "e", 0, 0),
        # No spaces: 6 of 8 letters with their marks, and 4 of 7 pairs.
        ("ฉันชอบแมว", "ฉันชอบหมา", 6 / 8, 4 / 7),
        ("か\u3099く", "がく", 1, 1),
        ("人々", "人", 2 / 3, 0),
        ("我a\u0301b喜", "我áb", 4 / 5, 2 / 3),
        # What is no letter is no word, nor what stands on it.
        ("I ❤\ufe0f🙂 👩\u200d👧 you・", "i you", 1, 1),
        ("❤\ufe0f", "❤\ufe0f", 0, 0),
        ("", "", 0, 0),
    ],
)
def test_rouge_counts_letters_with_what_stands_on_them(
    hypothesis, reference, words, pairs
):
    found = compare_texts([hypothesis], [reference], ["rouge"])

    assert found["rouge1"].value == pytest.approx(100 * words)
    assert found["rouge2"].value == pytest.approx(100 * pairs)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((["a"], []), ValueError, "at least one. Received: 1 hypotheses and 0 refer"),
        (([], []), ValueError, "as many hypotheses as references, at least one"),
        (("a", ["a"]), TypeError, "`hypotheses` must be a list. Received: 'a'"),
        ((["a"], "a"), TypeError, "`references` must be a list. Received: 'a'"),
        ((["a"], None), TypeError, "`references` must be a list. Received: None"),
        ((["a"], ["a"], ["meteor"]), ValueError, "`metrics` must be a list of names"),
        ((["a"], ["a"], "bleu"), ValueError, "`metrics` must be a list of names"),
        ((["a"], ["a"], []), ValueError, "`metrics` must be a list of names"),
        ((["a"], ["a"], ["bleu"], False, "spm"), ValueError, "`tokenize` must be one"),
    ],
)
def test_what_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        compare_texts(*arguments)


@pytest.mark.parametrize(
    ("module", "metric", "package"),
    [
        ("sacrebleu.metrics.bleu", "bleu", "sacrebleu"),
        ("rouge_score.rouge_scorer", "rouge", "rouge-score"),
    ],
)
def test_a_package_that_is_missing_is_named(monkeypatch, module, metric, package):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"keras-lm\[evaluate\].*without {package}"):
        compare_texts(["a"], ["a"], [metric])
