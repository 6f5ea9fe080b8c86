"""read_word_vectors: both forms, spellings, what is missing, what is refused."""

import numpy as np
import pytest

from keras_lm.text import read_word_vectors

pytestmark = pytest.mark.once
GLOVE = "the 1 2\nThe 3 4\ncat -0.5 1e-1\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text(GLOVE, encoding="utf-8")
    return path


def test_each_word_has_its_vector(path, capsys):
    initial = np.full((4, 2), 9.0)

    vectors = read_word_vectors(path, ["cat", "?", "The", "the"], initial)

    np.testing.assert_array_equal(
        vectors, np.array([[-0.5, 0.1], [9, 9], [3, 4], [1, 2]], "float32")
    )
    assert vectors.dtype == np.float32
    said = capsys.readouterr().out
    assert said == "3 of 4 words (75.0 %) have a vector of width 2.\n"


def test_the_head_of_word2vec_is_passed_over(path):
    plain = read_word_vectors(path, ["cat", "the"])
    path.write_text("3 2\n" + GLOVE.replace("\n", " \n"), encoding="utf-8")

    np.testing.assert_array_equal(read_word_vectors(path, ["cat", "the"]), plain)


def test_lower_case_where_the_word_is_not_known_and_no_sign_of_a_space(path):
    vectors = read_word_vectors(path, ["CAT", "\u2581cat", "\u2581THE", "\u2581The"])

    np.testing.assert_allclose(vectors[:, 1], [0.1, 0.1, 2, 4])


def test_the_unknown_are_drawn_alike(path):
    words = ["the", "The", *map(str, range(900))]
    vectors = read_word_vectors(path, words)

    known, drawn = vectors[:2], vectors[2:]
    np.testing.assert_allclose(drawn.mean(axis=0), known.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(drawn.std(axis=0), known.std(), atol=0.1)
    np.testing.assert_array_equal(read_word_vectors(path, words, seed=0), vectors)
    assert np.abs(read_word_vectors(path, words, seed=1) - vectors).max() > 0


@pytest.mark.parametrize(
    ("words", "initial", "message"),
    [
        (["dog"], None, "at least one of the words"),
        (["cat"], np.zeros((1, 3)), r"`initial` must be of shape \(1, 2\)"),
    ],
)
def test_what_is_refused(path, words, initial, message):
    with pytest.raises(ValueError, match=message):
        read_word_vectors(path, words, initial)


def test_any_language_and_what_is_no_utf_8(path):
    path.write_bytes("猫 1 2\n🙂 3 4\n".encode() + b"\xff\xfe 5 6\r\n")

    vectors = read_word_vectors(path, ["🙂", "▁猫", ""], np.zeros((3, 2)))

    np.testing.assert_array_equal(vectors, [[3, 4], [1, 2], [0, 0]])


def test_a_word_may_hold_spaces(path):
    # As ". . ." and "at name@domain.com" in GloVe's vectors of 840 billion tokens.
    lines = ["the 1 2", ". . . 3 4", "at a@b.c 5 6", "我 猫 7 8", "🙂 🙂 9 10", "  1 1"]
    path.write_text("\n".join(lines), encoding="utf-8")
    words = [". . .", "AT a@b.c", "我 猫", "🙂 🙂", ".", "at", "我", "🙂"]

    vectors = read_word_vectors(path, words, np.zeros((8, 2)))

    np.testing.assert_array_equal(
        vectors, [[3, 4], [5, 6], [7, 8], [9, 10], *4 * [[0, 0]]]
    )


def test_numbers_of_other_words_are_not_read(path):
    plain = read_word_vectors(path, ["cat"])
    path.write_text(GLOVE + "猫 1 two\n", encoding="utf-8")

    np.testing.assert_array_equal(read_word_vectors(path, ["cat"]), plain)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("cat 1 two", "could not convert .* 'two', in line 4"),
        ("dog 1", "1 in line 4"),
        ("dog", "0 in line 4"),
        ("", "0 in line 4"),
        ("dog 1 2 3", "3 in line 4"),
        (". . . 1", "could not convert .* '.', in line 4"),
        ("🙂 猫 1", "could not convert .* '猫', in line 4"),
    ],
)
def test_a_line_without_its_numbers_is_refused(path, line, told):
    path.write_text(GLOVE + line + "\n", encoding="utf-8")

    with pytest.raises(ValueError, match=f"a word and 2 numbers. Received: {told}"):
        read_word_vectors(path, ["cat"])


def test_a_list_of_words_is_refused(path):
    path.write_text("猫\ncat\n", encoding="utf-8")

    with pytest.raises(ValueError, match="a word and 1 numbers. Received: 0 in line 1"):
        read_word_vectors(path, ["cat"])
