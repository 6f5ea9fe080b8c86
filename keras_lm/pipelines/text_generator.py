"""Continues text: a decoder and its tokenizer."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from keras_lm.pipelines.check_decoder import check_decoder
from keras_lm.pipelines.continue_prompts import continue_prompts, stream_prompt
from keras_lm.pipelines.save_pipeline import save_pipeline
from keras_lm.pipelines.score_rows import score_rows
from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.plain_rows import plain_rows


class TextGenerator:
    """Strings in, their continuations out.

    A prompt is read as the beginning of a document: the tokenizer's separator comes
    before it, so that the empty prompt is one too. A continuation ends at the next
    separator, at a stop string, or after `max_new_tokens` tokens.

    A pretrained decoder takes the tokenizer that lies beside it, `model =
    TransformerDecoder.from_pretrained(path)` and `HuggingFaceTokenizer.load(path)`.
    What that puts before a text, as Llama's `<s>`, begins the document then; GPT-2's
    puts nothing there, so its separator does, `<|endoftext|>`. Special tokens that a
    prompt names are these tokens, and say nothing in a continuation. Such a pipeline is
    not exported: its tokenizer is no TensorFlow graph.

    Args:
        model: a decoder of the decoding protocol, for example
            `models.TransformerDecoder`.
        tokenizer: `text.SentencePieceTokenizer`, or `text.HuggingFaceTokenizer`, which
            may have fewer tokens than the model.
        max_new_tokens: int, at least 1. Default of the calls, and what an exported
            `serving_default` uses.

    Raises:
        ValueError: the vocabularies of model and tokenizer differ in size, the
            tokenizer has no token that ends a text, or `max_new_tokens` is below 1.

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
        check_decoder(model, tokenizer, max_new_tokens)
        self.model = model
        self.tokenizer = tokenizer
        self.max_new_tokens = int(max_new_tokens)

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
            TypeError: a text or `stop` is of another type.
            ValueError: a prompt and its new tokens do not fit the model, or an
                argument is out of range.
        """
        if isinstance(texts, (str, bytes)):
            return self([texts], max_new_tokens, sampler, stop, seed)[0]
        if hasattr(texts, "as_numpy_iterator"):  # a tf.data.Dataset
            batches = [np.asarray(batch, object) for batch in texts.as_numpy_iterator()]
            texts = [text for batch in batches for text in batch.ravel()]
        texts = list_of_texts(texts)
        if max_new_tokens is None:
            max_new_tokens = self.max_new_tokens
        prompts = self._prompts(texts)
        return continue_prompts(
            self.model, self.tokenizer, prompts, max_new_tokens, sampler, stop, seed
        )

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
            TypeError: as the call.
            ValueError: as the call, before the first piece.
        """
        if max_new_tokens is None:
            max_new_tokens = self.max_new_tokens
        (prompt,) = self._prompts([text])
        return stream_prompt(
            self.model, self.tokenizer, prompt, max_new_tokens, sampler, stop, seed
        )

    def score(self, texts) -> np.ndarray:
        """How likely the model finds each text, after what begins a document.

        Args:
            texts: list of str or UTF-8 bytes.

        Returns:
            float32 `(len(texts),)`: log-likelihoods, nats, at most 0; the sum over the
            tokens of the text. The empty text has 0.

        Raises:
            TypeError: `texts` is one string.
            ValueError: a text is longer than the model.
        """
        before, rows = self._encode(list_of_texts(texts))
        rows = [before + token_ids for token_ids in rows]
        return score_rows(self.model, rows, [len(before)] * len(rows))

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
        before, rows = self._encode(texts)
        return [before + token_ids for token_ids in rows]

    def _encode(self, texts):
        """What begins a document, and the tokens of each text."""
        before, rows = plain_rows(self.tokenizer, texts)
        return before or [self.tokenizer.separator_id], rows
