"""The tokenizer of a pretrained model, as Hugging Face's library runs it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.context_stream_decoder import ContextStreamDecoder
from keras_lm.text.encoded_pair import EncodedPair
from keras_lm.text.special_frame import special_frame
from keras_lm.text.unicode import as_unicode

# What ends a text: BERT's, Llama's and RoBERTa's, GPT-2's and Qwen's, Llama 3's.
ENDS = "[SEP]", "</s>", "<|endoftext|>", "<|end_of_text|>"


class HuggingFaceTokenizer:
    """Text to the token ids that a pretrained model was trained on.

    It is the `tokenizers` package with the `tokenizer.json` that lies beside the
    weights: special tokens and segments are those of the model; what the file says of
    padding and of cutting long texts is left to the calls. Names of special tokens in a
    text, as "</s>", are these tokens. Lower-case models forget capitals and accents, so
    `decode` gives no text back as it was.

    That file is the only one that is read. Where a directory has others (`vocab.txt`,
    `vocab.json` and `merges.txt`, `tokenizer.model`), transformers makes it of them:
    `AutoTokenizer.from_pretrained(path).save_pretrained(path)`.

    `vocabulary_size`, `padding_id`, `mask_id`, `unknown_id`, `class_id` (before a text)
    and `separator_id` (behind it, a decoder's end of a text) are attributes, all but
    the first `None` where the model has none. `sentinel_ids` are T5's; `special_ids`
    are these and all that the file calls special. `separates_pairs` says whether
    something stands between two texts; `frame` is what stands before and behind one,
    two lists of ids; `space_ids` are the pieces "▁" and "Ġ", where a vocabulary writes
    a space so, by these names.

    Args:
        definition: str, the content of a `tokenizer.json`.

    Raises:
        ImportError: tokenizers is not installed (the extra `pretrained`).
        ValueError: `definition` is no such content, or gives no text a token.

    Source: https://github.com/huggingface/tokenizers
    """

    FILE_SUFFIX = ".json"

    def __init__(self, definition: str):
        self._tokenizer = _read(definition)
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.definition = definition
        self.vocabulary_size = self._tokenizer.get_vocab_size()
        self.padding_id = self._known("[PAD]", "<pad>")
        self.mask_id = self._known("[MASK]", "<mask>")
        self.unknown_id = self._known("[UNK]", "<unk>")
        self.frame = special_frame(self._tokenizer)
        one, two = map(self._tokenizer.num_special_tokens_to_add, (False, True))
        self.separates_pairs = two > one
        spaces = {sign: self._known(sign) for sign in "▁Ġ"}
        self.space_ids = {sign: n for sign, n in spaces.items() if n is not None}
        self.class_id = self._known("[CLS]", "<s>")
        self.separator_id = self._known(*ENDS)
        added = self._tokenizer.get_added_tokens_decoder()
        special = {token_id for token_id, one in added.items() if one.special}
        special |= {self.padding_id, self.mask_id, self.class_id, self.separator_id}
        self.sentinel_ids = []
        while (one := self._known(f"<extra_id_{len(self.sentinel_ids)}>")) is not None:
            self.sentinel_ids.append(one)
        self.special_ids = sorted({*special, *self.sentinel_ids} - {None})

    def __call__(self, texts: Sequence, pairs=None, max_length: int = 512):
        """Arrays for `models.TransformerEncoder`, padded to the longest text.

        Args:
            texts: str or UTF-8 bytes for each text. Invalid bytes become U+FFFD.
            pairs: as many second texts, as a question's context; or `None`.
            max_length: int, at least the number of special tokens. Longer texts lose
                their end; of two, the longer first.

        Returns:
            dictionary of arrays `(B, T)`: int32 `token_ids`, bool `padding_mask` and
            int32 `segment_ids`.

        Raises:
            TypeError: a text is neither str nor bytes.
            ValueError: there is no text, not as many pairs as texts, or `max_length`
                leaves no room for the special tokens.

        Example:
            >>> tokenizer = HuggingFaceTokenizer.load(path)  # doctest: +SKIP
            >>> tokenizer(["one", "one two"])["token_ids"].shape  # doctest: +SKIP
            (2, 4)
        """
        texts = [as_unicode(text) for text in texts]
        if not texts:
            raise ValueError("`texts` must hold at least one text. Received: none")
        if pairs is not None:
            pairs = [as_unicode(text) for text in pairs]
            if len(pairs) != len(texts):
                raise ValueError(
                    "`pairs` must have a text for each of `texts`. Received: "
                    f"{len(pairs)} and {len(texts)}"
                )
            texts = list(zip(texts, pairs, strict=True))
        self._truncate(max_length, pairs is not None)
        encoded = self._tokenizer.encode_batch(texts)
        self._tokenizer.no_truncation()
        shape = len(encoded), max(1, *(len(one) for one in encoded))
        token_ids = np.full(shape, self.padding_id or 0, "int32")
        segment_ids, real = np.zeros(shape, "int32"), np.zeros(shape, "bool")
        for row, one in enumerate(encoded):
            token_ids[row, : len(one)] = one.ids
            segment_ids[row, : len(one)] = one.type_ids
            real[row, : len(one)] = True
        return {
            "token_ids": token_ids,
            "padding_mask": real,
            "segment_ids": segment_ids,
        }

    def encode(self, text):
        """Token ids of a text, special tokens included.

        Args:
            text: str or UTF-8 bytes, or a list of these.

        Returns:
            list of int, or a list of these.

        Raises:
            TypeError: a text is neither str nor bytes.
        """
        if isinstance(text, (str, bytes)):
            return self._tokenizer.encode(as_unicode(text)).ids
        texts = [as_unicode(one) for one in text]
        return [one.ids for one in self._tokenizer.encode_batch(texts)]

    def encode_parts(self, texts: Sequence) -> list[list[int]]:
        """Token ids of parts of a text, without special tokens.

        Args:
            texts: str or UTF-8 bytes, words with the space before them, say.

        Returns:
            list of lists of int, possibly empty.

        Raises:
            TypeError: a text is neither str nor bytes.
        """
        texts = [as_unicode(text) for text in texts]
        encoded = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [one.ids for one in encoded]

    def encode_pairs(self, pairs: Sequence, max_length: int | None = None):
        """Token ids of pairs of texts, special tokens included, and their segments.

        Args:
            pairs: tuples or lists of two, str or UTF-8 bytes.
            max_length: int, or `None` for no limit. Longer pairs lose the end of the
                longer text, then of both.

        Returns:
            `(rows, segments)`: lists of lists of int.

        Raises:
            TypeError: a text is neither str nor bytes.
            ValueError: `max_length` leaves no room for the special tokens.
        """
        texts = [tuple(as_unicode(text) for text in pair) for pair in pairs]
        if max_length is not None:
            self._truncate(max_length, True)
        encoded = self._tokenizer.encode_batch(texts)
        self._tokenizer.no_truncation()
        return [one.ids for one in encoded], [one.type_ids for one in encoded]

    def encode_pairs_with_offsets(self, pairs: Sequence) -> list["EncodedPair"]:
        """Pairs of texts, special tokens included, and where each token stands.

        Args:
            pairs: tuples or lists of two, str or UTF-8 bytes.

        Returns:
            list of `EncodedPair`.

        Raises:
            TypeError: a text is neither str nor bytes.
        """
        texts = [tuple(as_unicode(text) for text in pair) for pair in pairs]
        return [
            EncodedPair(
                one.ids,
                one.type_ids,
                np.array([-1 if s is None else s for s in one.sequence_ids], "int64"),
                np.array(one.offsets, "int64").reshape(-1, 2),
            )
            for one in self._tokenizer.encode_batch(texts)
        ]

    def decode(self, token_ids) -> str:
        """What the tokens say, without the special ones.

        Args:
            token_ids: sequence of int.

        Returns:
            str.
        """
        return self._tokenizer.decode([int(token) for token in token_ids])

    def stream_decoder(self, before: Sequence[int] = ()) -> ContextStreamDecoder:
        """A decoder that takes token ids one at a time.

        Args:
            before: token ids that stand before them, as a prompt's.

        Returns:
            `ContextStreamDecoder` with `push(token_id)` and `flush()`.
        """
        return ContextStreamDecoder(self, before)

    def pieces(self) -> list[str]:
        """How the model's vocabulary is written, "##ing" or "▁the" say.

        Returns:
            list of str, `vocabulary_size` of them; "" for an id that is not given.
        """
        ids = range(self.vocabulary_size)
        return [self._tokenizer.id_to_token(token_id) or "" for token_id in ids]

    def save(self, path):
        """Writes `tokenizer.json`.

        Args:
            path: str or path: the file.

        Raises:
            OSError: the file cannot be written.
        """
        Path(path).write_text(self.definition, encoding="utf-8")

    @classmethod
    def load(cls, path) -> "HuggingFaceTokenizer":
        """The tokenizer of a model.

        Args:
            path: str or path: a `tokenizer.json`, or the directory that holds it.

        Returns:
            `HuggingFaceTokenizer`.

        Raises:
            ImportError: tokenizers is not installed (the extra `pretrained`).
            OSError: there is none, or it cannot be read.
            ValueError: it is no tokenizer.
        """
        path = Path(path)
        if path.is_dir():
            path = path / "tokenizer.json"
        if not path.is_file():
            raise FileNotFoundError(
                f"The tokenizer must be in {path}, the only file of it that is read "
                "(transformers makes it: `AutoTokenizer.from_pretrained(path)"
                ".save_pretrained(path)`). Received: no such file"
            )
        try:
            return cls(path.read_text("utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def _truncate(self, max_length, is_pair):
        least = self._tokenizer.num_special_tokens_to_add(is_pair)
        check_at_least(max(1, least), max_length=max_length)  # below, nothing is cut
        self._tokenizer.enable_truncation(max_length)

    def _known(self, *names):
        ids = (self._tokenizer.token_to_id(name) for name in names)
        return next((one for one in ids if one is not None), None)


def _read(definition):
    try:
        import tokenizers
    except ImportError as error:
        raise ImportError(
            "Pretrained tokenizers need the extra `pretrained`: pip install "
            "'keras-lm[pretrained]'. Received: an installation without tokenizers"
        ) from error
    try:
        return tokenizers.Tokenizer.from_str(definition)
    except Exception as error:  # the library raises no other
        raise ValueError(
            "`definition` must be the content of a tokenizer.json. "
            f"Received: {definition[:50]!r} ({error})"
        ) from error
