"""WordSense: cosines of word and gloss, the first sense, its directory, errors."""

import numpy as np
import pytest

from keras_lm.models import DualEncoder, TransformerEncoder
from keras_lm.pipelines import WordSense, load
from keras_lm.text import WordNet
from tests.checks import assert_close, outputs_of
from tests.fakes import random_weights
from tests.text.samples import TOKENIZER
from tests.text.tiny_word_net import write_word_net

TEXTS = [
    "a hut on the [[bank]]",
    "[[中文]] 🙂",
    b"\xff [[mice]]",
    "they [[bank]] on it",
]


def make_sense(seed=4, vocabulary_size=None, **more):
    size = vocabulary_size or TOKENIZER.vocabulary_size
    model = DualEncoder(TransformerEncoder(size, 1, 2, 8, 6, 60))
    random_weights(model, seed=seed)
    return WordSense(model, TOKENIZER, **more)


@pytest.fixture(scope="module")
def sense():
    return make_sense()


@pytest.fixture(scope="module")
def wordnet(tmp_path_factory):
    return WordNet(write_word_net(tmp_path_factory.mktemp("wordnet")))


def alone(sense, *parts):
    """The model's own vector of the middle part, without padding; or of one text."""
    ids = [TOKENIZER.encode(part) for part in parts]
    row = np.array([[*sum(ids, []), TOKENIZER.separator_id]])
    inside = np.ones(row.shape, "bool")
    if len(ids) == 3:
        inside[0, : len(ids[0])] = inside[0, len(ids[0]) + len(ids[1]) :] = False
    encoder = sense.model.encoder
    vector = outputs_of(encoder.pool(encoder(row), inside))[0][0]
    return vector / np.linalg.norm(vector)


@pytest.mark.slow_elsewhere
def test_scores_are_cosines_of_word_and_gloss(sense):
    glosses = [["land", "house", "", "a [[land]]"], ["中"], [], ["land", b"\xff"]]

    scores = sense.scores(TEXTS, glosses)

    word = alone(sense, "a hut on the", " bank", "")
    expected = [word @ alone(sense, gloss) for gloss in glosses[0]]
    assert_close(scores[0], expected)
    word = alone(sense, "they", " bank", " on it")
    assert_close(
        scores[3], [word @ alone(sense, gloss) for gloss in ("land", "\ufffd")]
    )
    assert [len(row) for row in scores] == [4, 1, 0, 2]
    assert np.abs(scores[3][0] - scores[0][0]) > 1e-3  # the same word elsewhere


def test_the_nearest_gloss_is_the_sense(sense, wordnet):
    found = sense(TEXTS, wordnet)

    glosses = [one.gloss for one in wordnet.senses("bank")]
    best = sense.scores(TEXTS[:1], [glosses])[0].argmax()
    assert found[0] == wordnet.senses("bank")[best]
    assert found[1] is None
    assert found[2].key == sense(TEXTS[2:3], wordnet, ["mouse"])[0].key
    parts = sense(TEXTS, wordnet, parts=["n", None, "v", "v"])
    assert [one and one.pos for one in parts] == ["n", None, None, "v"]
    assert sense([], wordnet) == []


@pytest.mark.slow_elsewhere
def test_another_sense_must_be_ahead_of_the_first(wordnet):
    free = next(
        one
        for one in (make_sense(seed) for seed in range(20))
        if one(TEXTS[:1], wordnet)[0] != wordnet.senses("bank")[0]
    )
    scores = free.scores(TEXTS[:1], [[s.gloss for s in wordnet.senses("bank")]])[0]
    lead = float(scores.max() - scores[0])

    answers = [
        WordSense(free.model, TOKENIZER, lead=one)(TEXTS[:1], wordnet)[0]
        for one in (0.9 * lead, 1.1 * lead)
    ]

    assert answers == [free(TEXTS[:1], wordnet)[0], wordnet.senses("bank")[0]]


@pytest.mark.slow_elsewhere
def test_it_comes_back_from_its_directory(tmp_path):
    sense = make_sense(max_length=20, truncate=True, lead=0.25)
    glosses = [["land", "house"]] * 4

    sense.save(tmp_path / "s")
    back = load(tmp_path / "s")

    assert (back.max_length, back.truncate, back.lead) == (20, True, 0.25)
    for row, expected in zip(back.scores(TEXTS, glosses), sense.scores(TEXTS, glosses)):
        assert_close(row, expected)


# ----------------------------------------------------------------------- errors


@pytest.mark.once
def test_what_does_not_fit_is_refused(sense, wordnet):
    with pytest.raises(TypeError, match="must be a `models.DualEncoder`. Received: Tr"):
        WordSense(sense.model.encoder, TOKENIZER)
    with pytest.raises(ValueError, match="must have vocabularies of one size"):
        make_sense(vocabulary_size=9)
    with pytest.raises(ValueError, match="`max_length` must be from 3 to"):
        make_sense(max_length=2)
    for lead in (-0.1, float("nan"), None):
        with pytest.raises(ValueError, match="`lead` must be a number, at least 0"):
            make_sense(lead=lead)
    with pytest.raises(TypeError, match="`texts` must be a list of texts. Received"):
        sense("a [[bank]]", wordnet)
    with pytest.raises(ValueError, match="must have a word between"):
        sense(["a bank"], wordnet)
    with pytest.raises(ValueError, match="1 texts, 2 lemmas and 1 parts"):
        sense(["a [[bank]]"], wordnet, ["bank", "bank"])
    for name in ("lemmas", "parts"):  # one string has as many letters as texts
        with pytest.raises(TypeError, match=f"`{name}` must be a list. Received: 'vn'"):
            sense(["a [[bank]]"] * 2, wordnet, **{name: "vn"})
    with pytest.raises(ValueError, match="glosses for each text. Received: 1 and 0"):
        sense.scores(["a [[bank]]"], [])
    with pytest.raises(TypeError, match=r"`glosses\[0\]` must be a list of texts. Rec"):
        sense.scores(["a [[bank]]"], [b"land"])
    with pytest.raises(ValueError, match="at most 60 tokens.*in text 0"):
        sense.vectors(["\0" * 60 + "[[bank]]"])
    with pytest.raises(ValueError, match="at most 60 tokens"):
        sense.vectors(["\0" * 60])
