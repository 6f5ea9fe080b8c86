"""TextToText: all kinds of text in and out, n-best, streams, long texts, saving."""

import inspect
import json

import keras
import numpy as np
import pytest
from hypothesis import example, given
from keras import ops

from keras_lm import generation
from keras_lm.models import TransformerEncoderDecoder
from keras_lm.pipelines import TextToText, load
from keras_lm.pipelines.search_rows import search_rows
from keras_lm.text import parallel_dataset, train_tokenizer
from keras_lm.training import MaskedCrossEntropy
from tests.checks import assert_close, examples
from tests.fakes import EchoModel, SumModel, TableModel, random_weights
from tests.text.samples import TEXTS, TOKENIZER

SIZE = TOKENIZER.vocabulary_size
OTHER = train_tokenizer(["一二三四五 widths and areas"] * 9, vocabulary_size=300)
MIXED = ["area", "", "of a square " * 4, "中文分词", "🙂", b"a\xff", "width"]

MODEL = SumModel(OTHER.vocabulary_size, source_vocabulary_size=SIZE)
random_weights(MODEL, seed=1)
kernel, bias = MODEL.output_layer.get_weights()
bias[3:259] = -3.0  # bytes are rare, or an answer would be no text
bias[OTHER.separator_id] = 1.0
MODEL.output_layer.set_weights([5 * kernel, bias])
TRANSLATOR = TextToText(MODEL, TOKENIZER, OTHER, max_new_tokens=9)
ECHO = TextToText(EchoModel(SIZE), TOKENIZER, TOKENIZER, max_source_length=16)


def alone(text, **options):
    """What beam search gives one text."""
    (answers,) = search_rows(
        MODEL, [TOKENIZER.encode(text)], TOKENIZER, OTHER, max_new_tokens=9, **options
    )
    return [
        (b"".join(one.pieces).decode("utf-8", "replace"), one.score) for one in answers
    ]


# -------------------------------------------------------------------- answers


def test_each_text_gets_its_own_answer_in_order():
    expected = [alone(text, beam_size=3)[0][0] for text in MIXED]

    assert TRANSLATOR(MIXED, beam_size=3) == expected
    assert TRANSLATOR(MIXED, beam_size=3, max_batch_tokens=64) == expected
    assert len(set(expected)) > 4


@pytest.mark.once
def test_all_kinds_of_text_are_taken():
    import tensorflow as tf

    texts = ["one", "", "世界", "🙂", "one\0", "a\ufffd"]
    raw = [b"one", b"", "世界".encode(), "🙂".encode(), b"one\0", b"a\xff"]

    assert ECHO(texts) == texts
    assert ECHO(tuple(raw)) == texts
    assert ECHO(np.array(texts, object)) == texts
    data = tf.data.Dataset.from_tensor_slices(raw)
    assert ECHO(data) == ECHO(data.batch(4)) == texts
    assert ECHO("世") == ECHO("世".encode()) == "世"
    assert ECHO([]) == []
    assert ECHO.n_best([]) == []


@pytest.mark.once
def test_n_best_are_ranked_and_their_scores_are_sums_when_asked():
    given = {"beam_size": 4, "length_penalty": 0.0, "max_batch_tokens": 2048}

    found = TRANSLATOR.n_best(MIXED[:3], 3, **given)

    for text, answers in zip(MIXED[:3], found, strict=True):
        if not text:
            assert answers == [("", 0.0, True)]
            continue
        expected = alone(text, beam_size=4, num_hypotheses=3, length_penalty=0.0)
        assert [one.text for one in answers] == [text for text, _ in expected]
        assert_close([one.score for one in answers], [score for _, score in expected])
        assert len({one.text for one in answers}) == 3
        for answer in answers:  # `score` says the same of those that ended
            if len(OTHER.encode(answer.text)) < 9 and "\ufffd" not in answer.text:
                (nats,) = TRANSLATOR.score([text], [answer.text])
                assert nats <= answer.score + 1e-4
    assert TRANSLATOR(MIXED[0], **given) == found[0][0].text


@pytest.mark.once
def test_an_answer_may_be_as_long_as_the_model_writes_up_to_256_tokens():
    assert ECHO.max_new_tokens == 39
    roomy = TextToText(EchoModel(SIZE, 600), TOKENIZER, TOKENIZER)
    assert (roomy.max_new_tokens, roomy.max_source_length) == (256, 600)


