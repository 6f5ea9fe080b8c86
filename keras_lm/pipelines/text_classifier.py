"""Names what a text, or a pair of texts, is: sentiment, topic, intent."""

from collections.abc import Sequence

import numpy as np

from keras_lm.models import SequenceClassifier
from keras_lm.pipelines.check_encoder import check_encoder, check_pairs
from keras_lm.pipelines.check_labels import check_labels
from keras_lm.pipelines.check_number import check_number
from keras_lm.pipelines.predict_texts import predict_texts
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.text_arrays import text_arrays
from keras_lm.text.list_of_texts import list_of_texts


class TextClassifier:
    """Strings in, a label for each out, and how likely each label is.

    `text.classification_dataset` makes what its model is fitted on, of the same texts,
    labels and settings.

    Shapes: `B` texts, `C` classes.

    Args:
        model: `models.SequenceClassifier`.
        tokenizer: `text.SentencePieceTokenizer`, or the `text.HuggingFaceTokenizer` of
            pretrained weights.
        labels: a string for each class, no two alike.
        multi_label: bool. Whether a text has any number of labels: each has a
            probability of its own (sigmoid); else they share one (softmax).
        max_length: int: most tokens of a text or pair, special ones included, at least
            2, or 4 for pairs; the encoder's `max_sequence_length` when `None`.
        truncate: bool. Whether a longer text loses its end, of a pair the longer one
            first; else it is refused.
        pairs: bool. Whether it reads pairs of texts, as a premise and a hypothesis; the
            encoder must know two segments, or the tokenizer put something between.

    Raises:
        TypeError: `labels` are not strings, or `model` is of another class.
        ValueError: there are not as many labels as classes, or two are alike; the
            vocabularies of model and tokenizer differ in size; `max_length` is out of
            range; or nothing would tell the texts of a pair apart.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["good bad film"] * 5, 300)
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> model = keras_lm.models.SequenceClassifier(encoder, num_classes=2)
        >>> classifier = TextClassifier(model, tokenizer, ["-", "+"])
        >>> len(classifier(["good", "bad film", ""]))
        3
    """

    def __init__(
        self,
        model,
        tokenizer,
        labels: Sequence[str],
        multi_label: bool = False,
        max_length: int | None = None,
        truncate: bool = False,
        pairs: bool = False,
    ):
        if not isinstance(model, SequenceClassifier):
            raise TypeError(
                "`model` must be a `models.SequenceClassifier`. "
                f"Received: {type(model).__name__}"
            )
        encoder = model.encoder
        check_labels(labels, model.num_classes)
        self.max_length = check_encoder(
            encoder, tokenizer, max_length, least=4 if pairs else 2
        )
        if pairs:
            check_pairs(encoder, tokenizer)
        self.model = model
        self.tokenizer = tokenizer
        self.labels = list(labels)
        self.multi_label = multi_label
        self.truncate = truncate
        self.pairs = pairs

    def __call__(self, texts: Sequence) -> list[str]:
        """The likeliest label of each text.

        Args:
            texts: list of str or UTF-8 bytes, in which invalid bytes become U+FFFD; of
                a classifier of pairs, tuples or lists of two.

        Returns:
            list of `B` str.

        Raises:
            TypeError: `texts` is one string, a text is neither str nor bytes, or a pair
                is none.
            ValueError: a text has too many tokens.
        """
        return [self.labels[place] for place in self.logits(texts).argmax(axis=-1)]

    def labels_above(self, texts: Sequence, threshold: float = 0.5) -> list[list[str]]:
        """All labels of each text that are likely enough.

        Args:
            texts: as in the call.
            threshold: float, 0 to 1. The least probability.

        Returns:
            list of `B` lists of str, the likeliest first, possibly empty.

        Raises:
            TypeError: as the call.
            ValueError: as the call, or `threshold` is out of range.
        """
        check_number("threshold", threshold, 0, 1)
        shares = self.probabilities(texts)
        order = np.argsort(-shares, axis=-1, kind="stable")
        return [
            [self.labels[place] for place in places if row[place] >= threshold]
            for row, places in zip(shares, order, strict=True)
        ]

    def probabilities(self, texts: Sequence) -> np.ndarray:
        """How likely each label is, for each text.

        Args:
            texts: as in the call.

        Returns:
            float32 `(B, C)`, in the order of `labels`; each row sums to 1, unless it is
            `multi_label`.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        logits = self.logits(texts)
        if self.multi_label:
            return np.exp(-np.logaddexp(0.0, -logits)).astype("float32")
        shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
        return shares / shares.sum(axis=-1, keepdims=True)

    def logits(self, texts: Sequence) -> np.ndarray:
        """What the model itself gives.

        Args:
            texts: as in the call.

        Returns:
            float32 `(B, C)`.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        texts = list_of_texts(texts)
        arrays = text_arrays(
            self.tokenizer, texts, self.max_length, self.truncate, self.pairs
        )
        most = self.model.encoder.max_sequence_length
        return predict_texts(self.model, arrays, len(self.labels), most)

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model, labels and tokenizer to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        names = ("labels", "multi_label", "max_length", "truncate", "pairs")
        settings = {name: getattr(self, name) for name in names}
        save_pipeline(self, directory, settings, overwrite)
