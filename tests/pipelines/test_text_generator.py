"""TextGenerator: all kinds of text in, whole characters out, scores, saving."""

import json
import resource
import signal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lm import generation
from keras_lm.generation.samplers import chain, greedy, no_repeat_ngram, suppress, top_k
from keras_lm.models import TransformerDecoder
from keras_lm.pipelines import TextGenerator, load
from keras_lm.text import HuggingFaceTokenizer
from tests.checks import assert_close
from tests.fakes import ScriptModel, random_weights
from tests.pretrained import write
from tests.text.samples import (
    HARD_TEXTS,
    TEXTS,
    TOKEN_IDS,
    TOKENIZER,
    gpt2_tokenizer,
    llama_tokenizer,
)

SEPARATOR = TOKENIZER.separator_id
SCRIPT = ScriptModel(TOKENIZER.vocabulary_size, num_steps=16)
SCRIPTED = TextGenerator(SCRIPT, TOKENIZER, max_new_tokens=16)


def make_model(**changes):
    sizes = {
        "num_layers": 1,
        "num_heads": 3,
        "hidden_dim": 12,
        "intermediate_dim": 7,
        "max_sequence_length": 37,
    }
    model = TransformerDecoder(TOKENIZER.vocabulary_size, **{**sizes, **changes})
    random_weights(model, seed=2)
    return model


MODEL = make_model()
GENERATOR = TextGenerator(MODEL, TOKENIZER, max_new_tokens=9)


def whole_text(token_ids):
    """What a script of token ids says up to its first separator."""
    token_ids = [*token_ids, SEPARATOR]
    return TOKENIZER.decode(token_ids[: token_ids.index(SEPARATOR)])


# -------------------------------------------------------------------- answers


def test_what_begins_a_text_may_end_it_whatever_the_sampler():
    said = [300, 301, 302]
    SCRIPT.play(said, rest=SEPARATOR)
    once = chain(no_repeat_ngram(1), greedy())  # no token a second time

    assert SCRIPTED(["", "中"], sampler=once) == [TOKENIZER.decode(said)] * 2
    assert "".join(SCRIPTED.stream("", sampler=once)) == TOKENIZER.decode(said)
    # What the prompt says still counts.
    repeated = TOKENIZER.decode(said[:1])
    assert TOKENIZER.encode(repeated) == said[:1]
    assert SCRIPTED(repeated, 1, sampler=once) != repeated


def test_the_text_of_the_script_comes():
    text = "def 中文\n🙂"  # 14 tokens or fewer
    SCRIPT.play(TOKENIZER.encode(text), rest=SEPARATOR)

    assert SCRIPTED("any") == text
    assert SCRIPTED(["any", "text"]) == [text, text]
    assert "".join(SCRIPTED.stream("any")) == text
    assert SCRIPTED(["any"], max_new_tokens=1) == [
        TOKENIZER.decode(TOKENIZER.encode(text)[:1])
    ]


@settings(max_examples=50)
@given(TOKEN_IDS)
def test_whatever_the_model_says_call_and_stream_agree(token_ids):
    token_ids = token_ids[:16]
    SCRIPT.play(token_ids, rest=SEPARATOR)

    pieces = list(SCRIPTED.stream("any"))

    assert "".join(pieces) == whole_text(token_ids) == SCRIPTED("any")
    assert all(pieces)  # none is empty


@pytest.mark.slow_elsewhere
@settings(max_examples=50)
@given(TEXTS.filter(lambda text: "\ufffd" not in text))
def test_no_piece_is_half_a_character(text):
    token_ids = TOKENIZER.encode(text)
    SCRIPT.play(token_ids[:16], rest=SEPARATOR)

    pieces = list(SCRIPTED.stream("any", stop=["never to be found"]))

    if len(token_ids) <= 16:
        assert "".join(pieces) == text
    assert not any("\ufffd" in piece for piece in pieces[:-1])


@settings(max_examples=50)
@given(st.text("ab中🙂 ", max_size=5), st.text("ab中🙂 ", min_size=1, max_size=2))
def test_stop_strings_cut_the_text(text, stop):
    token_ids = TOKENIZER.encode(text)[:16]
    SCRIPT.play(token_ids, rest=SEPARATOR)
    expected = TOKENIZER.decode(token_ids).partition(stop)[0]

    assert SCRIPTED(["any"], stop=[stop]) == [expected]
    assert "".join(SCRIPTED.stream("any", stop=[stop])) == expected


