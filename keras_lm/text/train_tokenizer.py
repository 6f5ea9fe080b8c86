"""A tokenizer learnt from texts."""

import collections
import io

from keras_lm.text.list_of_texts import list_of_texts
from keras_lm.text.sentence_piece_tokenizer import SentencePieceTokenizer
from keras_lm.text.unicode import SPACE_SIGN, as_unicode, escape

_NUM_SPECIAL = 3 + 256  # padding, separator, unknown; one token for each byte
_CHUNK_CHARACTERS = 1000  # SentencePiece skips what is longer than its limit
_CHARACTER_COVERAGE = 0.9995


def train_tokenizer(
    texts, vocabulary_size, max_characters=10_000_000, num_threads=2
) -> SentencePieceTokenizer:
    """Learns a vocabulary of frequent pieces from texts.

    Byte pair encoding by SentencePiece, over the text as it is: newlines and
    indentation are content. (Byte pair encoding and not the unigram model, because
    its merges are exact: two versions of SentencePiece, here the Python package's
    and tensorflow-text's, never break a tie differently.) Ids 0, 1 and 2 are the
    padding, the separator and the unknown token; ids 3 to 258 are the bytes.
    The same texts give the same tokenizer.

    Args:
        texts: sequence of str or UTF-8 bytes.
        vocabulary_size: int, above 259. At most so many tokens: a small corpus
            gives a smaller vocabulary (see the tokenizer's `vocabulary_size`).
        max_characters: int, at least 1. From a larger corpus, chunks at even
            distances are taken that hold about so many characters.
        num_threads: int, at least 1. Does not change the result.

    Returns:
        `SentencePieceTokenizer`.

    Raises:
        TypeError: `texts` is one string, or holds something else than texts.
        ValueError: `vocabulary_size` is not above 259, or the texts are empty.

    Example:
        >>> from keras_lm import text
        >>> tokenizer = text.train_tokenizer(["one two three"] * 5, 300)
        >>> tokenizer.vocabulary_size <= 300
        True
    """
    import sentencepiece

    texts = list_of_texts(texts)
    if vocabulary_size <= _NUM_SPECIAL:
        raise ValueError(
            f"`vocabulary_size` must be above {_NUM_SPECIAL}: special tokens and "
            f"bytes. Received: vocabulary_size={vocabulary_size}"
        )
    chunks = _sample(_chunks(texts), max_characters)
    if not chunks:
        raise ValueError("`texts` must hold some text. Received: none")
    chunks = _without_rare_characters(chunks, vocabulary_size - _NUM_SPECIAL)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*chunks, " "]),  # newlines alone count as nothing
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary_size,
        hard_vocab_limit=False,
        required_chars=SPACE_SIGN,  # or a corpus without spaces would lose them
        character_coverage=_CHARACTER_COVERAGE,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        allow_whitespace_only_pieces=True,
        max_sentence_length=10 * _CHUNK_CHARACTERS,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        num_threads=num_threads,
        minloglevel=2,
    )
    return SentencePieceTokenizer(model.getvalue())


def _chunks(texts):
    """The texts, escaped, in parts that end with a line where there is one."""
    chunks = []
    for text in texts:
        text = escape(as_unicode(text)).replace("\0", "\n")  # NUL is never learnt
        start = 0
        while start < len(text):
            end = start + _CHUNK_CHARACTERS
            if end < len(text):
                end = text.rfind("\n", start + 1, end) + 1 or end
            chunks.append(text[start:end])
            start = end
    return chunks


def _sample(chunks, max_characters):
    """All chunks, or as many at even distances as hold about `max_characters`."""
    if max_characters < 1:
        raise ValueError(
            "`max_characters` must be at least 1. "
            f"Received: max_characters={max_characters}"
        )
    total = sum(map(len, chunks))
    step = -(-total // max_characters)
    return chunks[::step] if total else []


def _without_rare_characters(chunks, room):
    """The chunks with at most half of `room` different characters, else newlines.

    Each character takes a token of its own, and a Chinese corpus holds thousands;
    the rare ones are spelled in bytes.
    """
    counts = collections.Counter()
    for chunk in chunks:
        counts.update(chunk)
    # Ties are broken by the character, not by which one came first.
    order = sorted(counts, key=lambda character: (-counts[character], character))
    rare = dict.fromkeys(map(ord, order[max(1, room // 2) :]), "\n")
    return [chunk.translate(rare) for chunk in chunks] if rare else chunks