@pytest.mark.once
def test_all_options_reach_the_search(monkeypatch):
    calls, options = [], inspect.signature(generation.beam_search).parameters
    ours = {"inputs", "padding_mask", "start_token_id", "stop_token_ids", "model"}
    ours |= {"return_attention", "beam_size", "num_hypotheses", "max_new_tokens"}
    given = {name: object() for name in options if name not in ours}

    def recorded(model, inputs, start, **options):
        calls.append(options)
        arrays = np.full((1, 1, 1), OTHER.separator_id), np.zeros((1, 1))
        return generation.Hypotheses(*arrays, np.ones((1, 1), bool))

    monkeypatch.setattr(generation, "beam_search", recorded)
    given |= {"min_new_tokens": 3, "target_prefix": ["一"]}

    TRANSLATOR.n_best(["area"], 5, 7, max_new_tokens=8, **given)
    list(TRANSLATOR.stream("area", max_new_tokens=8, **given))

    assert len(given) >= 9
    given["target_prefix"] = [OTHER.encode("一")]
    for call, number, size in zip(calls, (5, None), (7, 1), strict=True):
        assert {name: call[name] for name in given} == given
        assert (call.get("num_hypotheses"), call["beam_size"]) == (number, size)


@pytest.mark.once
def test_options_count_in_the_search():
    longer = TRANSLATOR("area", beam_size=2, min_new_tokens=9, max_new_tokens=12)

    assert longer == alone_longer()
    assert TRANSLATOR("area", max_new_tokens=1, beam_size=1) in OTHER.decode(
        [[n] for n in range(OTHER.vocabulary_size)]
    )


def alone_longer():
    (answers,) = search_rows(
        MODEL,
        [TOKENIZER.encode("area")],
        TOKENIZER,
        OTHER,
        beam_size=2,
        min_new_tokens=9,
        max_new_tokens=12,
    )
    return b"".join(answers[0].pieces).decode("utf-8", "replace")


@pytest.mark.once
def test_unknown_tokens_are_replaced_when_asked():
    def unknown(logits, token_ids, visible):
        return logits + 99.0 * ops.one_hot([TOKENIZER.unknown_id], SIZE)

    model = TableModel(SIZE, has_source=True)
    pipeline = TextToText(model, TOKENIZER, TOKENIZER, 5)
    given = {"beam_size": 1, "sampler": unknown}
    text = " width of a square, 中文"
    row, separator = TOKENIZER.encode(text), TOKENIZER.separator_id
    said, source = [separator, *[TOKENIZER.unknown_id] * 4], [*row, separator]
    looks = [model.attention(said[: n + 1], source) for n in range(5)]
    expected = [row[look[: len(row)].argmax()] for look in looks]

    assert pipeline(text, **given, replace_unknown=True) == TOKENIZER.decode(expected)
    assert len(set(expected)) > 2
    assert pipeline(text, **given) == ""


@pytest.mark.once
def test_each_answer_begins_with_the_prefix_of_its_text():
    prefixes = ["一", "", "三 area", "🙂", "", "二二", "a"]
    given = {"beam_size": 2, "max_new_tokens": 4}

    answers = TRANSLATOR(MIXED, **given, max_batch_tokens=64, target_prefix=prefixes)

    for text, prefix, answer in zip(MIXED, prefixes, answers, strict=True):
        assert answer.startswith(prefix)
        assert answer == TRANSLATOR(text, **given, target_prefix=prefix)
        streamed = TRANSLATOR.stream(text, max_new_tokens=4, target_prefix=prefix)
        assert (
            "".join(streamed) == TRANSLATOR(*([text], 1, 4), target_prefix=[prefix])[0]
        )
    assert answers[0] != TRANSLATOR(MIXED[0], **given)
    ((nothing,),) = TRANSLATOR.n_best([""], 1, target_prefix="一")
    assert (nothing.text, nothing.score) == ("一", 0.0)


# -------------------------------------------------------------------- streams


@pytest.mark.once
def test_a_stream_is_the_greedy_answer_in_pieces():
    for text in ["area", "", "中文分词"]:
        pieces = list(TRANSLATOR.stream(text))

        assert "".join(pieces) == TRANSLATOR(text, beam_size=1)
        assert all(pieces)
    given = {"max_new_tokens": 2, "max_batch_tokens": 64, "replace_unknown": False}
    pieces = list(TRANSLATOR.stream("area", **given))
    assert "".join(pieces) == TRANSLATOR("area", beam_size=1, **given)


@pytest.mark.once
def test_a_stream_never_gives_half_a_character():
    pieces = list(ECHO.stream("a🙂中"))

    assert pieces == ["a", "🙂", "中"]


# ----------------------------------------------------------------- long texts