def test_a_stop_string_ends_the_loop(monkeypatch):
    steps = []

    def counted(*args, **kwargs):
        for step in generation.stream(*args, **kwargs):
            steps.append(step)
            yield step

    monkeypatch.setattr("keras_lm.pipelines.continue_prompts.stream", counted)
    text = TOKENIZER.encode("a b")
    SCRIPT.play(text, rest=TOKENIZER.encode("x")[0])

    assert SCRIPTED("any", max_new_tokens=900, stop=["b"]) == "a "
    assert len(steps) == len(text)
    assert "".join(SCRIPTED.stream("any", max_new_tokens=900, stop=["b"])) == "a "
    assert len(steps) == 2 * len(text)


def test_the_end_brings_out_what_was_held_back():
    # Half of a snowman becomes U+FFFD at the end, and "EN" no "END" any more.
    half = TOKENIZER.encode("☃")[:2]
    for token_ids, stop, expected in [
        ([*TOKENIZER.encode("a"), *half], "never", "a\ufffd"),
        ([*TOKENIZER.encode("a"), *half], "\ufffd", "a"),
        (TOKENIZER.encode("an EN"), "END", "an EN"),
    ]:
        SCRIPT.play(token_ids, rest=SEPARATOR)
        assert SCRIPTED("any", stop=[stop]) == expected
        assert "".join(SCRIPTED.stream("any", stop=[stop])) == expected


def test_all_kinds_of_text_are_taken():
    import tensorflow as tf

    texts = ["one", "", "世界", "🙂", "one\0"]
    raw = [b"one", b"", "世界".encode(), "🙂".encode(), b"one\0"]

    expected = GENERATOR(texts)

    assert [type(text) for text in expected] == [str] * 5
    assert len(set(expected)) > 3
    assert GENERATOR(tuple(raw)) == expected
    assert GENERATOR(np.array(texts, object)) == expected
    data = tf.data.Dataset.from_tensor_slices(raw)
    assert GENERATOR(data) == expected
    assert GENERATOR(data.batch(2)) == expected


def test_one_text_gives_one_text():
    assert GENERATOR("one") == GENERATOR(["one"])[0] == GENERATOR(b"one")
    assert GENERATOR([]) == []


def test_invalid_bytes_count_as_replacement_signs():
    assert GENERATOR(b"a\xff\xfe") == GENERATOR("a\ufffd\ufffd")


def test_the_same_seed_gives_the_same_text():
    def uniform(logits, token_ids, visible):
        return 0 * logits

    given = {"texts": ["one", "世"], "max_new_tokens": 16, "sampler": uniform}

    texts = SCRIPTED(**given, seed=3)

    assert SCRIPTED(**given, seed=3) == texts
    assert SCRIPTED(**given, seed=4) != texts
    # What a stop string needs is the step-by-step loop, with the same draws.
    assert SCRIPTED(**given, stop=["never to be found"], seed=3) == texts


# --------------------------------------------------------------------- scores


def test_scores_by_hand():
    texts = ["area of", "", "中文", b"\xff", *HARD_TEXTS[:9]]

    scores = GENERATOR.score(texts)

    expected = []
    for text in texts:
        token_ids = [SEPARATOR, *TOKENIZER.encode(text)]
        batch = np.zeros((1, 37), "int32")
        batch[0, : len(token_ids)] = token_ids
        logits = np.asarray(MODEL.predict_on_batch(batch), "float64")[0]
        probability = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        turns = range(len(token_ids) - 1)
        nats = [np.log(probability[i, token_ids[i + 1]]) for i in turns]
        expected.append(sum(nats))
    assert scores.shape == (13,) and scores.dtype == "float32"
    assert_close(scores, expected, 1e-4)
    assert scores[1] == 0 and max(scores) <= 0


