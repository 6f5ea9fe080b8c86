"""How BLEU finds words where nobody said it: by the script of the text."""

import re
from collections.abc import Iterable

from keras_lm.text.unspaced_scripts import CHINESE, OTHERS

_CHINESE = re.compile(f"[{CHINESE}]")
_OTHERS = re.compile(f"[{OTHERS}]")


def choose_tokenize(texts: Iterable[str]) -> str:
    """The `tokenize` of `training.compare_texts` that finds words in these texts.

    "13a" splits at spaces: a Chinese sentence would be one word, right or wrong, and a
    good translation gets 0.

    Args:
        texts: references.

    Returns:
        "zh" where most letters are Chinese characters, "char" where most are of
        another script without spaces, else "13a".

    Example:
        >>> choose_tokenize(["我们学习中文", "Yes"]), choose_tokenize(["a 中"])
        ('zh', '13a')
    """
    chinese = others = letters = 0
    for text in texts:
        chinese += len(_CHINESE.findall(text))
        others += len(_OTHERS.findall(text))
        letters += sum(map(str.isalpha, text))
    if 2 * (chinese + others) <= letters:
        return "13a"
    # Japanese has both.
    return "zh" if 10 * others < chinese else "char"
