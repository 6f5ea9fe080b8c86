"""read_pairs: tabs or two files, what ends a line, errors with their lines."""

import pytest

from keras_lm.text import read_pairs

pytestmark = pytest.mark.once


@pytest.fixture
def write(tmp_path):
    def write(name, data):
        path = tmp_path / name
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8"))
        return path

    return write


def test_one_file_with_tabs(write):
    # A line separator and a lone carriage return are text; the mark is none.
    text = "\ufeffone\t一\r\ntwo \u2028\t 二🙂\n\rthree\t\nfour\tquatre"

    pairs = read_pairs(write("pairs.tsv", text))

    assert pairs == [
        ("one", "一"),
        ("two \u2028", " 二🙂"),
        ("\rthree", ""),
        ("four", "quatre"),
    ]


def test_two_files_of_parallel_lines(write):
    sources = write("train.en", "one\n\nthree\twith a tab\n")
    targets = write("train.zh", "一\r\n二\n三")

    pairs = read_pairs(str(sources), targets)

    assert pairs == [("one", "一"), ("", "二"), ("three\twith a tab", "三")]


def test_columns_choose_and_turn_round(write):
    path = write("tatoeba.tsv", "1\tone\tun\tby whom\n2\ttwo\tdeux\tby whom\n")

    assert read_pairs(path, columns=(2, 1)) == [("un", "one"), ("deux", "two")]
    assert read_pairs(path, columns=[0, 3])[1] == ("2", "by whom")


def test_the_first_two_columns_are_chosen_like_any_others(write):
    path = write("tatoeba.tsv", "one 🙂\t一 🙂\tCC-BY 2.0 (France)\ntwo\t二\n")

    assert read_pairs(path, columns=(0, 1)) == [("one 🙂", "一 🙂"), ("two", "二")]
    with pytest.raises(ValueError, match="or `columns` name two of more. Received: 3"):
        read_pairs(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\tun\ntwo\n", "must hold two fields .* 1 in line 2 of .*pairs.tsv"),
        ("one\tun\n\n", "must hold two fields .*: the empty line 2 of .*pairs.tsv"),
        ("\r\none\tun\n", "must hold two fields .*: the empty line 1 of"),
        ("one\tun\tby whom\n", "must hold two fields .* 3 in line 1"),
        (b"one\tun\ntwo\td\xe9ux\n", "line 2, where byte 5 is 0xe9"),
        ("", "must be at least one. Received: .*pairs.tsv, empty"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_line(write, text, message):
    with pytest.raises(ValueError, match=message):
        read_pairs(write("pairs.tsv", text))


def test_columns_that_are_not_there_are_refused(write):
    path = write("pairs.tsv", "one\tun\n")
    with pytest.raises(ValueError, match="must hold at least 3 fields .* 2 in line 1"):
        read_pairs(path, columns=(0, 2))
    for columns in [(0,), (0, -1)]:
        with pytest.raises(ValueError, match="`columns` must be two ints, at least 0"):
            read_pairs(path, columns=columns)


def test_files_of_unequal_length_are_refused(write):
    sources, targets = write("a", "one\ntwo\n"), write("b", "un\n")
    with pytest.raises(ValueError, match="same number of lines. Received: 2 in .* and"):
        read_pairs(sources, targets)


def test_a_file_that_is_not_there_is_named(write, tmp_path):
    with pytest.raises(FileNotFoundError, match="must exist. Received: .*nowhere"):
        read_pairs(write("a", "one\n"), tmp_path / "nowhere")


def test_a_folder_is_no_file_of_pairs(tmp_path):
    with pytest.raises(IsADirectoryError, match="must be a file. Received: a folder, "):
        read_pairs(tmp_path)
