"""Tiny tokenizers, and texts, bytes and ids that are hard on a tokenizer."""

import functools
import random

from hypothesis import strategies as st

from keras_lm.text import HuggingFaceTokenizer, docstring_corpus, train_tokenizer

CORPUS = [
    "def area(width, height):\n    return width * height\n\n\n",
    "The area of a circle, of a square.  中文分词,中文。\n\twidth  height",
] * 20
TOKENIZER = train_tokenizer(CORPUS, vocabulary_size=400)
# The same with what pretraining needs: a mask token and sentinels.
MASKER = TOKENIZER.with_special_tokens(num_sentinels=30)
# And the same with a token for each role of a chat.
TALKER = TOKENIZER.with_roles()

# Each of these has broken some tokenizer.
HARD_PARTS = [
    *["", " ", "  ", "\n", "\r\n", "\t", "\0", "\u3000", "\ufeff", "\u2028", "\x85"],
    *["<s>", "</s>", "<unk>", "<pad>", "<0x0A>", "\\1", "\\0", "%", "⁇", "\ufffd"],
    *["▁", "▁▁", "\x1b", "\x1b0", "\x1b1", "\x1b▁", "▅", "\ue000", "\U0010ffff"],
    *["👩‍👩‍👧", "🇨🇳", "e\u0301", "é", "ﬁ", "Å", "中文", "한국", "مرحبا", "\ufffe"],
    *["def area(", "    return", " width", "of a"],
]
HARD_TEXTS = ["", *HARD_PARTS, " ".join(HARD_PARTS), "".join(HARD_PARTS)]
TEXTS = st.lists(st.sampled_from(HARD_PARTS) | st.text(max_size=5), max_size=9).map(
    "".join
)

# Lone continuation, truncated, overlong, surrogate, above U+10FFFF, never valid.
INVALID_PARTS = [
    *[
        b"\x80",
        b"\xbf\xbf",
        b"\xc3",
        b"\xe4\xb8",
        b"\xf0\x9f\x91",
        b"\xf0\x9f",
        b"\xf0",
    ],
    *[b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xc1\xbf"],
    *[b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb1\xa9", b"\xed\xbf\xbf"],
    *[b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff"],
]
BYTES = st.lists(
    st.sampled_from(INVALID_PARTS)
    | st.binary(max_size=4)
    | TEXTS.map(lambda text: text.encode("utf-8")),
    max_size=7,
).map(b"".join)

# Mostly bytes (ids 3 to 258), among them those of U+2581 and of an escape.
BYTE_IDS = [3 + byte for byte in "▁\x1b01中👩".encode()]
TOKEN_IDS = st.lists(
    st.sampled_from(BYTE_IDS)
    | st.integers(0, 258)
    | st.integers(0, TOKENIZER.vocabulary_size - 1),
    max_size=20,
)

CHINESE = [
    *"的一是不了在人有我他这。，？！《》、：“”\u3000㐀𠀀繁體國語讀書豈更々〇",
    "……",
]
CHINESE += ["中文", "分词", "函数", "返回", "数组", "排序", "模型", "训练", "语言"]
MIXED = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "🇨🇳", "🇩🇪", "👍🏽", "👩🏿‍🔬", "1️⃣", "☃️", "🙂", "❤"]
MIXED += ["café", "cafe\u0301", "Ångström", "A\u030a", "ñ", "Ÿ", "ﬁn", "ß", "İstanbul"]
MIXED += [
    "한국어",
    "한",
    "\u1112\u1161\u11ab",
    "нет",
    "مرحبا",
    "नमस्ते",
    "ไทย",
    "かな",
    "ｶﾅ",
]
MIXED += ["the", "Return", "x_1", "don't", "3.14", "(a)", "--", "#tag", "a" * 99, "ΣΑΣ"]
MIXED += ["\n", "\t"]


@functools.cache
def thousand_texts():
    """The same ones always: docstrings; Chinese; signs, accents and scripts mixed."""
    documents = docstring_corpus(packages=["numpy"])[:60]
    lines = [line for one in documents for line in one.text.splitlines()]
    numbers = random.Random(5)

    def text(parts, joiners):
        some = [numbers.choice(parts) for _ in range(numbers.randint(1, 12))]
        return "".join(part + numbers.choice(joiners) for part in some)

    def chinese():  # one in four is any character
        any_one = chr(numbers.randint(0x4E00, 0x9FFF))
        return text([*CHINESE, *[any_one] * (len(CHINESE) // 3)], ["", "", " "])

    texts = [*[*dict.fromkeys(lines)][:334], *[chinese() for _ in range(333)]]
    return [*texts, *[text(MIXED, ["", " "]) for _ in range(333)]]


WORDS = ["<s>", "</s>", "<pad>", "<unk>", "a", "b", "c"]


def word_tokenizer(processor=None):
    """A pretrained one of `WORDS`, with its special tokens if they are given."""
    import tokenizers

    model = tokenizers.models.WordLevel(
        {word: place for place, word in enumerate(WORDS)}, unk_token="<unk>"
    )
    tokenizer = tokenizers.Tokenizer(model)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    if processor is not None:
        tokenizer.post_processor = processor
    return HuggingFaceTokenizer(tokenizer.to_str())


def gpt2_tokenizer(add_prefix_space=False):
    """One of bytes, as GPT-2's: nothing stands around a text, one token ends it."""
    import tokenizers

    pieces = sorted(tokenizers.pre_tokenizers.ByteLevel.alphabet())
    pieces += ["Ġa", "ab", "<|endoftext|>"]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    merges = [("Ġ", "a"), ("a", "b")]
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.add_special_tokens([pieces[-1]])
    return HuggingFaceTokenizer(tokenizer.to_str())


def llama_tokenizer():
    """One as Llama's: `<s>` and a space before a text, other characters in bytes."""
    import tokenizers

    decoders, normalizers = tokenizers.decoders, tokenizers.normalizers
    pieces = ["<unk>", "<s>", "</s>", *[f"<0x{byte:02X}>" for byte in range(256)]]
    pieces += [*"▁ab中", "▁a", "▁b", "ab"]
    vocabulary = {piece: place for place, piece in enumerate(pieces)}
    merges = [("▁", "a"), ("▁", "b"), ("a", "b")]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.BPE(
            vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    spaces = decoders.Replace("▁", " "), decoders.Strip(" ", 1, 0)
    tokenizer.decoder = decoders.Sequence(
        [spaces[0], decoders.ByteFallback(), decoders.Fuse(), spaces[1]]
    )
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 1)]
    )
    tokenizer.add_special_tokens(pieces[:3])
    return HuggingFaceTokenizer(tokenizer.to_str())
