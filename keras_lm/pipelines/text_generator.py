"""Continues text: a decoder and its tokenizer."""

from collections.abc import Callable, Iterator, Sequence

import keras
import numpy as np

from keras_lm.generation import generate, stream
from keras_lm.generation.generate import bucket
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.stop_strings import StopStrings

_ROWS_AT_ONCE = 8  # scores take memory for rows x steps x vocabulary


class TextGenerator:
    """Strings in, their continuations out.

    A prompt is read as the beginning of a document: the tokenizer's separator comes
    before it, so that the empty prompt is one too. A continuation ends at the next
    separator, at a stop string, or after `max_new_tokens` tokens.

    Args:
        model: a decoder of the decoding protocol, for example
            `models.TransformerDecoder`.
        tokenizer: `text.SentencePieceTokenizer`.
        max_new_tokens: int, at least 1. Default of the calls, and what an exported
            `serving_default` uses.

    Raises:
        ValueError: the vocabularies of model and tokenizer differ in size, or
            `max_new_tokens` is below 1.

    Example:
        >>> tokenizer = keras_lm.text.train_tokenizer(["one two"] * 5, 300)
        >>> model = keras_lm.models.TransformerDecoder(
        ...     tokenizer.vocabulary_size, num_layers=1, num_heads=2, hidden_dim=8,
        ...     intermediate_dim=16, max_sequence_length=32)
        >>> generator = TextGenerator(model, tokenizer, max_new_tokens=4)
        >>> len(generator(["one", ""]))
        2
    """

    def __init__(self, model, tokenizer, max_new_tokens: int = 64):
        if model.vocabulary_size != tokenizer.vocabulary_size:
            raise ValueError(
                "Model and tokenizer must have vocabularies of one size. Received: "
                f"{model.vocabulary_size} and {tokenizer.vocabulary_size}"
            )
        if not isinstance(max_new_tokens, int) or max_new_tokens < 1:
            raise ValueError(
                "`max_new_tokens` must be an int, at least 1. "
                f"Received: max_new_tokens={max_new_tokens!r}"
            )
        self.model = model
        self.tokenizer = tokenizer
        self.max_new_tokens = max_new_tokens

    def __call__(
        self,
        texts,
        max_new_tokens: int | None = None,
        sampler: Callable | str = "greedy",
        stop: Sequence[str] = (),
        seed: int | None = None,
    ):
        """The continuation of each text.

        Args:
            texts: str or UTF-8 bytes, a list of these, or a `tf.data.Dataset` of
                strings or of batches of strings.
            max_new_tokens: int, at least 1; the pipeline's own when `None`.
            sampler: see `generation.generate`.
            stop: strings that end a continuation; they are not part of it.
            seed: int or `None`.

        Returns:
            str for one text, list of str otherwise: only what is new.

        Raises:
            ValueError: a prompt and its new tokens do not fit the model, or an
                argument is out of range.
        """
        if isinstance(texts, (str, bytes)):
            return self([texts], max_new_tokens, sampler, stop, seed)[0]
        if hasattr(texts, "as_numpy_iterator"):  # a tf.data.Dataset
            batches = [np.asarray(batch, object) for batch in texts.as_numpy_iterator()]
            texts = [text for batch in batches for text in batch.ravel()]
        texts = list(texts)
        if not texts:
            return []
        rows = [_Continuation(self.tokenizer, stop) for _ in texts]
        for step in self._steps(texts, max_new_tokens, sampler, bool(stop), seed):
            for row, token_id in zip(rows, step, strict=True):
                row.push(int(token_id))
            if all(row.ended for row in rows):
                break
        return ["".join([*row.pieces, row.flush()]) for row in rows]

    def stream(
        self,
        text: str | bytes,
        max_new_tokens: int | None = None,
        sampler: Callable | str = "greedy",
        stop: Sequence[str] = (),
        seed: int | None = None,
    ) -> Iterator[str]:
        """The continuation of one text, in pieces as they come.

        Args:
            text: str or UTF-8 bytes.
            max_new_tokens: as in the call.
            sampler: as in the call.
            stop: as in the call.
            seed: as in the call.

        Returns:
            iterator of str, never half a character; together, what the call gives.

        Raises:
            ValueError: as the call, before the first piece.
        """
        row = _Continuation(self.tokenizer, stop)
        steps = self._steps([text], max_new_tokens, sampler, True, seed)
        return _pieces(row, steps)

    def score(self, texts) -> np.ndarray:
        """How likely the model finds each text, after a separator.

        Args:
            texts: list of str or UTF-8 bytes.

        Returns:
            float32 `(len(texts),)`: log-likelihoods, nats, at most 0; the sum over the
            tokens of the text. The empty text has 0.

        Raises:
            TypeError: `texts` is one string.
            ValueError: a text is longer than the model.
        """
        if isinstance(texts, (str, bytes)):
            raise TypeError(f"`texts` must be a list of strings. Received: {texts!r}")
        rows = self._prompts(list(texts))
        longest = max((len(row) - 1 for row in rows), default=0)
        room = self.model.max_sequence_length
        if longest > room:
            raise ValueError(
                f"A text must fit the model's max_sequence_length={room}. "
                f"Received: {longest} tokens"
            )
        width = min(bucket(longest + 1), room + 1)
        parts = [
            self._log_likelihoods(rows[start : start + _ROWS_AT_ONCE], width)
            for start in range(0, len(rows), _ROWS_AT_ONCE)
        ]
        return np.concatenate([np.zeros((0,), "float32"), *parts])

    def save(self, directory, overwrite: bool = False) -> None:
        """Writes model and tokenizer to one directory, complete or not at all.

        Args:
            directory: str or path, read back by `pipelines.load`.
            overwrite: bool. Whether a directory that is there may be replaced.

        Raises:
            FileExistsError: it exists, and `overwrite` is false.
            OSError: it cannot be written.
        """
        settings = {"max_new_tokens": self.max_new_tokens}
        save_pipeline(self, directory, settings, overwrite)

    def _prompts(self, texts):
        separator = [self.tokenizer.separator_id]
        return [separator + token_ids for token_ids in self.tokenizer.encode(texts)]

    def _steps(self, texts, max_new_tokens, sampler, one_by_one, seed):
        """New tokens, an int array `(B,)` a step."""
        arguments = {
            "max_new_tokens": self.max_new_tokens,
            "sampler": sampler,
            "stop_token_ids": [self.tokenizer.separator_id],
            "seed": seed,
        }
        if max_new_tokens is not None:
            arguments["max_new_tokens"] = max_new_tokens
        prompts = self._prompts(texts)
        if one_by_one:
            return stream(self.model, prompts, **arguments)
        return generate(self.model, prompts, **arguments).T

    def _log_likelihoods(self, rows, width):
        token_ids = np.zeros((len(rows), width), "int32")
        for i, row in enumerate(rows):
            token_ids[i, : len(row)] = row  # padded on the right: causal, so unseen
        logits = keras.ops.convert_to_tensor(
            self.model.predict_on_batch(token_ids[:, :-1])
        )
        chosen = keras.ops.expand_dims(token_ids[:, 1:], -1)
        nats = keras.ops.take_along_axis(logits, chosen, axis=-1)[..., 0]
        nats = nats - keras.ops.logsumexp(logits, axis=-1)  # (B, T)
        lengths = np.array([[len(row) - 1] for row in rows])
        is_text = np.arange(width - 1) < lengths  # (B, T)
        return np.sum(keras.ops.convert_to_numpy(nats), axis=1, where=is_text)


class _Continuation:
    """One row while it comes: token ids in, pieces of text out."""

    def __init__(self, tokenizer, stop):
        self.separator_id = tokenizer.separator_id
        self.decoder = tokenizer.stream_decoder()
        self.stops = StopStrings(stop)
        self.pieces = []
        self.ended = False

    def push(self, token_id):
        if self.ended or token_id == self.separator_id:
            self.ended = True
            return
        self.pieces.append(self.stops.push(self.decoder.push(token_id)))
        self.ended = self.stops.found

    def flush(self):
        return self.stops.push(self.decoder.flush()) + self.stops.flush()


def _pieces(row, steps):
    for step in steps:
        row.push(int(step[0]))
        if row.pieces and row.pieces[-1]:
            yield row.pieces.pop()
        if row.ended:
            break
    rest = row.flush()
    if rest:
        yield rest
