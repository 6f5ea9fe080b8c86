"""From documents to a trained text generator: what `demo` and `train` share."""

import hashlib
import sys
import time
from pathlib import Path
from typing import NamedTuple

import keras
from rich.console import Console

from keras_lm import models, pipelines, text, training
from keras_lm.cli.generator_settings import GeneratorSettings
from keras_lm.cli.report import Report
from keras_lm.cli.samples import sample
from keras_lm.text.document import Document

console = Console()


class FittedGenerator(NamedTuple):
    """A generator that has been trained, and what is left to do with it.

    Args:
        generator: `pipelines.TextGenerator`.
        held_out: list of `Document` that no training step has seen.
        checkpoint: `training.ResumableCheckpoint`, to be finished when the generator
            is saved.
        leads: bool. Whether this process is the one that saves it.
    """

    generator: pipelines.TextGenerator
    held_out: list[Document]
    checkpoint: training.ResumableCheckpoint
    leads: bool


def fit_generator(
    settings: GeneratorSettings,
    documents,
    checkpoints: Path,
    report: Report,
    distribute: str = "none",
) -> FittedGenerator:
    """Trains a tokenizer and a decoder, and measures the decoder.

    Args:
        settings: `GeneratorSettings`; a corpus too small for its batches gets smaller
            ones.
        documents: list of `Document`.
        checkpoints: folder of this run's checkpoints.
        report: `Report`, which gets what was made and measured.
        distribute: "none", "data" or "model"; see `training.distribute`. It may change
            while a run goes on.

    Returns:
        `FittedGenerator`, its model on one device.

    Raises:
        ValueError: the corpus is too small, or a setting does not fit.
        OSError: something cannot be read or written, or another worker has ended.
    """
    training.retain_memory()
    keras.utils.set_random_seed(settings.seed)
    train, held_out = settings.split(documents)
    with training.distribute(distribute) as share:
        console.quiet = not share.leads
        check_shares(settings, share)
        console.rule("Text")
        tokenizer = text.train_tokenizer(texts_of(train), settings.vocabulary_size)
        characters = sum(len(document.text) for document in documents)
        told = f"{characters:,} characters in {len(documents):,} documents"
        report.add("corpus", told)
        names = [document.name for document in held_out]
        report.add("held out", ", ".join(names[:3]) + ", .." * (len(names) > 3))
        tell(report.last(2))
        if distribute != "none":
            report.add("devices", f"{num_devices(share)}, --distribute {distribute}")
            tell(report.last(1))
        settings = fit_batches(settings, train, tokenizer, share.num_shares)

        console.rule(f"Training on {keras.backend.backend()}")
        model = build_model(settings, tokenizer)
        report.add("parameters", f"{model.count_params():,}")
        checkpoint = training.ResumableCheckpoint(
            checkpoints,
            {**settings.of_the_run(), "corpus": _digest(train)},
            notify=tell,
        )
        train_model(model, tokenizer, train, settings, checkpoint, share, report)
    if distribute != "none":
        weights = model.get_weights()
        model = build_model(settings, tokenizer)
        model.set_weights(weights)
    if share.leads:
        perplexity = validation_perplexity(model, tokenizer, held_out, settings)
        compare_with_n_grams(perplexity, train, held_out, tokenizer, settings, report)
    longest = min(48, settings.max_sequence_length // 2)  # leaves room for a prompt
    generator = pipelines.TextGenerator(model, tokenizer, max_new_tokens=longest)
    return FittedGenerator(generator, held_out, checkpoint, share.leads)


def tell(message):
    """Prints a line as it is: no markup, no break."""
    console.print(message, markup=False, highlight=False, soft_wrap=True)


def texts_of(documents):
    """The texts alone."""
    return [document.text for document in documents]


def fit_batches(settings, train, tokenizer, num_shares):
    """The settings, with smaller batches where the corpus is small, which is told."""
    num_tokens = text.encode_corpus(texts_of(train), tokenizer).size
    fitted = settings.for_corpus(num_tokens, num_shares)
    if fitted != settings:
        tell(
            f"batches: {fitted.batch_size} x {fitted.sequence_length} tokens and not "
            f"{settings.batch_size} x {settings.sequence_length}, for there are "
            f"{num_tokens:,} to train on"
        )
    return fitted


def check_shares(settings, share):
    """Refuses batches that cannot be shared out evenly."""
    if settings.batch_size % share.num_shares:
        raise ValueError(
            f"`batch_size` must be a multiple of the {share.num_shares} devices. "
            f"Received: batch_size={settings.batch_size}"
        )


def num_devices(share):
    """How many devices train, on JAX as Keras has distributed over them."""
    distribution = keras.distribution.distribution()
    if distribution is None:
        return share.num_shares
    return distribution.device_mesh.devices.size


def build_model(settings, tokenizer):
    """A Transformer decoder, compiled with its loss, metric and schedule."""
    model = models.TransformerDecoder(
        vocabulary_size=tokenizer.vocabulary_size,
        num_layers=settings.num_layers,
        num_heads=settings.num_heads,
        hidden_dim=settings.hidden_dim,
        intermediate_dim=settings.intermediate_dim,
        max_sequence_length=settings.max_sequence_length,
        attention=settings.attention,
        dropout=settings.dropout,
        # Without one, PyTorch's dropout would not go on where it stopped.
        seed=settings.seed,
    )
    steps = settings.epochs * settings.steps_per_epoch
    schedule = training.WarmupCosine(
        settings.learning_rate, settings.warmup_steps, max(steps, 2), 0.05
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=0.1, beta_2=0.99, global_clipnorm=1.0
    )
    model.compile(
        optimizer,
        loss=training.MaskedCrossEntropy(),
        weighted_metrics=[training.Perplexity()],
    )
    return model


def train_model(model, tokenizer, train, settings, checkpoint, share, report):
    """`model.fit`, from the last checkpoint of the same run on."""
    dataset = text.language_model_dataset(
        texts_of(train),
        tokenizer,
        settings.sequence_length,
        settings.batch_size,
        seed=settings.seed,
        repeat=True,
    )
    start = checkpoint.restore(model)
    began = time.perf_counter()
    model.fit(
        share.rows(dataset.skip(start * settings.steps_per_epoch)),
        steps_per_epoch=settings.steps_per_epoch,
        initial_epoch=start,
        epochs=settings.epochs,
        callbacks=share.callbacks() + [checkpoint] * share.leads,
        shuffle=False,
        verbose=(1 if sys.stdout.isatty() else 2) * share.leads,
    )
    seconds = time.perf_counter() - began
    steps = (settings.epochs - start) * settings.steps_per_epoch
    tokens = steps * settings.batch_size * settings.sequence_length
    report.add(
        "training", f"{steps} steps, {tokens / max(seconds, 1e-9):,.0f} tokens/s"
    )


def validation_perplexity(model, tokenizer, held_out, settings):
    """Perplexity per token of documents that no training step has seen."""
    dataset = text.language_model_dataset(
        texts_of(held_out),
        tokenizer,
        settings.sequence_length,
        settings.batch_size,
        shuffle=False,
        drop_remainder=False,
    )
    return model.evaluate(dataset, verbose=0, return_dict=True)["perplexity"]


def compare_with_n_grams(perplexity, train, held_out, tokenizer, settings, report):
    """Unigram and bigram models of the same tokens, tuned apart from both parts."""
    counted, tuning = text.split_documents(train, 0.05, settings.seed + 1)
    counted, tuning, scored = (
        text.encode_corpus(texts_of(part), tokenizer)
        for part in (counted, tuning, held_out)
    )
    baselines = {}
    for order, kind in ((1, "unigram"), (2, "bigram")):
        baseline = training.NGramModel(order, tokenizer.vocabulary_size)
        baseline.fit(counted, tuning)
        baselines[kind] = float(baseline.perplexity(scored))
        report.add(f"perplexity, {kind}", f"{baselines[kind]:.1f}")
    ratio = perplexity / baselines["bigram"]
    told = f"{perplexity:.1f}, {ratio:.2f} of the bigram model's"
    report.add("perplexity, this model", told)
    report.values = {"perplexity": perplexity, **baselines}
    tell(report.last(3))


def beginnings(documents):
    """Three prompts: how documents begin."""
    return [*(document.text[:12] for document in documents[:3]), "", ""][:3]


def cut(prompts, generator):
    """The prompts, as far as the model holds them with what it adds."""
    room = generator.model.max_sequence_length - generator.max_new_tokens
    fitting = []
    for prompt in prompts:
        # One token more is the separator.
        while prompt and 1 + len(generator.tokenizer.encode(prompt)) > room:
            prompt = prompt[:-1]
        fitting.append(prompt)
    return fitting


def talk(generator, prompts, report):
    """Greedy answers, to read, and for exports to repeat."""
    console.rule("Generation")
    generator(prompts)  # the first call compiles
    began = time.perf_counter()
    answers = generator(prompts)
    seconds = time.perf_counter() - began
    tokens = sum(len(ids) for ids in generator.tokenizer.encode(answers))
    for prompt, answer in zip(prompts, answers, strict=True):
        title = "beginning (bold) and what the model adds"
        console.print(sample(title, prompt, answer))
    report.add("generation", f"{tokens / seconds:,.0f} tokens/s, three prompts at once")
    return answers


def _digest(documents):
    """A few letters that other documents do not have."""
    digest = hashlib.sha256()
    for document in documents:
        written = document.text.encode()
        digest.update(b"%d " % len(written))
        digest.update(written)
    return digest.hexdigest()[:16]