def test_the_longest_text_is_scored():
    # 19 tokens after the separator: their bucket is longer than the model.
    model = make_model(positions="learned", max_sequence_length=19)
    generator = TextGenerator(model, TOKENIZER, max_new_tokens=1)
    text = "🙂" * 4 + "abc"  # 4 x 4 bytes and 3 letters
    assert len(TOKENIZER.encode(text)) == 19

    assert np.isfinite(generator.score([text])).all()
    with pytest.raises(ValueError, match="max_sequence_length=19. Received: 20 tokens"):
        generator.score(["a", text + "d"])


def test_no_text_has_no_score():
    assert GENERATOR.score([]).shape == (0,)
    with pytest.raises(TypeError, match="`texts` must be a list of texts"):
        GENERATOR.score("one text")


# ----------------------------------------------------------------- pretrained

PRETRAINED = {"gpt2": gpt2_tokenizer(), "llama": llama_tokenizer()}


@pytest.fixture(params=["gpt2", "llama"])
def pretrained(request, tmp_path):
    """A pipeline from a directory, the model of transformers, what starts a text."""
    kind = request.param
    tokenizer = PRETRAINED[kind]
    length = "n_positions" if kind == "gpt2" else "max_position_embeddings"
    # A table that is rounded up, as often.
    size = tokenizer.vocabulary_size + 3
    changes = {"vocab_size": size, length: 40, "eos_token_id": tokenizer.separator_id}
    theirs = write(kind, tmp_path / kind, "AutoModelForCausalLM", **changes)
    tokenizer.save(tmp_path / kind / "tokenizer.json")
    model = TransformerDecoder.from_pretrained(tmp_path / kind)
    tokenizer = HuggingFaceTokenizer.load(tmp_path / kind)
    start = tokenizer.class_id or tokenizer.separator_id
    return TextGenerator(model, tokenizer, max_new_tokens=9), theirs, start


@pytest.mark.slow_elsewhere
def test_a_pretrained_decoder_writes_what_transformers_writes(pretrained, tmp_path):
    import torch

    generator, theirs, start = pretrained
    texts = ["ab a 中", "", "🙂 b", b"\xff"]
    bytes_ = [n for n, one in enumerate(generator.tokenizer.pieces()) if "<0x" in one]
    written, scores = [], []
    for row in generator.tokenizer.encode_parts(texts):
        prompt = torch.tensor([[start, *row]])
        found = theirs.generate(
            prompt,
            max_new_tokens=9,
            do_sample=False,
            suppress_tokens=bytes_ or None,  # which, at random, are no characters
            pad_token_id=0,
        )[0]
        decode = generator.tokenizer.decode
        written.append(decode(found)[len(decode(prompt[0])) :])
        with torch.no_grad():
            nats = torch.log_softmax(theirs(prompt).logits[0], -1).numpy()
        scores.append(sum(nats[place, token] for place, token in enumerate(row)))

    sampler = chain(suppress(bytes_), top_k(1))  # the likeliest of the others
    assert generator(texts, sampler=sampler) == written
    assert len({*written}) > 2
    for text, expected in zip(texts, written):
        assert "".join(generator.stream(text, sampler=sampler)) == expected
    assert_close(generator.score(texts), scores, 1e-4)
    generator.save(tmp_path / "pipeline")
    again = load(tmp_path / "pipeline")
    assert type(again.tokenizer) is HuggingFaceTokenizer
    assert again(texts) == generator(texts)
    assert_close(again.score(texts), scores, 1e-4)


@pytest.mark.once
@pytest.mark.parametrize("kind", PRETRAINED)
def test_a_pretrained_tokenizer_says_the_text_of_the_script(kind):
    tokenizer = PRETRAINED[kind]
    script = ScriptModel(tokenizer.vocabulary_size, num_steps=16)
    generator = TextGenerator(script, tokenizer, max_new_tokens=16)
    before, whole = tokenizer.encode_parts(["a", "a ab 🙂中"])
    script.play(whole[len(before) :], rest=tokenizer.separator_id)

    # A space is the text's, unless it is only the one before the first word.
    assert generator("a") == "".join(generator.stream("a")) == " ab 🙂中"
    assert generator(["a"], stop=["中"]) == [" ab 🙂"]
    first = "ab 🙂中" if kind == "llama" else " ab 🙂中"
    assert generator("") == first
    assert not any("\ufffd" in piece for piece in generator.stream("a"))


# --------------------------------------------------------------------- saving


def names(directory):
    return sorted(path.name for path in directory.iterdir())


