"""Does pretraining on docstrings help a small task? Each objective, beside none.

    KERAS_BACKEND=torch python -m benchmarks.quality_pretraining [OBJECTIVE ..]
        [--seeds 0 1 2] [--steps N]

Pretraining: the docstrings of CPython's library, Keras and NumPy, but of the modules
that are kept for the task; 2,000 steps of 32 rows of at most 64 tokens. The task: of
which of the three is a paragraph? 300 paragraphs to learn from, 5 times, all weights
trained; accuracy on 1,500 of other modules. A seed draws weights, dropout, what is
hidden, and the 300. Two layers of 128, four heads, 4,000 tokens.

`none` starts from random weights. The others end in the same encoder: `causal` trains a
decoder, and `spans` and `infilling` an encoder-decoder, whose weights it then takes.
`order` and `next` judge pairs of segments; `masked_order` and `masked_next` guess
hidden words of these pairs too, as ALBERT and BERT did.
"""

import argparse
import time

import numpy as np

from benchmarks import quality_runs as runs

PACKAGES = ("python", "keras", "numpy")
VOCABULARY, LENGTH, BATCH_SIZE = 4000, 64, 32
SIZES = {
    "num_layers": 2,
    "num_heads": 4,
    "hidden_dim": 128,
    "intermediate_dim": 512,
    "max_sequence_length": LENGTH,
    "dropout": 0.1,
    "positions": "learned",
}
NUM_TRAIN, NUM_TEST, EPOCHS = 300, 1500, 5
PRETRAIN_RATE, TASK_RATE = 1e-3, 5e-4
PAIRS = {"order": "order", "next": "next"}
PAIRS |= {"masked_order": "order", "masked_next": "next"}
GAPS = ("spans", "infilling")
OBJECTIVES = ("none", "causal", "masked", "replaced", *PAIRS, *GAPS)


