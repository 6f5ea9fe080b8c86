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


def test_what_is_no_number_is_refused(path):
    path.write_text("cat 1 two\n", encoding="utf-8")

    with pytest.raises(ValueError, match="a word and 2 numbers. Received: .*in line 1"):
        read_word_vectors(path, ["cat"])


def test_a_line_of_another_width_is_refused(path):
    path.write_text(GLOVE + "dog 1 2 3\n", encoding="utf-8")

    with pytest.raises(ValueError, match="a word and 2 numbers. Received: 3 in line 4"):
        read_word_vectors(path, ["cat"])
