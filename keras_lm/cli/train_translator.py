"""`keras-lm translate train`: from pairs of texts to a pipeline that translates."""

import hashlib
import json
import math
import shutil
import sys
from pathlib import Path
from typing import NamedTuple

import keras
from rich.console import Console

from keras_lm import models, pipelines, text, training
from keras_lm.cli.choose_tokenize import choose_tokenize
from keras_lm.cli.keep_best import LEAST_BLEU, KeepBest
from keras_lm.cli.samples import sample
from keras_lm.cli.split_pairs import split_pairs
from keras_lm.cli.translator_settings import TranslatorSettings
from keras_lm.training.compare_texts import TextMetric

console = Console()
LAST = "last"  # beside the checkpoints: the weights of the last epochs


class TranslatorReport(NamedTuple):
    """What a translator is worth on pairs that no training step has seen.

    Args:
        loss: float, nats per token.
        perplexity: float, per token.
        bleu: `TextMetric` of its answers by beam search, with signature.
        kept: str: which weights it has.
    """

    loss: float
    perplexity: float
    bleu: TextMetric
    kept: str


def train_translator(
    settings: TranslatorSettings,
    pairs,
    output: Path,
    checkpoints: Path,
    overwrite: bool = False,
) -> TranslatorReport:
    """Trains an encoder-decoder, measures it and saves it as `TextToText`.

    What is saved is the epoch of the best BLEU on the held-out pairs (where none has
    1, of the lowest loss), or the mean of the last epochs' weights where that has a
    better one. An interrupted run goes on
    when it is started again, to the same translator.

    Args:
        settings: `TranslatorSettings`.
        pairs: `(source, target)` strings.
        output: path of the pipeline's directory.
        checkpoints: folder of the checkpoints.
        overwrite: bool. Whether a directory that is there may be replaced.

    Returns:
        `TranslatorReport`, already printed.

    Raises:
        ImportError: sacrebleu is not installed (the extra `evaluate`).
        ValueError: there are too few pairs, or a setting does not fit.
        OSError: something cannot be read or written.
    """
    training.retain_memory()
    keras.utils.set_random_seed(settings.seed)
    console.rule("Text")
    train, held_out = split_pairs(pairs, settings.num_held_out, settings.seed, tell)
    sides = [side for pair in train for side in pair]
    tokenizer = text.train_tokenizer(sides, settings.vocabulary_size)
    tell(
        f"{len(train):,} pairs to train on, {len(held_out):,} held out; "
        f"{tokenizer.vocabulary_size:,} tokens that both sides share"
    )
    scored = batches(held_out, tokenizer, settings, "Held out: ", num_buckets=3)
    one_pass = batches(train, tokenizer, settings, "Training: ")
    num_steps = int(one_pass.cardinality())

    console.rule(f"Training on {keras.backend.backend()}")
    model = build_model(settings, tokenizer, num_steps)
    tell(f"{model.count_params():,} parameters, {num_steps:,} steps an epoch")
    translator = pipelines.TextToText(model, tokenizer, tokenizer)
    folder = checkpoints / f"{output.absolute().name}_{keras.backend.backend()}"
    checkpoint = training.ResumableCheckpoint(
        folder, {**settings.of_the_run(), "pairs": _digest(pairs)}, notify=tell
    )
    kept = fit(translator, train, held_out, scored, num_steps, settings, checkpoint)

    console.rule("Held out")
    report = measure(translator, held_out, scored, kept)
    translator.save(output, overwrite)
    checkpoint.finish()
    shutil.rmtree(checkpoint.directory / LAST, ignore_errors=True)
    tell(f"The pipeline is in {output}: keras-lm translate run {output} TEXT")
    return report


def tell(message):
    """Prints a line as it is: no markup, no break."""
    console.print(message, markup=False, highlight=False, soft_wrap=True)


def batches(pairs, tokenizer, settings, part=None, **options):
    """`text.parallel_dataset`; of a part with a name it tells what is too long."""
    return text.parallel_dataset(
        pairs,
        tokenizer,
        tokenizer,
        settings.max_batch_tokens,
        max_source_length=settings.max_length,
        max_target_length=settings.max_length,
        drop_long=True,
        seed=settings.seed,
        notify=lambda told: None if part is None else tell(part + told),
        **options,
    )


