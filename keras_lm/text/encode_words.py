"""Sentences of words as rows of token ids that know their words."""

from collections.abc import Sequence
from itertools import chain, repeat

from keras_lm.text.check_at_least import check_at_least
from keras_lm.text.hugging_face_tokenizer import HuggingFaceTokenizer
from keras_lm.text.split_words import JOINERS

NO_WORD = -1


def encode_words(
    tokenizer,
    sentences: Sequence[Sequence[str]],
    split: str = "words",
    max_length: int | None = None,
    truncate: bool = False,
) -> tuple[list[list[int]], list[list[int]]]:
    """Token ids of each sentence, and the word that each token belongs to.

    Words are encoded one by one, all but the first with the space before them
    (characters without), so no token belongs to two. Where a tokenizer writes a space
    before each text, as XLM-R's, a character but the first has none that is a token of
    its own. A word that gives no token, as an invisible character to BERT, is the
    unknown token. The special tokens are those of `encode_texts`; they belong to no
    word, -1.

    Args:
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.
        sentences: lists of words, as `split_words` gives them.
        split: "words" or "characters".
        max_length: int or `None`. Most tokens of a sentence, special ones included.
        truncate: bool. Whether a longer sentence loses its end; else it is refused.

    Returns:
        `(rows, places)`: for each sentence a list of int, and another as long. Words
        that were cut off are in neither.

    Raises:
        ValueError: a sentence has more tokens, `max_length` leaves no room, or a word
            gives no token and the tokenizer has no unknown one.
    """
    before, behind = frame_of(tokenizer)
    special = len(before) + len(behind)
    if max_length is not None:
        check_at_least(1, max_length=max_length)
    if max_length is not None and max_length <= special:
        raise ValueError(
            f"`max_length` must be at least {special + 1}, the special tokens and a "
            f"word. Received: max_length={max_length}"
        )
    spaced = [
        [JOINERS[split] * bool(place) + word for place, word in enumerate(words)]
        for words in sentences
    ]
    known, spaces = _known(tokenizer, spaced), getattr(tokenizer, "space_ids", {})
    rows, places = [], []
    for number, words in enumerate(spaced):
        parts = [known[word] for word in words]
        if split == "characters":
            parts[1:] = map(_without_space, parts[1:], words[1:], repeat(spaces))
        token_ids = list(chain.from_iterable(parts))
        owners = [place for place, part in enumerate(parts) for _ in part]
        if max_length is not None and len(token_ids) + special > max_length:
            if not truncate:
                raise ValueError(
                    f"A sentence must have at most {max_length} tokens (or `truncate` "
                    f"be true). Received: {len(token_ids) + special} in sentence "
                    f"{number}"
                )
            token_ids = token_ids[: max_length - special]
            owners = owners[: max_length - special]
        rows.append([*before, *token_ids, *behind])
        places.append([*[NO_WORD] * len(before), *owners, *[NO_WORD] * len(behind)])
    return rows, places


def first_tokens(places: Sequence[int]) -> list[int]:
    """Where the first token of each word is, which speaks for it.

    Args:
        places: of a sentence, from `encode_words`.

    Returns:
        list of int, one for each word that was not cut off.

    Example:
        >>> first_tokens([-1, 0, 0, 1, 2, 2, -1])
        [1, 3, 4]
    """
    words = [NO_WORD, *places]
    return [
        token
        for token, (last, word) in enumerate(zip(words, places, strict=False))
        if word not in (last, NO_WORD)
    ]


def marks_of(
    places: Sequence[Sequence[int]],
    predicates: Sequence[int],
    sentences: Sequence[Sequence],
) -> list[list[int]]:
    """Marks of the tokens of one word of each sentence.

    Args:
        places: of `encode_words`.
        predicates: ints, the place of the word in each sentence.
        sentences: lists of words.

    Returns:
        for each sentence a list of int: 1 for a token of the word, else 0.

    Raises:
        TypeError: `predicates` is no list, or a predicate no int.
        ValueError: there is not one for each sentence, or it is out of range or cut
            off.
    """
    if not hasattr(predicates, "__iter__"):
        raise TypeError(f"`predicates` must be a list. Received: {predicates!r:.50}")
    predicates = list(predicates)
    if len(predicates) != len(sentences):
        raise ValueError(
            "There must be a predicate for each sentence. Received: "
            f"{len(sentences)} sentences and {len(predicates)} predicates"
        )
    marks = []
    for number, (row, word) in enumerate(zip(places, predicates, strict=True)):
        if isinstance(word, bool) or not hasattr(word, "__index__"):
            raise TypeError(
                "A predicate must be an int, the place of a word. "
                f"Received: {word!r} in sentence {number}"
            )
        if not 0 <= word < len(sentences[number]):
            raise ValueError(
                "A predicate must be at least 0 and below the number of words, "
                f"{len(sentences[number])}. Received: {word} in sentence {number}"
            )
        if word not in row:
            raise ValueError(
                "A predicate must be among the words that are not cut off. "
                f"Received: word {word} of sentence {number}"
            )
        marks.append([int(place == word) for place in row])
    return marks


def frame_of(tokenizer) -> tuple[list[int], list[int]]:
    """The special tokens around a text.

    Args:
        tokenizer: `SentencePieceTokenizer` or `HuggingFaceTokenizer`.

    Returns:
        `(before, behind)`: lists of int.
    """
    if isinstance(tokenizer, HuggingFaceTokenizer):
        return tokenizer.frame
    return [], [tokenizer.separator_id]


def _known(tokenizer, sentences):
    """Token ids of each word, at least one."""
    words = sorted({word for sentence in sentences for word in sentence})
    plain = isinstance(tokenizer, HuggingFaceTokenizer)
    rows = tokenizer.encode_parts(words) if plain else tokenizer.encode(words)
    known = dict(zip(words, rows, strict=True))
    for word in [word for word, row in known.items() if not row]:
        if tokenizer.unknown_id is None:
            raise ValueError(
                "A word that gives no token needs a tokenizer with an unknown one. "
                f"Received: {word!r}, and a tokenizer without"
            )
        known[word] = [tokenizer.unknown_id]
    return known


def _without_space(token_ids, word, spaces):
    """Tokens of a word that stands behind another without a space between."""
    is_added = any(
        token_ids[0] == token_id and word[:1] not in (" ", sign)
        for sign, token_id in spaces.items()
    )
    return token_ids[1:] if is_added and len(token_ids) > 1 else token_ids
