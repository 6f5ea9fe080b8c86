"""What a word means where it stands: the gloss that is nearest to it."""

from collections.abc import Sequence

import keras
import numpy as np

from keras_lm.models import DualEncoder
from keras_lm.pipelines.check_encoder import check_encoder
from keras_lm.pipelines.check_number import check_number
from keras_lm.pipelines.marked_arrays import marked_arrays
from keras_lm.pipelines.predict_texts import predict_texts
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.sense_above import sense_above
from keras_lm.text.check_lists import check_lists
from keras_lm.text.list_of_texts import list_of_texts, lists_of_texts
from keras_lm.text.marked_texts import split_marked
from keras_lm.text.unicode import as_unicode

_KINDS = {"token_ids": "int32", "padding_mask": "bool", "pooling_mask": "bool"}


class WordSense:
    """Texts with a marked word in, the sense of each word out.

    One encoder reads the text and the glosses of the word's senses: the vector of the
    word is the pooled one of its own tokens, that of a gloss the pooled one of all, and
    the sense is the one of the largest cosine. A gloss is read once however many texts
    ask for it, and senses that no training text had can be found by their glosses.
    `text.sense_dataset` makes what its model is fitted on.

    The first sense of a dictionary that is ordered by frequency is hard to beat; `lead`
    makes it the answer wherever another one is ahead of it by little.

    Shapes: `B` texts.

    Args:
        model: `models.DualEncoder`.
        tokenizer: `text.SentencePieceTokenizer`, or the `text.HuggingFaceTokenizer` of
            pretrained weights.
        max_length: int, at least 3: most tokens of a text or gloss, special ones
            included; the encoder's `max_sequence_length` when `None`.
        truncate: bool. Whether a longer text loses what is farthest from the word, and
            a gloss its end; else they are refused.
        lead: float, at least 0. By how much, of a cosine, another sense must be above
            the first.

    Raises:
        TypeError: `model` is of another class.
        ValueError: the vocabularies of model and tokenizer differ in size, or a number
            is out of range.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["a bank of a river"] * 5, 300)
        >>> encoder = keras_lm.models.TransformerEncoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=64)
        >>> sense = WordSense(keras_lm.models.DualEncoder(encoder), tokenizer)
        >>> glosses = ["land by a river", "who lends money"]
        >>> [scores.shape for scores in sense.scores(["a [[bank]] lends"], [glosses])]
        [(2,)]

    Source: https://arxiv.org/abs/2005.02590.
    """

    def __init__(
        self,
        model,
        tokenizer,
        max_length: int | None = None,
        truncate: bool = False,
        lead: float = 0.0,
    ):
        if not isinstance(model, DualEncoder):
            raise TypeError(
                "`model` must be a `models.DualEncoder`. "
                f"Received: {type(model).__name__}"
            )
        check_number("lead", lead, 0)
        self.max_length = check_encoder(model.encoder, tokenizer, max_length, least=3)
        self.model = model
        self.tokenizer = tokenizer
        self.truncate = truncate
        self.lead = lead

    def __call__(
        self,
        texts: Sequence,
        wordnet,
        lemmas: Sequence | None = None,
        parts: Sequence | None = None,
    ) -> list:
        """The sense of the marked word of each text.

        Args:
            texts: list of str or UTF-8 bytes, in each a word between `[[` and `]]`.
            wordnet: `text.WordNet`, or another object whose `senses(word, pos)` gives a
                list of senses, each with a `gloss`.
            lemmas: str for each text: what is looked up; the word itself when `None`.
            parts: for each text "n", "v", "a" or "r", or `None` for all of them; all
                when `None`.

        Returns:
            list of `B` senses, `None` for a word that is not in `wordnet`.

        Raises:
            TypeError: `texts`, `lemmas` or `parts` is one string, or a text is neither
                str nor bytes.
            ValueError: no word is marked, a text has too many tokens, or there is not a
                lemma or part for each text.
        """
        texts = list_of_texts(texts)
        if lemmas is None:
            lemmas = [split_marked(text)[1] for text in texts]
        if parts is None:
            parts = [None] * len(texts)
        check_lists(lemmas=lemmas, parts=parts)
        lemmas, parts = list(lemmas), list(parts)
        if not len(texts) == len(lemmas) == len(parts):
            raise ValueError(
                "There must be a lemma and a part of speech for each text. Received: "
                f"{len(texts)} texts, {len(lemmas)} lemmas and {len(parts)} parts"
            )
        senses = [
            wordnet.senses(lemma, pos) for lemma, pos in zip(lemmas, parts, strict=True)
        ]
        scores = self.scores(texts, [[s.gloss for s in some] for some in senses])
        return [
            some[sense_above(row, self.lead)] if some else None
            for some, row in zip(senses, scores, strict=True)
        ]

    def scores(self, texts: Sequence, glosses: Sequence[Sequence]) -> list[np.ndarray]:
        """How near the marked word of each text is to each gloss.

        Args:
            texts: list of str or UTF-8 bytes, in each a word between `[[` and `]]`.
            glosses: for each text a list of str or UTF-8 bytes.

        Returns:
            list of `B` float32 arrays: cosines, one for each gloss of the text.

        Raises:
            TypeError: as the call, or the glosses of a text are one string.
            ValueError: as the call, or there is not a list of glosses for each text.
        """
        texts, glosses = list_of_texts(texts), lists_of_texts(glosses, "glosses")
        if len(texts) != len(glosses):
            raise ValueError(
                "There must be a list of glosses for each text. "
                f"Received: {len(texts)} and {len(glosses)}"
            )
        places: dict[str, int] = {}
        numbers = [
            [places.setdefault(as_unicode(gloss), len(places)) for gloss in some]
            for some in glosses
        ]
        for text in texts:
            split_marked(text)
        words = self.vectors(texts)
        vectors = self._vectors(list(places), has_marks=False)
        return [
            vectors[some] @ word if some else np.zeros(0, "float32")
            for some, word in zip(numbers, words, strict=True)
        ]

    def vectors(self, texts: Sequence) -> np.ndarray:
        """The vector of each marked word, or of a whole text without a mark: a gloss.

        Args:
            texts: list of str or UTF-8 bytes.

        Returns:
            float32 `(B, D)`, each row of length 1; `D` is the encoder's width.

        Raises:
            TypeError: as the call.
            ValueError: a text has too many tokens.
        """
        return self._vectors(list_of_texts(texts), has_marks=True)

    def _vectors(self, texts, has_marks):
        encoder, limits = self.model.encoder, (self.max_length, self.truncate)
        arrays = marked_arrays(self.tokenizer, texts, *limits, has_marks)
        width, most = encoder.hidden_dim, encoder.max_sequence_length
        return predict_texts(self._with_pooling(), arrays, width, most)

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model and tokenizer to one directory, complete or not at all.

        The dictionary is not written: give it to the call again.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        names = ("max_length", "truncate", "lead")
        settings = {name: getattr(self, name) for name in names}
        save_pipeline(self, directory, settings, overwrite)

    def _with_pooling(self) -> keras.Model:
        """Encoder and pooling as one model, made once for a model."""
        made = getattr(self, "_made", None)
        if made is None or made[0] is not self.model:
            inputs = {
                name: keras.Input((None,), dtype=kind, name=name)
                for name, kind in _KINDS.items()
            }
            vectors = self.model.encode(**inputs)
            made = self._made = (self.model, keras.Model(inputs, vectors))
        return made[1]