def build_model(settings, tokenizer, num_steps):
    """An encoder-decoder of one vocabulary, compiled with its loss and schedule."""
    shared = {
        "vocabulary_size": tokenizer.vocabulary_size,
        "num_layers": settings.layers,
        "hidden_dim": settings.hidden_dim,
        "max_sequence_length": settings.max_length,
        "dropout": settings.dropout,
        "share_embeddings": True,
        "tie_embeddings": True,
        # Without one, PyTorch's dropout would not go on where it stopped.
        "seed": settings.seed,
    }
    if settings.model == "lstm":
        model = models.LSTMEncoderDecoder(
            embedding_dim=settings.hidden_dim,
            attention="luong",
            input_feeding=False,  # trains several times as fast
            **shared,
        )
    else:
        model = models.TransformerEncoderDecoder(
            num_heads=settings.num_heads,
            intermediate_dim=4 * settings.hidden_dim,
            **shared,
        )
    schedule = training.InverseSquareRoot(
        settings.learning_rate, min(settings.warmup_steps, 4 * num_steps)
    )
    model.compile(
        keras.optimizers.Adam(schedule, beta_2=0.98, global_clipnorm=1.0),
        loss=training.MaskedCrossEntropy(settings.label_smoothing),
        weighted_metrics=[training.Perplexity()],
    )
    return model


def fit(translator, train, held_out, scored, num_steps, settings, checkpoint):
    """`model.fit`, from the last checkpoint of the same run on; keeps the best weights.

    Returns:
        str: which weights these are.
    """
    model = translator.model

    def greedy(sources):
        return translator(sources, beam_size=1)

    start = checkpoint.restore(model)
    best = KeepBest(
        translator,
        checkpoint.directory / "best",
        checkpoint.history,
        settings.patience,
        tell,
    )
    average = training.AverageCheckpoints(
        settings.average_last, checkpoint.directory / LAST
    )
    bleu = training.BleuCallback(
        greedy, held_out, notify=lambda _: None, tokenize=_words(held_out)
    )
    dataset = batches(train, translator.source_tokenizer, settings, repeat=True)
    model.fit(
        dataset.skip(start * num_steps),
        steps_per_epoch=num_steps,
        initial_epoch=start,
        epochs=start if best.is_over else settings.epochs,
        validation_data=scored,
        callbacks=[bleu, best, average, checkpoint],
        shuffle=False,
        verbose=1 if sys.stdout.isatty() else 2,
    )
    if average.num_averaged > 1:
        mean = compare(greedy, held_out).value
        told = f"the mean of the last {average.num_averaged} epochs"
        tell(f"{told[0].upper()}{told[1:]}: held-out BLEU {mean:.2f}")
        if mean > max(best.best, LEAST_BLEU):
            return told
    model.set_weights(pipelines.load(best.directory).model.get_weights())
    return f"epoch {best.best_epoch + 1}"


def measure(translator, held_out, scored, kept):
    """Loss, perplexity and BLEU of the held-out pairs, printed with some answers."""
    found = translator.model.evaluate(scored, verbose=0, return_dict=True)
    report = TranslatorReport(
        loss=math.log(found["perplexity"]),  # without the label smoothing
        perplexity=found["perplexity"],
        bleu=compare(translator, held_out),
        kept=kept,
    )
    sources, references = (list(side) for side in zip(*held_out[:3], strict=True))
    answers = translator(sources)
    for source, reference, answer in zip(sources, references, answers, strict=True):
        lines = f"\n{answer}\n({reference})"
        console.print(sample("source (bold), answer and (reference)", source, lines))
    tell(
        f"weights      {report.kept}\n"
        f"loss         {report.loss:.3f} nats per token\n"
        f"perplexity   {report.perplexity:.2f} per token\n"
        f"BLEU         {report.bleu.value:.2f}  {report.bleu.signature}, beam of 4"
    )
    return report


def compare(translate, held_out):
    """BLEU of what a function of a list of texts makes of the held-out sources."""
    sources, references = (list(side) for side in zip(*held_out, strict=True))
    answers = translate(sources)
    words = _words(held_out)
    return training.compare_texts(answers, references, ["bleu"], tokenize=words)["bleu"]


def _words(held_out):
    return choose_tokenize([reference for _, reference in held_out])


def _digest(pairs):
    """A few letters that other pairs do not have."""
    written = json.dumps(list(pairs)).encode()
    return hashlib.sha256(written).hexdigest()[:16]