@pytest.mark.once
def test_sentences_of_a_long_text_are_joined_again():
    english = "The area of it. A square.  Is it so? " * 3
    chinese = "中文分词。中文「中文！」分词中文？" * 3

    assert ECHO(english) == " ".join(english.split()) + " "
    assert ECHO([chinese, "short "]) == [chinese, "short "]
    assert "".join(ECHO.stream(chinese)) == chinese
    assert ECHO("One line\n\nof two lines.\nThree lines!") == (
        "One line\n\nof two lines.\nThree lines!"
    )


@pytest.mark.once
def test_a_sentence_that_is_too_long_goes_in_windows():
    text = "abcdefghijklmnopqrstuvwxyz0123456789"
    pipeline = TextToText(EchoModel(SIZE), TOKENIZER, TOKENIZER, None, 16, overlap=5)

    assert pipeline(text) == text
    assert list(pipeline.stream(text)) == [text]
    assert pipeline([text, text.upper()])[1] == text.upper()


@pytest.mark.once
@pytest.mark.parametrize("overlap", [0, 5])
def test_nothing_of_a_long_text_is_left_out(overlap):
    pipeline = TextToText(EchoModel(SIZE), TOKENIZER, TOKENIZER, None, 16, overlap)

    @examples(8)
    @given(TEXTS)
    @example("area of a square " * 9)
    @example("中文中文中文🙂" * 9)
    def check(text):
        assert "".join(pipeline(text, beam_size=1).split()) == "".join(text.split())

    check()


@pytest.mark.once
def test_a_score_of_slices_is_their_sum():
    text = ("The area. " * 6).rstrip()
    most = len(TOKENIZER.encode("The area.")) + 1
    pipeline = TextToText(MODEL, TOKENIZER, OTHER, 9, max_source_length=most)

    answers = pipeline.n_best([text], 2, beam_size=2)[0]

    one = pipeline.n_best(["The area."], 2, beam_size=2)[0]
    assert_close([answer.score for answer in answers], [6 * a.score for a in one])
    assert answers[1].text.count(one[1].text.strip()) >= 6


# --------------------------------------------------------------------- scores


def test_scores_are_of_the_model_called_as_in_training():
    sources, targets = ["area", "中", ""], ["一二", "", "三 areas"]

    scores = TRANSLATOR.score(sources, targets)

    assert scores.shape == (3,) and (scores < 0).all()
    assert_close(TRANSLATOR.score(["中", b"area"], ["", "一二"]), scores[[1, 0]])
    assert TRANSLATOR.score([], []).shape == (0,)


# --------------------------------------------------------------------- saving


def test_what_was_saved_gives_the_same_text(tmp_path):
    pipeline = TextToText(MODEL, TOKENIZER, OTHER, 7, max_source_length=20, overlap=3)

    pipeline.save(tmp_path / "p")
    loaded = load(tmp_path / "p")

    assert type(loaded) is TextToText
    assert loaded(MIXED, beam_size=2) == pipeline(MIXED, beam_size=2)
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == [
        "model.keras",
        "pipeline.json",
        "source_tokenizer.model",
        "target_tokenizer.model",
    ]
    assert json.loads((tmp_path / "p" / "pipeline.json").read_text("utf-8")) == {
        "pipeline": "TextToText",
        "has_tokenizer": True,
        "settings": {"max_new_tokens": 7, "max_source_length": 20, "overlap": 3},
    }


@pytest.mark.once
def test_a_directory_is_whole_and_replaced_only_when_asked(tmp_path):
    TRANSLATOR.save(tmp_path / "p")
    with pytest.raises(FileExistsError, match="or be a folder and overwrite=True"):
        TRANSLATOR.save(tmp_path / "p")
    TRANSLATOR.save(tmp_path / "p", overwrite=True)

    (tmp_path / "p" / "target_tokenizer.model").unlink()
    with pytest.raises(FileNotFoundError, match="must hold `target_tokenizer.model`"):
        load(tmp_path / "p")
    TOKENIZER.save(tmp_path / "p" / "target_tokenizer.model")
    with pytest.raises(ValueError, match="must fit together.*target tokenizer must ha"):
        load(tmp_path / "p")


# --------------------------------------------------------------------- errors


