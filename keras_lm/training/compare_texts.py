"""How near texts are to their references: BLEU, chrF and ROUGE of a whole corpus."""

import re
from collections.abc import Sequence
from importlib import metadata
from typing import NamedTuple

from keras_lm.text.check_lists import check_lists
from keras_lm.text.unspaced_scripts import UNSPACED
from keras_lm.training.match_characters import match_characters

METRICS = ("bleu", "chrf", "rouge")
# Those of sacrebleu that need neither another package nor a download.
TOKENIZERS = ("13a", "intl", "zh", "char", "none")
_WORD = re.compile(f"(?=[^\\W_])[{UNSPACED}]|(?:(?![{UNSPACED}])[^\\W_])+")


class TextMetric(NamedTuple):
    """One metric of a corpus.

    Args:
        value: float, 0 to 100.
        signature: str: everything that another person needs to get the same number.
    """

    value: float
    signature: str


def compare_texts(
    hypotheses: Sequence[str],
    references: Sequence[str],
    metrics: Sequence[str] = ("bleu", "chrf"),
    lowercase: bool = False,
    tokenize: str = "13a",
) -> dict[str, TextMetric]:
    """BLEU, chrF and ROUGE of texts, each with one reference.

    BLEU and chrF are sacrebleu's. ROUGE is rouge-score's F1, the mean over the texts,
    without stemming, in percent; its words are those of rouge-score where the text is
    English, but letters of other scripts count too (rouge-score drops them), with the
    marks on them, and Chinese, Japanese, Thai, Lao, Burmese and Khmer ones count one by
    one. Texts without any words, as two empty ones, count 0, as in rouge-score.

    Args:
        hypotheses: str for each text, as the model gave it: not tokenized.
        references: as many str.
        metrics: names: "bleu", "chrf", "rouge" (which gives "rouge1", "rouge2" and
            "rougeL").
        lowercase: bool. Whether BLEU and chrF see small letters only; ROUGE always
            does.
        tokenize: str. How BLEU finds words: "13a", "intl", "zh" for Chinese, "char" or
            "none".

    Returns:
        dictionary of `TextMetric`: `value`, 0 to 100, and `signature`.

    Raises:
        ImportError: sacrebleu or rouge-score is not installed (the extra `evaluate`).
        TypeError: the texts are one string.
        ValueError: not as many hypotheses as references, none, or an unknown name.

    Example:
        >>> texts = ["so it goes on"]
        >>> found = keras_lm.training.compare_texts(texts, texts)
        >>> {name: round(metric.value) for name, metric in found.items()}
        {'bleu': 100, 'chrf': 100}

    Source: https://arxiv.org/abs/1804.08771 (BLEU, with its signature);
        https://aclanthology.org/W15-3049/ (chrF);
        https://aclanthology.org/W04-1013/ (ROUGE).
    """
    check_lists(hypotheses=hypotheses, references=references)
    hypotheses, references = list(hypotheses), list(references)
    _check(hypotheses, references, metrics, tokenize)
    found = {}
    for name in metrics:
        if name == "rouge":
            found.update(_rouge(hypotheses, references))
        else:
            found[name] = _of_sacrebleu(
                name, hypotheses, references, lowercase, tokenize
            )
    return found


def _check(hypotheses, references, metrics, tokenize):
    if len(hypotheses) != len(references) or not hypotheses:
        raise ValueError(
            "There must be as many hypotheses as references, at least one. Received: "
            f"{len(hypotheses)} hypotheses and {len(references)} references"
        )
    if isinstance(metrics, str) or not metrics or not set(metrics) <= set(METRICS):
        raise ValueError(
            f"`metrics` must be a list of names of {METRICS}. Received: {metrics!r}"
        )
    if tokenize not in TOKENIZERS:
        raise ValueError(
            f"`tokenize` must be one of {TOKENIZERS}. Received: tokenize={tokenize!r}"
        )


def _of_sacrebleu(name, hypotheses, references, lowercase, tokenize):
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.metrics.chrf import CHRF
    except ImportError as error:
        raise _missing("sacrebleu") from error

    if name == "bleu":
        metric = BLEU(lowercase=lowercase, tokenize=tokenize, force=True)
    else:
        metric = CHRF(lowercase=lowercase)
    value = metric.corpus_score(hypotheses, [references]).score
    return TextMetric(value, str(metric.get_signature()))


class _Words:
    """rouge-score's tokenizer for English, and one for the rest of the world."""

    def tokenize(self, text):
        return match_characters(_WORD, text)


def _rouge(hypotheses, references):
    try:
        from rouge_score.rouge_scorer import RougeScorer
    except ImportError as error:
        raise _missing("rouge-score") from error

    names = ["rouge1", "rouge2", "rougeL"]
    scorer = RougeScorer(names, tokenizer=_Words())
    scores = [scorer.score(r, h) for h, r in zip(hypotheses, references, strict=True)]
    version = metadata.version("rouge-score")
    signature = f"F1|mean|case:lc|stem:no|tok:words,unspaced-char|version:{version}"
    return {
        name: TextMetric(
            100 * sum(score[name].fmeasure for score in scores) / len(scores), signature
        )
        for name in names
    }


def _missing(package):
    return ImportError(
        f"BLEU, chrF and ROUGE need the extra `evaluate`: pip install "
        f"'keras-lm[evaluate]'. Received: an installation without {package}"
    )
