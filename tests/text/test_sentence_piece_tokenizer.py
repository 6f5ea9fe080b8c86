"""SentencePieceTokenizer: nothing is lost, nothing is special, files, errors."""

import io

import numpy as np
import pytest
import sentencepiece
from hypothesis import example, given
from keras import ops

from keras_lm.text import SentencePieceTokenizer
from tests.text.samples import (
    BYTES,
    CORPUS,
    HARD_TEXTS,
    TALKER,
    TEXTS,
    TOKEN_IDS,
    TOKENIZER,
)

pytestmark = pytest.mark.once
SPECIAL = {0, 1, 2}
LONGER = TOKENIZER.with_special_tokens(num_sentinels=2)


def lossy_model(**settings):
    """A SentencePiece model as other projects train it."""
    model = io.BytesIO()
    settings = {"vocab_size": 300, "byte_fallback": True, "minloglevel": 2, **settings}
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(CORPUS), model_writer=model, model_type="bpe", **settings
    )
    return model.getvalue()


def test_a_case_done_by_hand():
    # Outside the vocabulary: the byte b has id 3 + b. Inside: one token.
    assert TOKENIZER.encode("ÿ") == [3 + 0xC3, 3 + 0xBF]
    assert TOKENIZER.decode([3 + 0xC3, 3 + 0xBF]) == "ÿ"
    assert len(TOKENIZER.encode(" width")) == 1
    assert len(TOKENIZER.encode("    return")) == 2
    assert (TOKENIZER.padding_id, TOKENIZER.separator_id) == (0, 1)
    assert len(TOKENIZER.vocabulary_bytes) == TOKENIZER.vocabulary_size