@pytest.mark.once
def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="Model and source tokenizer must have vocab"):
        TextToText(MODEL, OTHER, OTHER)
    with pytest.raises(ValueError, match="Model and target tokenizer must have vocab"):
        TextToText(MODEL, TOKENIZER, TOKENIZER)
    for name, wrong, told in [
        ("max_new_tokens", 0, "at least 1 and at most 39"),
        ("max_new_tokens", 40, "at least 1 and at most 39"),
        ("max_new_tokens", "9", "at least 1"),
        ("max_source_length", 1, "at least 2"),
        ("max_source_length", "9", "at least 2"),
        ("overlap", -1, "at least 0 and at most 20"),
        ("overlap", 21, "at least 0 and at most 20"),
    ]:
        with pytest.raises(ValueError, match=f"`{name}` must be an int, {told}"):
            TextToText(MODEL, TOKENIZER, OTHER, **{name: wrong})
    learned = TransformerEncoderDecoder(SIZE, 1, 2, 8, 8, 12, positions="learned")
    with pytest.raises(ValueError, match="`max_source_length` must be .* at most 12."):
        TextToText(learned, TOKENIZER, TOKENIZER, max_source_length=13)
    for call in (ECHO, lambda texts, **given: list(ECHO.stream("a", **given))):
        with pytest.raises(
            ValueError, match="`max_new_tokens` must be an int, at leas"
        ):
            call(["a"], max_new_tokens=0)
        with pytest.raises(ValueError, match="at least 1 and at most 39. Received: ma"):
            call(["a"], max_new_tokens=40)
        with pytest.raises(TypeError, match="temperature"):
            call(["a"], temperature=1.0)
    with pytest.raises(
        ValueError, match="`num_hypotheses` must be at most `beam_size`"
    ):
        ECHO.n_best(["a"], 3, beam_size=2)
    with pytest.raises(ValueError, match="`max_batch_tokens` must be at least 1"):
        ECHO(["a"], max_batch_tokens=0)
    with pytest.raises(
        ValueError, match="must have a model that offers `step_with_att"
    ):
        ECHO(["a"], replace_unknown=True)
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        ECHO(["a", None])
    for call, name in [
        (ECHO, "padding_mask"),
        (ECHO, "num_hypotheses"),
        (ECHO, "temperature"),
        (ECHO.n_best, "temperature"),
        (ECHO.n_best, "stop_token_ids"),
        (lambda texts, **given: list(ECHO.stream(*texts, **given)), "temperature"),
        (lambda texts, **given: list(ECHO.stream(*texts, **given)), "beam_size"),
        (lambda texts, **given: list(ECHO.stream("", **given)), "num_hypotheses"),
    ]:
        with pytest.raises(TypeError) as raised:
            call(["a"], **{name: 1})
        told = str(raised.value)
        assert told.startswith("Options must be among alternatives, ")
        assert told.endswith(f"target_prefix. Received: {name}=1")
    for refused in (lambda: ECHO.n_best("a"), lambda: TRANSLATOR.score("a", ["b"])):
        with pytest.raises(TypeError, match="must be a list of texts. Received: 'a'"):
            refused()
    with pytest.raises(TypeError, match="`targets` must be a list of texts"):
        TRANSLATOR.score(["a"], "b")
    with pytest.raises(ValueError, match="A target must have at most 40 tokens"):
        TRANSLATOR.score(["a"], ["b" * 40])


# ---------------------------------------------------------------- with a real model

PAIRS = [
    ("one cat", "un chat"),
    ("two dogs", "deux chiens"),
    ("one dog", "un chien"),
    ("two cats", "deux chats"),
    ("你好 🙂", "bonjour"),
    ("the cat sees the dog", "le chat voit le chien"),
]


@pytest.mark.slow_elsewhere
def test_a_model_that_was_fitted_on_pairs_says_them(tmp_path):
    keras.utils.set_random_seed(0)
    tokenizer = train_tokenizer([side for pair in PAIRS for side in pair] * 5, 330)
    model = TransformerEncoderDecoder(
        tokenizer.vocabulary_size, 1, 2, 32, 64, max_sequence_length=48
    )
    model.compile(keras.optimizers.Adam(1e-2), MaskedCrossEntropy())
    dataset = parallel_dataset(
        PAIRS, tokenizer, tokenizer, 200, num_buckets=2, repeat=True
    )
    model.fit(dataset, steps_per_epoch=120, shuffle=False, verbose=0)
    translator = TextToText(model, tokenizer, tokenizer, max_new_tokens=16)
    sources, targets = map(list, zip(*PAIRS, strict=True))

    translator.save(tmp_path / "pairs")

    assert translator(sources) == targets  # a beam of 4: unlikely short ones end first
    assert ["".join(translator.stream(one)) for one in sources] == targets
    assert load(tmp_path / "pairs")(sources, beam_size=1) == targets
    assert translator.score(sources, targets).min() > -0.2
    wrong = translator.score(sources, targets[::-1])
    assert (wrong < -2).all()
