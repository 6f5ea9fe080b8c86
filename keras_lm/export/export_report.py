"""What an export has made, and how well it agrees."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportReport:
    """The outcome of an export that was checked and put in place.

    Args:
        path: of the version folder or of the `.tflite` file.
        size_bytes: int. Size of the folder, or of the `.tflite` file alone.
        largest_difference: float, at least 0. From the model on the backend that it
            was exported from: of a logit (LiteRT), or of the log-likelihood of a
            text, nats per token (SavedModel, CTranslate2), or of the probability of a
            label or an answer (SavedModel); for vectors of texts of a number in them
            (SavedModel) or of a cosine between two (LiteRT).
        greedy_agreement: float, 0 to 1. The share of equal greedy tokens (LiteRT),
            texts (SavedModel, CTranslate2), labels, answers, or nearest other texts.
        seconds: float. Time it all took.
        quantization: str or `None`, as it was asked for.
        notes: tuple of str: where it may answer otherwise than the pipeline, for texts
            that the comparison did not hold.

    Example:
        >>> from pathlib import Path
        >>> report = ExportReport(Path("lm.tflite"), 81_920, 2e-7, 1.0, 9.5)
        >>> report.agrees
        True
        >>> print(report)
        lm.tflite: 0.1 MB, largest difference 2.0e-07, greedy agreement 100.0%, 9.5 s
    """

    path: Path
    size_bytes: int
    largest_difference: float
    greedy_agreement: float
    seconds: float
    quantization: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def agrees(self) -> bool:
        """Whether all greedy tokens, texts or labels were those of the model."""
        return self.greedy_agreement == 1.0

    def __str__(self):
        figures = (
            f"{self.path}: {self.size_bytes / 1e6:.1f} MB, largest difference "
            f"{self.largest_difference:.1e}, greedy agreement "
            f"{self.greedy_agreement:.1%}, {self.seconds:.1f} s"
        )
        return "\n".join([figures, *[f"note: {note}" for note in self.notes]])