def test_what_was_saved_gives_the_same_text(tmp_path):
    model = make_model(dropout=0.1)
    generator = TextGenerator(model, TOKENIZER, max_new_tokens=9)
    generator.save(tmp_path / "new" / "plain")
    model.compile("adam", "sparse_categorical_crossentropy")
    model.optimizer.build(model.trainable_variables)
    generator.save(tmp_path / "new" / "trained")

    loaded = load(tmp_path / "new" / "trained")
    assert loaded.model.count_params() == model.count_params()

    assert loaded.max_new_tokens == 9
    assert type(loaded) is TextGenerator
    assert loaded(["area", "", "中"]) == generator(["area", "", "中"])
    assert names(tmp_path / "new") == ["plain", "trained"]
    assert names(tmp_path / "new/plain") == [
        "model.keras",
        "pipeline.json",
        "tokenizer.model",
    ]
    # The optimizer stays out, and the model goes on training with its own.
    sizes = [
        (tmp_path / "new" / name / "model.keras").stat().st_size
        for name in ("plain", "trained")
    ]
    assert sizes[1] < 1.1 * sizes[0]
    assert model.optimizer is not None


def test_a_directory_is_replaced_only_when_asked(tmp_path):
    target = tmp_path / "pipeline"
    GENERATOR.save(target)
    before = (target / "model.keras").read_bytes()

    with pytest.raises(FileExistsError, match="The target must not exist, or be a fol"):
        GENERATOR.save(target)
    assert (target / "model.keras").read_bytes() == before

    TextGenerator(MODEL, TOKENIZER, max_new_tokens=3).save(target, overwrite=True)
    assert load(target).max_new_tokens == 3
    assert names(tmp_path) == ["pipeline"]


def test_a_save_that_fails_leaves_the_old_one(tmp_path, monkeypatch):
    target = tmp_path / "pipeline"
    GENERATOR.save(target)

    def fail(self, path):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(TOKENIZER), "save", fail)
    for place in (target, tmp_path / "other"):
        with pytest.raises(OSError, match="can be written. Received: No space left"):
            GENERATOR.save(place, overwrite=True)
    monkeypatch.undo()

    assert names(tmp_path) == ["pipeline"]
    assert load(target).max_new_tokens == 9


def test_a_full_disk_leaves_nothing(tmp_path):
    # No file may grow above 5,000 bytes; the signal would end the process.
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
    try:
        with pytest.raises(OSError, match="can be written. Received: File too large"):
            GENERATOR.save(tmp_path / "pipeline")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)

    assert names(tmp_path) == []


def test_the_description_is_readable(tmp_path):
    GENERATOR.save(tmp_path / "p")
    text = (tmp_path / "p" / "pipeline.json").read_text("utf-8")

    assert json.loads(text) == {
        "pipeline": "TextGenerator",
        "has_tokenizer": True,
        "settings": {"max_new_tokens": 9},
    }


# --------------------------------------------------------------------- errors


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="vocabularies of one size. Received: 27 and"):
        TextGenerator(TransformerDecoder(27, 1, 1, 2, 3, 5), TOKENIZER)
    for wrong in (0, 2.5, "9"):
        with pytest.raises(
            ValueError, match="must be an int, at least 1. Received: max"
        ):
            TextGenerator(MODEL, TOKENIZER, max_new_tokens=wrong)
    with pytest.raises(
        ValueError, match="must be an int, at least 1. Received: max_new"
    ):
        GENERATOR(["a"], max_new_tokens=0)
    with pytest.raises(ValueError, match="must fit the model's max_sequence_length=37"):
        GENERATOR(["a"], max_new_tokens=36)
    with pytest.raises(ValueError, match="`sampler` must be a function or one of"):
        GENERATOR(["a"], sampler="best")
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        GENERATOR(["a", None])
    with pytest.raises(TypeError, match="`stop` must be a list of strings"):
        GENERATOR(["a"], stop="END")


def test_a_stream_refuses_before_its_first_piece():
    with pytest.raises(ValueError, match="must fit the model's max_sequence_length=37"):
        GENERATOR.stream("a", max_new_tokens=36)
    with pytest.raises(TypeError, match="`stop` must be a list of strings"):
        GENERATOR.stream("a", stop="END")
