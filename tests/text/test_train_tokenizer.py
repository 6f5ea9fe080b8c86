"""train_tokenizer: what it learns, repeatable, small and large corpora, errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from keras_lm.text import train_tokenizer
from tests.text.samples import CORPUS, HARD_TEXTS

pytestmark = pytest.mark.once
ROOT = Path(__file__).parents[2]
CODE = "for number in range(7):\n    print(number)\n\n\n" * 30


def test_frequent_words_with_their_space_and_indentation_become_tokens():
    tokenizer = train_tokenizer(CORPUS, vocabulary_size=400)
    pieces = set(tokenizer.vocabulary_bytes)

    assert {b" width", b" height", b"    ", "中文".encode()} <= pieces
    assert any(b"\n" in piece and len(piece) > 1 for piece in pieces)


def test_long_lines_are_learnt_from():
    # SentencePiece skips lines over its limit: this one is 60,000 bytes long.
    tokenizer = train_tokenizer(["天地玄黄" * 5000], vocabulary_size=270)

    assert len(tokenizer.encode("天地玄黄" * 4)) <= 4


def test_more_characters_than_the_vocabulary_has_room_for():
    text = "".join(map(chr, range(0x4E00, 0x5E00))) + "的" * 5000

    tokenizer = train_tokenizer([text], vocabulary_size=300)

    assert tokenizer.vocabulary_size == 300
    assert len(tokenizer.encode("的")) == 1
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_same_texts_give_the_same_model_in_any_process():
    code = "import sys, hashlib; from keras_lm.text import train_tokenizer as train\n"
    code += f"proto = train({[*CORPUS, CODE]!r}, 350, num_threads=1).model_proto\n"
    code += "sys.stdout.write(hashlib.sha256(proto).hexdigest())"

    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ["1", "2"]
    }
    tokenizer = train_tokenizer([*CORPUS, CODE], 350, num_threads=2)

    assert len(digests) == 1
    assert tokenizer.vocabulary_size == 350


def test_threads_do_not_change_the_tokens():
    one, three = (train_tokenizer(CORPUS, 350, num_threads=n) for n in (1, 3))

    assert one.vocabulary_bytes == three.vocabulary_bytes


def test_a_small_corpus_gives_a_smaller_vocabulary():
    tokenizer = train_tokenizer(["ab ab"], vocabulary_size=5000)

    assert 259 < tokenizer.vocabulary_size < 300
    assert tokenizer.decode(tokenizer.encode(HARD_TEXTS)) == HARD_TEXTS


@pytest.mark.parametrize("text", ["\0", " ", "\n\n", "▁", "<s></s><0x0A>" * 500, "中"])
def test_odd_corpora_train(text):
    tokenizer = train_tokenizer([text], vocabulary_size=300)

    assert tokenizer.decode(tokenizer.encode(HARD_TEXTS)) == HARD_TEXTS


def test_a_large_corpus_is_sampled_over_its_whole_length():
    texts = ["alpha " * 200] * 50 + ["omega " * 200] * 50

    tokenizer = train_tokenizer(texts, vocabulary_size=300, max_characters=9000)

    assert {b"alpha", b"omega"} <= {p.strip() for p in tokenizer.vocabulary_bytes}


@pytest.mark.parametrize("texts", [[], [""], ["", b""]])
def test_empty_texts_are_refused(texts):
    with pytest.raises(ValueError, match="`texts` must hold some text. Received: none"):
        train_tokenizer(texts, vocabulary_size=300)


def test_wrong_arguments_are_refused():
    with pytest.raises(ValueError, match="`vocabulary_size` must be above 259"):
        train_tokenizer(CORPUS, vocabulary_size=259)
    with pytest.raises(ValueError, match="`max_characters` must be at least 1"):
        train_tokenizer(CORPUS, vocabulary_size=300, max_characters=0)
    for strange in ("one text", {"one": 1}, None):
        with pytest.raises(TypeError, match="`texts` must be a list of texts"):
            train_tokenizer(strange, vocabulary_size=300)