@pytest.mark.parametrize("text", HARD_TEXTS)
def test_hard_texts_survive(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(TEXTS)
def test_every_text_survives_without_special_tokens(text):
    token_ids = TOKENIZER.encode(text)

    assert TOKENIZER.decode(token_ids) == text
    assert not SPECIAL & set(token_ids)


@given(BYTES)
def test_bytes_give_what_their_replacement_gives(data):
    assert TOKENIZER.encode(data) == TOKENIZER.encode(data.decode("utf-8", "replace"))


@given(TOKEN_IDS)
def test_any_ids_decode_and_special_tokens_give_nothing(token_ids):
    text = TOKENIZER.decode(token_ids)

    assert text.encode("utf-8").decode("utf-8") == text
    assert TOKENIZER.decode([n for n in token_ids if n not in SPECIAL]) == text


def test_lists_and_arrays_are_taken_row_by_row():
    rows = TOKENIZER.encode(["area", "", b"of a \xff", "中文"])

    assert rows == [TOKENIZER.encode(t) for t in ["area", "", "of a \ufffd", "中文"]]
    assert TOKENIZER.decode(rows) == ["area", "", "of a \ufffd", "中文"]
    assert TOKENIZER.decode(np.array([rows[0], rows[0]])) == ["area", "area"]
    assert TOKENIZER.decode(np.array(rows[2], "int32")) == "of a \ufffd"
    assert TOKENIZER.decode(ops.convert_to_tensor([rows[0]])) == ["area"]
    assert TOKENIZER.decode([]) == ""
    assert TOKENIZER.encode([]) == []


def test_save_and_load(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.model")

    loaded = SentencePieceTokenizer.load(tmp_path / "tokenizer.model")

    assert loaded.model_proto == TOKENIZER.model_proto
    assert loaded.encode(HARD_TEXTS) == TOKENIZER.encode(HARD_TEXTS)


@given(TEXTS)
@example("<mask> <extra_id_0>\x1b<mask>\x1b<role_user><role_user>")
def test_a_mask_and_sentinels_move_no_other_token(text):
    assert LONGER.encode(text) == TOKENIZER.encode(text)
    assert LONGER.decode(LONGER.encode(text)) == text
    assert TALKER.encode(text) == TOKENIZER.encode(text)


def test_a_mask_and_sentinels_stand_behind_the_vocabulary():
    size = TOKENIZER.vocabulary_size

    assert (TOKENIZER.mask_id, TOKENIZER.sentinel_ids) == (None, [])
    assert TOKENIZER.special_ids == [0, 1, 2]
    assert (LONGER.mask_id, LONGER.sentinel_ids) == (size, [size + 1, size + 2])
    assert LONGER.special_ids == [0, 1, 2, size, size + 1, size + 2]
    assert LONGER.vocabulary_size == size + 3
    assert LONGER.vocabulary_bytes[:size] == TOKENIZER.vocabulary_bytes
    assert LONGER.decode([size, *LONGER.encode("中 🙂"), size + 2]) == "中 🙂"
    # What is there stays, and more are added behind it.
    assert LONGER.with_special_tokens(2).model_proto == LONGER.model_proto
    more = LONGER.with_special_tokens(3)
    assert (more.mask_id, more.sentinel_ids[-1]) == (size, size + 3)
    with pytest.raises(ValueError, match="`num_sentinels` must be at least 0"):
        TOKENIZER.with_special_tokens(-1)


def test_mask_and_sentinels_are_saved(tmp_path):
    LONGER.save(tmp_path / "tokenizer.model")

    loaded = SentencePieceTokenizer.load(tmp_path / "tokenizer.model")

    assert (loaded.mask_id, loaded.sentinel_ids) == (
        LONGER.mask_id,
        LONGER.sentinel_ids,
    )


def test_roles_stand_behind_the_vocabulary():
    size = TOKENIZER.vocabulary_size

    assert TOKENIZER.role_ids == {}
    roles = {"system": size, "user": size + 1, "assistant": size + 2}
    assert TALKER.role_ids == roles
    assert TALKER.special_ids == [0, 1, 2, size, size + 1, size + 2]
    assert TALKER.decode([size, *TALKER.encode("中 🙂"), size + 2]) == "中 🙂"
    assert TALKER.with_roles().model_proto == TALKER.model_proto
    both = LONGER.with_roles()
    assert (both.mask_id, both.sentinel_ids) == (LONGER.mask_id, LONGER.sentinel_ids)
    assert list(both.role_ids.values()) == [size + 3, size + 4, size + 5]
    assert TALKER.with_special_tokens().role_ids == roles


def test_ids_out_of_range_are_refused():
    size = TOKENIZER.vocabulary_size
    for token_ids, came in [([3, size], f"3 to {size}"), ([-1, 3], "-1 to 3")]:
        with pytest.raises(ValueError, match=f"and below {size}. Received: {came}"):
            TOKENIZER.decode(token_ids)


def test_what_is_no_text_is_refused():
    with pytest.raises(TypeError, match="a text must be str or bytes. Received: 5"):
        TOKENIZER.encode(["area", 5])


def test_what_is_no_model_is_refused(tmp_path):
    path = tmp_path / "tokenizer.model"
    path.write_bytes(TOKENIZER.model_proto[:1000])

    with pytest.raises(ValueError, match="tokenizer.model: .* must be a SentencePiece"):
        SentencePieceTokenizer.load(path)
    with pytest.raises(ValueError, match="Received: 0 bytes that are none"):
        SentencePieceTokenizer(b"")
    with pytest.raises(TypeError, match="the bytes of a SentencePiece model"):
        SentencePieceTokenizer("tokenizer.model")
    with pytest.raises(FileNotFoundError):
        SentencePieceTokenizer.load(tmp_path / "missing.model")


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"normalization_rule_name": "identity"},
        {"normalization_rule_name": "identity", "add_dummy_prefix": False},
        {"byte_fallback": False, "vocab_size": 60},
    ],
)
def test_a_model_that_loses_text_is_refused(settings):
    with pytest.raises(ValueError, match="must give every text back"):
        SentencePieceTokenizer(lossy_model(pad_id=3, **settings))


def test_a_model_without_padding_is_refused():
    with pytest.raises(ValueError, match="must have a padding and an end token"):
        SentencePieceTokenizer(lossy_model())


def test_each_token_stands_where_its_characters_do():
    token_ids, offsets = TOKENIZER.encode_with_offsets("width ▁é🙂\n")

    assert token_ids == TOKENIZER.encode("width ▁é🙂\n")
    pieces = [TOKENIZER.vocabulary_bytes[token_id] for token_id in token_ids]
    assert pieces[:4] == [b"width", b" ", b"\x1b", b"1"]  # U+2581 is ESC 1 there
    assert offsets[:4].tolist() == [[0, 5], [5, 5], [6, 7], [6, 7]]
    assert offsets[4:].tolist() == [[7, 8]] * 2 + [[8, 9]] * 4 + [[9, 9]]
    assert TOKENIZER.encode_with_offsets(b"a\xff\xff")[1][-1].tolist() == [2, 3]
    assert TOKENIZER.encode_with_offsets("")[1].shape == (0, 2)
