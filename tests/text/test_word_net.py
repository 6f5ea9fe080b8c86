"""WordNet: senses in their order, keys, base forms, files that are not WordNet's."""

import pytest

from keras_lm.text import WordNet
from tests.text.tiny_word_net import write_word_net

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory):
    return WordNet(write_word_net(tmp_path_factory.mktemp("词网") / "dict"))


def test_senses_come_as_the_files_list_them(wordnet):
    first, second, verb = wordnet.senses("bank")

    assert first.key == "bank%1:17:00::"
    assert first.definition == "the land beside a river"
    assert first.examples == ("a hut on the bank", "the bank is steep")
    assert first.words == ("bank", "River_bank")
    assert first.gloss == "bank, River bank: the land beside a river"
    assert second.key == "bank%1:14:10::"  # numbers are hexadecimal there
    assert (second.definition, second.examples) == ("a house that lends money", ())
    assert (verb.key, verb.pos) == ("bank%2:40:00::", "v")
    assert wordnet.senses("bank", "v") == [verb]
    assert wordnet.senses("River  bank")[0].key == "river_bank%1:17:01::"
    assert wordnet.senses("mouse", "n")[0].gloss == "mouse: 小动物 🙂"


def test_a_word_near_another_names_it_in_its_key(wordnet):
    assert wordnet.senses("near")[0].key == "near%3:00:02::"
    assert wordnet.senses("nigh", "a")[0].key == "nigh%5:00:01:near(a):02"


def test_base_forms_are_found(wordnet):
    for word, pos, lemmas in [
        ("Banks", "n", ["bank"]),
        ("mice", "n", ["mouse", "bank"]),  # on two lines
        ("mouses", "n", ["mouse"]),
        ("hoping", "v", ["hope"]),
        ("banked", "v", ["bank"]),
        ("banking", "n", []),
        ("nearest", "a", ["near"]),
        ("nearly", "r", []),
        ("", "n", []),
        ("中文🙂", "n", []),
    ]:
        assert wordnet.lemmas(word, pos) == lemmas, word
    assert wordnet.senses("banking")[0].key == "bank%2:40:00::"
    assert wordnet.senses("unknown") == []


def test_short_nouns_and_those_in_ss_have_no_ending(tmp_path):
    folder = write_word_net(tmp_path)
    with open(folder / "index.noun", "a") as file:
        for lemma in ("bos", "u", "boss"):
            file.write(f"{lemma} n 1 0 1 0 00000100\n")
    with open(folder / "index.verb", "a") as file:
        file.write("mis v 1 0 1 0 00000100\n")
    wordnet = WordNet(folder)

    assert wordnet.lemmas("boss", "n") == ["boss"]
    assert wordnet.lemmas("bosses", "n") == ["boss"]
    assert wordnet.lemmas("us", "n") == []
    assert wordnet.lemmas("miss", "v") == ["mis"]  # the rule is for nouns alone


def test_a_file_may_be_divided(tmp_path, wordnet):
    folder = write_word_net(tmp_path)
    path = folder / "data.noun"
    first, second, *others = path.read_text("utf-8").splitlines()
    path.unlink()
    # Where they were cut no line ends.
    (folder / "data.noun1").write_text(f"{first}\n{second}", "utf-8")
    (folder / "data.noun2").write_text("\n".join(others), "utf-8")
    divided = WordNet(folder)

    for word in ("bank", "mouse", "river_bank"):
        assert divided.senses(word) == wordnet.senses(word) != []


def test_parts_of_speech_that_are_not_there_have_no_senses(tmp_path):
    folder = write_word_net(tmp_path)
    for path in [*folder.glob("*.noun"), folder / "noun.exc"]:
        path.unlink()

    assert [sense.pos for sense in WordNet(folder).senses("bank")] == ["v"]


# ----------------------------------------------------------------------- errors


def test_no_folder_of_a_wordnet_is_refused(tmp_path, wordnet):
    with pytest.raises(
        FileNotFoundError, match="must hold `index.noun` or that of ano"
    ):
        WordNet(tmp_path / "none")
    folder = write_word_net(tmp_path)
    (folder / "data.verb").unlink()
    with pytest.raises(FileNotFoundError, match="must hold `data.verb`. Received"):
        WordNet(folder)
    with pytest.raises(ValueError, match="`pos` must be one of .* Received: pos='s'"):
        wordnet.senses("bank", "s")
    with pytest.raises(ValueError, match="`pos` must be one of .* Received: pos=None"):
        wordnet.lemmas("bank", None)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("index.noun", "bank n 2"),
        ("index.noun", "bank n 2 0 00000100"),
        ("index.noun", "bank n x 0 00000100"),
        ("data.noun", "00000100 17 n"),
        ("data.noun", "00000100 17 n 02 bank 0 000 | cut"),
        ("data.noun", "\udcff\udcff"),
    ],
)
def test_a_line_that_is_not_wordnets_is_named(tmp_path, name, line):
    folder = write_word_net(tmp_path)
    with open(folder / name, "ab") as file:
        file.write(line.encode("utf-8", "surrogateescape") + b"\n")

    with pytest.raises(ValueError, match=f"A line of .*{name} must be WordNet's. Rec"):
        WordNet(folder)


def test_a_sense_without_its_data_is_named(tmp_path):
    folder = write_word_net(tmp_path)
    with open(folder / "index.noun", "a") as file:
        file.write("ghost n 1 0 1 0 00000999\n")

    with pytest.raises(ValueError, match="of 'ghost' must be in `data.noun`. Received"):
        WordNet(folder).senses("ghost")
