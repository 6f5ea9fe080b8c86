"""How BLEU finds words where nobody said it: by the script of the text."""

import re
from collections.abc import Iterable

_CHINESE = re.compile(
    "[\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
# Kana, Thai, Lao, Burmese, Khmer: no spaces between words either.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff]")


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
    chinese = unspaced = letters = 0
    for text in texts:
        chinese += len(_CHINESE.findall(text))
        unspaced += len(_UNSPACED.findall(text))
        letters += sum(map(str.isalpha, text))
    if 2 * (chinese + unspaced) <= letters:
        return "13a"
    # Japanese has both.
    return "zh" if 10 * unspaced < chinese else "char"