def main():
    """Reads the command line, trains and prints a line for each objective and seed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality_pretraining")
    parser.add_argument("objectives", nargs="*", choices=[*OBJECTIVES, []])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=2000)
    given = runs.parse(parser)
    texts, paragraphs, tokenizer = read()
    for objective in given.objectives or OBJECTIVES:
        found = []
        for seed in given.seeds:
            began = time.perf_counter()
            encoder = pretrained(objective, texts, tokenizer, given.steps, seed)
            spent = time.perf_counter() - began
            accuracy = accuracy_of(encoder, paragraphs, tokenizer, seed)
            found.append({"seed": seed, "accuracy": accuracy})
            found[-1] |= {"pretraining_s": round(spent), "steps": given.steps}
            found[-1]["task_s"] = round(time.perf_counter() - began - spent)
            print(f"{objective}: {found[-1]}", flush=True)
        runs.keep(f"pretraining_{objective}", found)


def read():
    """`(texts to pretrain on, paragraphs of the task by part, tokenizer)`."""
    from keras_lm import text

    texts, paragraphs = [], {"train": [], "test": []}
    for label, package in enumerate(PACKAGES):
        documents = text.docstring_corpus(packages=[package])
        seen, kept = text.split_documents(documents, 0.3)
        texts += [one for document in seen for one in document.text.split("\n\n")]
        for part, some in zip(paragraphs, text.split_documents(kept, 0.5), strict=True):
            found = {one for document in some for one in document.text.split("\n\n")}
            found = sorted(one for one in found if len(one.split()) >= 8)
            paragraphs[part] += [(one, label) for one in found]
    texts = [one for one in texts if one.strip()]
    tokenizer = text.train_tokenizer(texts, VOCABULARY)
    return texts, paragraphs, tokenizer.with_special_tokens(num_sentinels=10)


def pretrained(objective, texts, tokenizer, steps, seed):
    """An encoder after its pretraining."""
    import keras

    from keras_lm import models, text, training

    keras.utils.set_random_seed(seed)
    sizes = {"vocabulary_size": tokenizer.vocabulary_size, **SIZES, "seed": seed}
    segments = 2 if objective in PAIRS else 0
    kept = models.TransformerEncoder(**sizes, num_segments=segments)
    if objective == "none":
        return kept
    options = {"seed": seed, "repeat": True}
    loss, weights, model = training.MaskedCrossEntropy(), None, kept
    if objective == "causal":
        data = text.language_model_dataset(
            texts, tokenizer, LENGTH, BATCH_SIZE, **options
        )
        model = models.TransformerDecoder(**sizes)
    elif objective == "masked":
        masking = text.WordMasking(tokenizer)
        data = text.masked_dataset(texts, masking, LENGTH, BATCH_SIZE, **options)
        model = models.MaskedLanguageModel(kept)
    elif objective == "replaced":
        masking = text.WordMasking(tokenizer, masked=1.0, random=0.0)
        data = text.replaced_token_dataset(
            texts, masking, LENGTH, BATCH_SIZE, **options
        )
        model = models.ReplacedTokenDetector(kept, tokenizer.mask_id, 64, 2, 256)
        loss = {"guesses": loss, "detections": training.ReplacedTokenCrossEntropy()}
        weights = {"guesses": 1.0, "detections": 50.0}
    elif objective in PAIRS:
        data, model, loss = of_pairs(objective, kept, texts, tokenizer, options)
    else:
        corruption = {"spans": text.SpanDenoising, "infilling": text.TextInfilling}
        corruption = corruption[objective](tokenizer)
        data = text.denoising_dataset(texts, corruption, LENGTH, BATCH_SIZE, **options)
        model = models.TransformerEncoderDecoder(**sizes)
    schedule = training.WarmupCosine(
        peak=PRETRAIN_RATE, warmup_steps=max(1, steps // 10), total_steps=steps
    )
    optimizer = keras.optimizers.Adam(schedule, clipnorm=1.0)
    model.compile(optimizer, loss, loss_weights=weights)
    history = model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0).history
    print(f"{objective}: loss {history['loss'][-1]:.3f}", flush=True)
    if objective == "causal":  # all of a decoder's weights are an encoder's
        kept.set_weights(model.get_weights())
    elif objective in GAPS:
        kept.set_weights(encoder_weights(model))
    return kept


def of_pairs(objective, encoder, texts, tokenizer, options):
    """`(data, model, loss)` of those that judge pairs, with hidden words or without."""
    import keras

    from keras_lm import models, text, training

    model, masking = models.SequenceClassifier(encoder, 2), None
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    if objective.startswith("masked"):
        masking = text.WordMasking(tokenizer)
        model = models.MaskedLanguageModel(encoder, judges_pairs=True)
        loss = {"tokens": training.MaskedCrossEntropy(), "pairs": loss}
    data = text.sentence_pair_dataset(
        texts,
        tokenizer,
        PAIRS[objective],
        LENGTH,
        BATCH_SIZE,
        masking=masking,
        **options,
    )
    return data, model, loss


def encoder_weights(model):
    """What an encoder has of an encoder-decoder, in its order."""
    parts = model.token_embedding, model.position_embedding, *model.encoder_blocks
    return [
        array for one in (*parts, model.encoder_norm) for array in one.get_weights()
    ]


def accuracy_of(encoder, paragraphs, tokenizer, seed):
    """Percent of the test paragraphs whose package is found."""
    import keras

    from keras_lm import models

    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    train, labels = _arrays(_sample(paragraphs["train"], NUM_TRAIN, rng), tokenizer)
    test = _sample(paragraphs["test"], NUM_TEST, np.random.default_rng(0))
    test, expected = _arrays(test, tokenizer)
    classifier = models.SequenceClassifier(encoder, len(PACKAGES))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(TASK_RATE, clipnorm=1.0), loss)
    classifier.fit(train, labels, BATCH_SIZE, epochs=EPOCHS, verbose=0)
    guesses = classifier.predict(test, 100, verbose=0).argmax(axis=1)
    return round(100 * float(np.mean(guesses == expected)), 2)


def _sample(pairs, number, rng):
    """As many of each label as can be, in random order."""
    share = number // len(PACKAGES)
    chosen = []
    for label in range(len(PACKAGES)):
        some = [pair for pair in pairs if pair[1] == label]
        chosen += [some[i] for i in rng.permutation(len(some))[:share]]
    return [chosen[i] for i in rng.permutation(len(chosen))]


def _arrays(pairs, tokenizer):
    rows = tokenizer.encode([one for one, _ in pairs])
    token_ids = np.full((len(rows), LENGTH), tokenizer.padding_id, "int32")
    real = np.zeros(token_ids.shape, "bool")
    for i, row in enumerate(rows):
        row = [*row[: LENGTH - 1], tokenizer.separator_id]
        token_ids[i, : len(row)], real[i, : len(row)] = row, True
    labels = np.array([label for _, label in pairs], "int32")
    return {"token_ids": token_ids, "padding_mask": real}, labels


if __name__ == "__main__":
    main()
