"""Names what is seen, heard and read together: a classifier of streams, its labels."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_lm.pipelines.check_labels import check_labels
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.stream_arrays import stream_arrays

_ROWS_AT_ONCE = 32


class StreamClassifier:
    """Named streams in, a label for each example out.

    An image or a sound is an array of the shape that the model's `stream_signature`
    says, a text a string. A stream may be missing, from the batch or from an example;
    so is an empty text.

    Shapes: `B` examples, `C` classes.

    Args:
        model: a classifier of named streams, for example
            `models.MultimodalClassifier`.
        labels: a string for each class, no two alike.
        tokenizer: `text.SentencePieceTokenizer`. Without one a text is its token ids.

    Raises:
        TypeError: `labels` are not strings.
        ValueError: there are not as many labels as classes, or two are alike; or the
            tokenizer's vocabulary is not that of the model's text streams.

    Example:
        >>> model = keras_lm.models.MultimodalClassifier(
        ...     {"photo": {"kind": "image", "shape": [8, 8, 1], "patch_size": 4},
        ...      "title": {"kind": "text", "vocabulary_size": 50, "max_length": 9}},
        ...     num_classes=2, num_layers=1, num_heads=2, hidden_dim=16,
        ...     intermediate_dim=32)
        >>> classifier = StreamClassifier(model, ["cat", "dog"])
        >>> photos = np.zeros((3, 8, 8, 1))
        >>> len(classifier({"photo": photos, "title": [[7, 9], None, [3]]}))
        3
    """

    def __init__(self, model, labels: Sequence[str], tokenizer=None):
        check_labels(labels, model.num_classes)
        if tokenizer is not None:
            _check_vocabularies(model, tokenizer)
        self.model = model
        self.labels = list(labels)
        self.tokenizer = tokenizer

    def __call__(self, inputs: Mapping) -> list[str]:
        """The likeliest label of each example.

        Args:
            inputs: dict, by the stream's name: an array `(B, ..)`, a list of arrays, of
                strings or of UTF-8 bytes. `None`, for a stream or in a list, is what is
                missing; so is a name that is left out.

        Returns:
            list of `B` str.

        Raises:
            TypeError: a stream of texts is one string.
            ValueError: no stream or an unknown one, streams of different lengths, an
                array of another shape, or a text that is too long.
        """
        return [self.labels[place] for place in self.logits(inputs).argmax(axis=-1)]

    def probabilities(self, inputs: Mapping) -> np.ndarray:
        """How likely each label is, for each example.

        Args:
            inputs: as in the call.

        Returns:
            float32 `(B, C)`, in the order of `labels`; each row sums to 1.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        logits = self.logits(inputs)
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return shares / shares.sum(axis=-1, keepdims=True)

    def logits(self, inputs: Mapping) -> np.ndarray:
        """What the model itself gives.

        Args:
            inputs: as in the call.

        Returns:
            float32 `(B, C)`.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        arrays = stream_arrays(inputs, self.model, self.tokenizer)
        num_rows = len(next(iter(arrays.values())))
        parts = [np.zeros((0, len(self.labels)), "float32")]
        for start in range(0, num_rows, _ROWS_AT_ONCE):
            some = {key: a[start : start + _ROWS_AT_ONCE] for key, a in arrays.items()}
            parts.append(self._logits_of_batch(some))
        return np.concatenate(parts)

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model, labels and tokenizer to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        save_pipeline(self, directory, {"labels": self.labels}, overwrite)

    def _logits_of_batch(self, arrays):
        """One call of the model; rows of nothing make the batch a power of 2."""
        num_rows = len(next(iter(arrays.values())))
        more = (1 << (num_rows - 1).bit_length()) - num_rows  # so few sizes compile
        padded = {
            key: np.pad(array, [(0, more)] + [(0, 0)] * (array.ndim - 1))
            for key, array in arrays.items()
        }
        logits = self.model.predict_on_batch(padded)
        return np.asarray(logits, "float32")[:num_rows]


def _check_vocabularies(model, tokenizer):
    sizes = {
        name: spec["vocabulary_size"]
        for name, spec in model.streams.items()
        if spec["kind"] == "text"
    }
    if not sizes:
        raise ValueError(
            "A tokenizer must have a text stream to read. "
            f"Received: a model of {list(model.streams)}, none of them text"
        )
    if set(sizes.values()) != {tokenizer.vocabulary_size}:
        raise ValueError(
            "Text streams and tokenizer must have vocabularies of one size. Received: "
            f"{sizes} and {tokenizer.vocabulary_size}"
        )
