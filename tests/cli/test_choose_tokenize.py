"""choose_tokenize: words are split where the script has no spaces."""

import pytest

from keras_lm import training
from keras_lm.cli.choose_tokenize import choose_tokenize

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("texts", "chosen"),
    [
        ([], "13a"),
        (["", "123 🙂"], "13a"),
        (["The cat.", "Über Ödön"], "13a"),
        (["나는 학교에 갔다"], "13a"),  # Korean has spaces
        (["The Chinese for cat is 猫"], "13a"),
        (["我们学习中文。", "用 BERT 做分词"], "zh"),
        (["𠮷", "OK", "你好吗"], "zh"),
        (["私は猫が好きです。", "東京へ行く"], "char"),
        (["ฉันชอบแมว"], "char"),
    ],
)
def test_the_script_decides(texts, chosen):
    assert choose_tokenize(texts) == chosen


def test_a_chinese_sentence_that_is_nearly_right_is_worth_something():
    said, wanted = ["我们今天学习中文。"], ["我们今天学习英文。"]
    spaces = training.compare_texts(said, wanted, ["bleu"])["bleu"]
    words = choose_tokenize(wanted)

    chosen = training.compare_texts(said, wanted, ["bleu"], tokenize=words)["bleu"]

    assert spaces.value == 0
    assert chosen.value > 40
    assert "tok:zh" in chosen.signature
