"""`keras-lm train`: from one's own text to a pipeline that goes on with it."""

import time
from pathlib import Path

import keras

from keras_lm import text
from keras_lm.cli.fit_generator import beginnings, cut, fit_generator, talk, tell
from keras_lm.cli.generator_settings import GeneratorSettings
from keras_lm.cli.report import Report


def train_generator(
    settings: GeneratorSettings,
    corpus: Path,
    output: Path,
    checkpoints: Path,
    overwrite: bool = False,
    distribute: str = "none",
) -> Report:
    """Trains a Transformer decoder, measures it and saves it as `TextGenerator`.

    An interrupted run goes on when it is started again.

    Args:
        settings: `GeneratorSettings`.
        corpus: path of a text file or a folder.
        output: path of the pipeline's directory.
        checkpoints: folder of the checkpoints.
        overwrite: bool. Whether a directory that is there may be replaced.
        distribute: "none", "data" or "model"; see `training.distribute`.

    Returns:
        `Report`, already printed; that of a worker which does not lead ends with the
        training.

    Raises:
        ValueError: the corpus is empty or too small, or a setting does not fit.
        OSError: something cannot be read or written, or another worker has ended.
    """
    report = Report(time.perf_counter())
    folder = checkpoints / f"{output.absolute().name}_{keras.backend.backend()}"
    documents = text.read_corpus(corpus)
    fitted = fit_generator(settings, documents, folder, report, distribute)
    if not fitted.leads:
        return report
    fitted.generator.save(output, overwrite)
    fitted.checkpoint.finish()
    prompts = cut(beginnings(fitted.held_out), fitted.generator)
    talk(fitted.generator, prompts, report)
    report.finish()
    tell(report.last(len(report.rows)))
    tell(f"The pipeline is in {output}: keras-lm generate {output} TEXT")
    return report
