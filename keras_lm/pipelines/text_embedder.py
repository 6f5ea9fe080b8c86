"""Texts as vectors: what means the same lies near."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_lm.models import LSTMEncoder, TransformerEncoder
from keras_lm.pipelines.check_encoder import check_encoder
from keras_lm.pipelines.predict_texts import predict_texts
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.text_arrays import text_arrays
from keras_lm.text.list_of_texts import list_of_texts


class TextEmbedder:
    """Strings in, a vector of length 1 for each out: semantic search, similarity.

    A text's vector is what the encoder's `pool` makes of its tokens, divided by its
    length, so that the product of two is the cosine of their angle.

    Shapes: `B` texts, `D` width of the encoder.

    Args:
        model: `models.TransformerEncoder` or `models.LSTMEncoder`.
        tokenizer: `text.SentencePieceTokenizer`, or the `text.HuggingFaceTokenizer` of
            pretrained weights.
        max_length: int, at least 2: most tokens of a text, special ones included; the
            model's `max_sequence_length` when `None`.
        truncate: bool. Whether a longer text loses its end; else it is refused.

    Raises:
        TypeError: `model` is of another class.
        ValueError: the vocabularies of model and tokenizer differ in size, or
            `max_length` is out of range.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two three"] * 5, 300)
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> embedder = TextEmbedder(encoder, tokenizer)
        >>> embedder(["one", "two three", ""]).shape
        (3, 8)

    Source: https://arxiv.org/abs/1908.10084 (Sentence-BERT).
    """

    def __init__(
        self, model, tokenizer, max_length: int | None = None, truncate: bool = False
    ):
        if not isinstance(model, (TransformerEncoder, LSTMEncoder)):
            raise TypeError(
                "`model` must be a `models.TransformerEncoder` or a "
                "`models.LSTMEncoder`, of a `DualEncoder` its `encoder`. "
                f"Received: {type(model).__name__}"
            )
        self.max_length = check_encoder(model, tokenizer, max_length)
        self.model = model
        self.tokenizer = tokenizer
        self.truncate = truncate

    def __call__(self, texts: Sequence) -> np.ndarray:
        """The vector of each text.

        Args:
            texts: list of str or UTF-8 bytes; invalid bytes become U+FFFD.

        Returns:
            float32 `(B, D)`; each row has length 1.

        Raises:
            TypeError: `texts` is one string, or a text is neither str nor bytes.
            ValueError: a text has too many tokens.
        """
        texts = list_of_texts(texts)
        arrays = text_arrays(self.tokenizer, texts, self.max_length, self.truncate)
        width, most = self.model.hidden_dim, self.model.max_sequence_length
        vectors = predict_texts(self._with_pooling(), arrays, width, most)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1)[:, None], 1e-12)

    def similarity(self, texts: Sequence, others: Sequence) -> np.ndarray:
        """How near each text is to each other one.

        Args:
            texts: list of `B` texts.
            others: list of `C` texts.

        Returns:
            float32 `(B, C)`: cosines, -1 to 1.

        Raises:
            TypeError: as the call.
            ValueError: as the call.
        """
        return self(texts) @ self(others).T

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model and tokenizer to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        settings = {"max_length": self.max_length, "truncate": self.truncate}
        save_pipeline(self, directory, settings, overwrite)

    def _with_pooling(self) -> keras.Model:
        """The encoder and its pooling as one model, made once for an encoder."""
        made = getattr(self, "_made", None)
        if made is None or made[0] is not self.model:
            kinds = {"token_ids": "int32", "padding_mask": "bool"}
            inputs = {
                name: keras.Input((None,), dtype=kind, name=name)
                for name, kind in kinds.items()
            }
            hidden = self.model(**inputs)
            pooled = self.model.pool(hidden, inputs["padding_mask"])
            made = self._made = (self.model, keras.Model(inputs, pooled))
        return made[1]
