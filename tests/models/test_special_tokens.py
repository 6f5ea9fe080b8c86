"""special_tokens: what files said, what a tokenizer knows, what one says oneself."""

from types import SimpleNamespace

import pytest

from keras_lm.models.special_tokens import kept_settings, special_tokens

pytestmark = pytest.mark.once
FILES = {"pad_token_id": None, "eos_token_id": [2, 7], "bos_token_id": 3, "n_layer": 5}
GENERATION = {"num_beams": 4, "bos_token_id": 3}
FRESH = SimpleNamespace()
READ = SimpleNamespace(kept_settings=kept_settings(FILES, GENERATION))


def tokenizer(padding_id, separator_id):
    return SimpleNamespace(padding_id=padding_id, separator_id=separator_id)


def test_a_fresh_model_has_those_of_the_tokenizer():
    found = special_tokens(FRESH, tokenizer(0, 2))

    assert found == ({"pad_token_id": 0, "eos_token_id": 2}, {})
    assert special_tokens(FRESH, tokenizer(None, 2)) == ({"eos_token_id": 2}, {})
    assert special_tokens(FRESH, None) == ({}, {})


def test_one_that_was_read_has_those_of_its_files():
    known = {"pad_token_id": None, "eos_token_id": [2, 7], "bos_token_id": 3}

    assert special_tokens(READ, None) == (known, GENERATION)
    # A padding that the files do not speak of is the tokenizer's.
    found = special_tokens(READ, tokenizer(5, 7))
    assert found == (known | {"pad_token_id": 5}, GENERATION)


def test_another_tokenizer_is_another_language():
    found = special_tokens(READ, tokenizer(5, 4))

    assert found == ({"pad_token_id": 5, "eos_token_id": 4}, {})


def test_what_one_says_comes_first():
    ids, generation = special_tokens(READ, tokenizer(5, 7), {"bos_token_id": 9})

    assert (ids["bos_token_id"], generation["bos_token_id"]) == (9, 9)
    assert generation["num_beams"] == 4
    assert special_tokens(FRESH, None, {"bos_token_id": 9}) == ({"bos_token_id": 9}, {})
    with pytest.raises(ValueError, match="`special_tokens` must have the names of con"):
        special_tokens(FRESH, None, {"bos": 9})
