"""Characters to words to tokens and back, through datasets and pipelines alike.

The models are told by their datasets what to say, for rows of token ids that must be
those that the pipelines make.
"""

import random

import numpy as np
import pytest

from keras_lm.models import SpanExtractor, TokenClassifier, TransformerEncoder
from keras_lm.pipelines import QuestionAnswerer, TokenTagger
from keras_lm.text import (
    bio_labels,
    question_answering_dataset,
    split_words,
    tagging_dataset,
)
from keras_lm.text.context_windows import context_windows
from tests.text.samples import (
    CHINESE,
    HARD_PARTS,
    MIXED,
    TOKENIZER,
    gpt2_tokenizer,
    llama_tokenizer,
)
from tests.text.test_context_windows import bert

pytestmark = pytest.mark.once
LABELS = ["O", "B-X", "I-X", "B-Y", "I-Y"]
numbers = random.Random(7)
# Without what makes windows that are alike.
PARTS = [part for part in [*HARD_PARTS, *MIXED, *CHINESE] if len(part) < 50]
TEXTS = [
    f"{n} a中" + "".join(numbers.choice([*PARTS, " "]) for _ in range(12))
    for n in range(40)
]


TOKENIZERS = {
    "sentencepiece": lambda: TOKENIZER,
    "wordpiece": bert,
    "bytes": gpt2_tokenizer,
    "bytes, a space before": lambda: gpt2_tokenizer(add_prefix_space=True),
    "sentencepiece of llama": llama_tokenizer,
}


@pytest.fixture(params=TOKENIZERS, scope="module")
def tokenizer(request):
    return TOKENIZERS[request.param]()


def encoder_of(tokenizer, length):
    return TransformerEncoder(
        tokenizer.vocabulary_size, 1, 1, 2, 3, length, num_segments=2
    )


def say(model, dataset, answer):
    """Makes the model answer rows of the dataset as `answer(target, width)` says."""
    known = {}
    for inputs, targets, _ in dataset:
        ids, real = inputs["token_ids"].numpy(), inputs["padding_mask"].numpy()
        for row, there, target in zip(ids, real, targets.numpy(), strict=True):
            known[tuple(row[there].tolist())] = target

    def predict_on_batch(arrays):
        ids, real = arrays["token_ids"], arrays["padding_mask"]
        nothing = np.zeros_like(known[next(iter(known))])
        return np.stack(
            [
                # A row that was not learned is a KeyError.
                answer(
                    known[tuple(row[there].tolist())] if there.any() else nothing,
                    len(row),
                )
                for row, there in zip(ids, real, strict=True)
            ]
        )

    model.predict_on_batch = predict_on_batch


def test_an_answer_goes_from_characters_to_tokens_and_back(tokenizer):
    questions = [f"{n}?" for n in range(len(TEXTS))]
    options = {"max_length": 48, "stride": 12}
    answers = []
    for one in context_windows(tokenizer, questions, TEXTS):
        solid = one.offsets[one.offsets[:, 1] > one.offsets[:, 0]]
        first = numbers.randrange(len(solid))
        last = min(first + numbers.randrange(4), len(solid) - 1)
        start, end = int(solid[first, 0]), int(solid[last, 1])
        answers.append((start, one.context[start:end]))
    dataset = question_answering_dataset(
        questions, TEXTS, answers, tokenizer, num_buckets=1, **options
    )
    model = SpanExtractor(encoder_of(tokenizer, 48))

    def spans(target, width):
        logits = np.zeros((width, 2), "float32")
        logits[target, [0, 1]] = 30.0
        return logits

    say(model, dataset, spans)
    found = QuestionAnswerer(model, tokenizer, **options)(questions, TEXTS)

    assert [(one.start, one.text) for one in found] == answers
    assert [(one.start, one.end) for one in found] == [
        (start, start + len(text)) for start, text in answers
    ]


@pytest.mark.parametrize("split", ["words", "characters"])
def test_labels_go_from_characters_to_tokens_and_back(tokenizer, split):
    words = [split_words(text, split) for text in TEXTS]
    gold = []
    for row in words:
        cuts = sorted(numbers.sample(range(len(row) + 1), min(4, len(row))))
        pairs = zip(cuts[::2], cuts[1::2], strict=False)
        gold.append(
            [(row[a].start, row[b - 1].end, numbers.choice("XY")) for a, b in pairs]
        )
    labels = [bio_labels(*one) for one in zip(words, gold, strict=True)]
    dataset = tagging_dataset(
        TEXTS, labels, tokenizer, LABELS, split=split, num_buckets=1
    )
    model = TokenClassifier(encoder_of(tokenizer, 400), num_labels=len(LABELS))

    def tags(target, width):
        logits = np.zeros((width, len(LABELS)), "float32")
        logits[np.arange(len(target[:width])), target[:width]] = 30.0
        return logits

    say(model, dataset, tags)
    found = TokenTagger(model, tokenizer, LABELS, split=split)(TEXTS)

    assert [[(one.start, one.end, one.label) for one in row] for row in found] == gold
    for row, text in zip(found, TEXTS, strict=True):
        assert [one.text for one in row] == [text[one.start : one.end] for one in row]
