"""Generate: each row alone, brute force, seeds, streams, one compilation, errors."""

import gc
import weakref

import keras
import numpy as np
import pytest
from keras import ops

from keras_lm import backend
from keras_lm.generation import generate, samplers, stream
from keras_lm.generation.generate import bucket
from keras_lm.models import TransformerDecoder
from tests.fakes import AlphabetModel, TableModel, random_weights, run_of, spell

VOCABULARY_SIZE = 47
rng = np.random.default_rng(seed=0)
# The batch that the foundation's acceptance names.
PROMPTS = [rng.integers(0, VOCABULARY_SIZE, size=n).tolist() for n in (3, 40, 100)]
COMPILES = keras.backend.backend() != "torch"


def make_model(seed=1, **changes):
    settings = {
        "vocabulary_size": VOCABULARY_SIZE,
        "num_layers": 1,
        "num_heads": 4,
        "hidden_dim": 24,
        "intermediate_dim": 13,
        "max_sequence_length": 111,
        **changes,
    }
    model = TransformerDecoder(**settings)
    random_weights(model, seed)
    return model


def brute_force(model, prompts, num_new):
    """The likeliest token after the whole text so far, `num_new` times."""
    width = max(map(len, prompts)) + num_new
    token_ids = np.zeros((len(prompts), width), "int32")  # padded on the right: unseen
    for row, prompt in zip(token_ids, prompts, strict=True):
        row[: len(prompt)] = prompt
    rows, ends = np.arange(len(prompts)), np.array([len(p) for p in prompts])
    for step in range(num_new):
        logits = model.predict_on_batch(token_ids)
        best = np.argmax(np.asarray(logits, "float32"), axis=-1)
        token_ids[rows, ends + step] = best[rows, ends + step - 1]
    return np.stack([token_ids[rows, ends + step] for step in range(num_new)], axis=1)


def uniform(logits, token_ids, visible):
    """A sampler of one's own: every token is as likely as every other."""
    return ops.zeros_like(logits)


# -------------------------------------------------------------- each row alone


def test_three_prompts_give_what_each_gives_alone_and_by_brute_force():
    model = make_model(num_layers=2, num_key_value_heads=2, tie_embeddings=False)

    together = generate(model, PROMPTS, 11)

    assert together.shape == (3, 11) and together.dtype == "int32"
    assert len(np.unique(together)) > 8  # it is no loop of one token
    np.testing.assert_array_equal(together, brute_force(model, PROMPTS, 11))
    for row, prompt in zip(together, PROMPTS, strict=True):
        np.testing.assert_array_equal(generate(model, [prompt], 11)[0], row)


@pytest.mark.parametrize(
    "changes",
    [
        {"positions": "learned", "normalize_first": False, "max_sequence_length": 14},
        {"positions": None, "dropout": 0.5, "gated": True, "num_key_value_heads": 1},
    ],
    ids=["learned", "one_key_value_head"],
)
def test_other_decoders_generate_as_by_brute_force(changes):
    model = make_model(tie_embeddings=False, **changes)
    prompts = [[5, 7], [11, 13, 17, 19, 23]]

    tokens = generate(model, prompts, 9)  # 5 + 9 = 14, to the last place

    np.testing.assert_array_equal(tokens, brute_force(model, prompts, 9))


@pytest.mark.parametrize("policy", ["mixed_float16", "bfloat16"])
def test_half_precision_generates(policy):
    model = make_model(dtype=policy)
    prompts = [[5, 7], [11, 13, 17, 19, 23]]

    tokens = generate(model, prompts, 6)

    # Sums in another order may turn a near tie; the first token has none.
    assert tokens.shape == (2, 6)
    np.testing.assert_array_equal(tokens[:, :1], brute_force(model, prompts, 1))


@pytest.mark.parametrize("keeps", ["slots", "newest"])
def test_padding_may_stand_anywhere(keeps):
    # b c d, with padding that is no letter, left, right and between.
    token_ids = np.array([[99, 2, 3, 4, -5], [2, 0, 3, 99, 4], [2, 3, 4, 7, 7]])
    mask = np.array([[0, 1, 1, 1, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 0]])

    tokens = generate(AlphabetModel(keeps), token_ids, 5, padding_mask=mask)

    assert [spell(row) for row in tokens] == ["efghi"] * 3
    lists = generate(AlphabetModel(keeps), token_ids.tolist(), 5, mask.tolist())
    np.testing.assert_array_equal(lists, tokens)


def test_arrays_of_the_backend_are_taken():
    token_ids = ops.convert_to_tensor(np.array([[1, 2], [25, 26]], "int32"))

    assert [spell(row) for row in generate(AlphabetModel(), token_ids, 3)] == [
        "cde",
        "abc",
    ]


# ------------------------------------------------------------------------ ends


def test_a_row_repeats_its_stop_token():
    tokens = generate(AlphabetModel(), [[2], [6], [24]], 9, stop_token_ids=[4, 7])

    assert [spell(row) for row in tokens] == ["cdddddddd", "ggggggggg", "yzabcdddd"]


def test_all_rows_ended_early():
    tokens = generate(AlphabetModel(), [[2], [6]], 16, stop_token_ids=(7, 4))

    assert [spell(row) for row in tokens] == ["c" + 15 * "d", 16 * "g"]


def test_the_stream_ends_with_the_last_row():
    given = {"token_ids": [[2], [24]], "max_new_tokens": 40, "stop_token_ids": {4}}

    steps = [spell(step) for step in stream(AlphabetModel(), **given)]

    assert steps == ["cy", "dz", "da", "db", "dc", "dd"]


# ----------------------------------------------------------------------- seeds


def test_a_sampler_does_not_see_the_stop_tokens_of_a_prompt():
    # A text begins after the token that ends it, and so do the turns of a chat: the
    # other tokens were said, and are not said again.
    model, stop = TableModel(67, seed=3), 0
    prompts = [[stop, 5, 7, 9], [stop], [6, 2, stop, 11, stop, 12]]
    sampler = samplers.chain(samplers.no_repeat_ngram(1), samplers.greedy())

    given = {"sampler": sampler, "stop_token_ids": [stop]}
    # The third time PyTorch plays what it has recorded.
    found = [generate(model, prompts, 67, **given) for _ in range(3)]
    steps = np.stack(list(stream(model, prompts, 67, **given)), axis=1)

    for row, prompt in enumerate(prompts):
        text = list(prompt)
        while len(text) == len(prompt) or text[-1] != stop:
            logits = model.logits_after(text)
            logits[[one for one in text if one != stop]] = -np.inf
            text.append(int(logits.argmax()))
        new = text[len(prompt) :]
        for tokens in (*found, steps):
            ended = [stop] * (tokens.shape[1] - len(new))
            assert tokens[row].tolist() == [*new, *ended]


def test_the_same_seed_gives_the_same_tokens():
    model, prompts = AlphabetModel(), [[1], [2, 3]]

    def draw(seed, num_new=16):
        return generate(model, prompts, num_new, sampler=uniform, seed=seed)

    first = draw(5)

    np.testing.assert_array_equal(draw(5), first)
    np.testing.assert_array_equal(draw(5, num_new=3), first[:, :3])
    assert (draw(6) != first).any()
    assert (draw(-(2**40)) != first).any()
    assert (draw(None) != draw(None)).any()
    assert (first[0] != first[1]).any()


@pytest.mark.parametrize("sampler", ["greedy", "random", uniform])
def test_the_stream_is_what_generate_gives(sampler):
    given = (AlphabetModel(), [[1], [2, 3]], 13)

    steps = list(stream(*given, sampler=sampler, seed=3, stop_token_ids=[5]))
    whole = generate(*given, sampler=sampler, seed=3, stop_token_ids=[5])

    assert all(step.shape == (2,) and step.dtype == "int32" for step in steps)
    np.testing.assert_array_equal(np.stack(steps, 1), whole[:, : len(steps)])
    assert (whole[:, len(steps) :] == 5).all()


def test_tokens_come_as_often_as_they_are_probable():
    # One token has half of the probability, 26 others share the rest unequally.
    weight = np.array([351, *range(1, 27)])
    probability = weight / weight.sum()
    log_probability = np.log(probability).astype("float32")

    def known(logits, token_ids, visible):
        return logits * 0 + ops.convert_to_tensor(log_probability)

    tokens = generate(AlphabetModel(), [[1]] * 4000, 4, sampler=known, seed=11)

    # Chi-square with 26 degrees of freedom: mean 26, standard deviation 7.2.
    for drawn in tokens.T:
        expected = 4000 * probability
        counts = np.bincount(drawn, minlength=27)
        assert np.sum((counts - expected) ** 2 / expected) < 26 + 4 * 7.2
    # Neither the next token nor the next row knows of this one.
    is_likeliest = (tokens == 0) - 0.5
    assert (
        abs(np.mean(is_likeliest[:, 1:] * is_likeliest[:, :-1])) < 0.25 * 4 / 12000**0.5
    )
    assert abs(np.mean(is_likeliest[1:] * is_likeliest[:-1])) < 0.25 * 4 / 16000**0.5


# ----------------------------------------------------------------- compilation


@pytest.mark.skipif(not COMPILES, reason="PyTorch's loop is a Python loop")
def test_lengths_of_one_bucket_compile_once():
    model = AlphabetModel()
    generate(model, [run_of("a", 1), run_of("b", 9)], 5, stop_token_ids=[4, 7])
    list(stream(model, [run_of("a", 1), run_of("b", 9)], 5))
    compiled = model.num_steps

    generate(model, [run_of("c", 16), run_of("d", 2)], 16, stop_token_ids=[7, 4])
    generate(model, [[1], [2]], 1, seed=np.int64(3), stop_token_ids=(7, 4, 7))
    list(stream(model, [run_of("c", 16), run_of("d", 2)], np.int64(16), seed=9))
    assert model.num_steps == compiled

    generate(model, [run_of("c", 17), run_of("d", 2)], 16, stop_token_ids=[7, 4])
    assert model.num_steps > compiled


def test_buckets():
    lengths = [1, 15, 16, 17, 32, 100, 256, 257, 512, 513, 768, 769, 2000]
    buckets = [16, 16, 16, 32, 32, 128, 256, 512, 512, 768, 768, 1024, 2048]

    assert [bucket(length) for length in lengths] == buckets


def test_weights_that_were_trained_on_are_used():
    model, prompts = make_model(), [[5, 7], [11, 13, 17]]
    before = generate(model, prompts, 10)
    assert (before == generate(model, prompts, 10)).all()

    model.compile(
        keras.optimizers.SGD(0.5),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    token_ids = np.arange(14).reshape(2, 7)
    model.fit(token_ids, token_ids + 1, epochs=2, verbose=0)

    after = generate(model, prompts, 10)
    assert (after != before).any()
    np.testing.assert_array_equal(after, brute_force(model, prompts, 10))


def test_a_decoder_streams_what_it_generates_and_is_freed_then():
    model, prompts = make_model(), [[5, 7], [11, 13, 17]]
    sampler = samplers.chain(samplers.temperature(0.9), samplers.top_p(0.95))
    whole = generate(model, prompts, 12, sampler=sampler, seed=3)
    steps = stream(model, prompts, 12, sampler=sampler, seed=3)
    first, model_gone = next(steps), weakref.ref(model)

    del model
    gc.collect()
    assert model_gone() is not None  # the stream goes on
    np.testing.assert_array_equal(np.stack([first, *steps], axis=1), whole)
    del steps
    gc.collect()

    assert model_gone() is None
    assert callable(sampler)


def test_a_sampler_made_anew_for_every_call_does_not_pile_up(monkeypatch):
    class Loop:
        def run(self, token_ids, padding_mask, num_slots, capacity, *rest):
            return ops.zeros((len(token_ids), capacity), "int32")

    loops, model = [], AlphabetModel()

    def decoder(*_):
        loop = Loop()
        loops.append(weakref.ref(loop))
        return loop

    monkeypatch.setattr(backend, "decoder", decoder)
    for _ in range(40):
        generate(model, [[1]], 3)  # used again and again, so it is kept
        generate(model, [[1]], 3, sampler=lambda logits, token_ids, visible: logits)
    gc.collect()

    assert len(loops) == 41
    assert loops[0]() is not None
    assert sum(loop() is not None for loop in loops) <= 16


# ---------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"token_ids": []}, "must hold at least one prompt. Received: none"),
        ({"token_ids": np.zeros((0, 3), int)}, "must hold at least one prompt"),
        ({"token_ids": [[1], []]}, "at least one real token. Received: none in row 1"),
        ({"token_ids": [[1, 27]]}, "at least 0 and below 27. Received: 27 in row 0"),
        ({"token_ids": [[1], [-1]]}, "at least 0 and below 27. Received: -1 in row 1"),
        ({"token_ids": [[1], [2**32 + 1]]}, "below 27. Received: 4294967297 in row 1"),
        ({"token_ids": [1, 2]}, r"must be ints of shape \(B, P\).*of shape \(\)"),
        ({"token_ids": np.array(3)}, r"must be ints of shape \(B, P\)"),
        ({"token_ids": np.ones((2, 3, 1), int)}, r"must be ints of.*shape \(3, 1\)"),
        ({"token_ids": [[1.0, 2.0]]}, "must be ints of.*dtype float64"),
        ({"token_ids": [[True]]}, "must be ints of.*dtype bool"),
        ({"token_ids": ["ab"]}, "must be ints of shape"),
        (
            {"max_new_tokens": 0},
            "must be an int, at least 1. Received: max_new_tokens=0",
        ),
        (
            {"max_new_tokens": 2.5},
            "must be an int, at least 1. Received: max_new_.*2.5",
        ),
        (
            {"max_new_tokens": 30},
            "must fit the model's max_sequence_length=31. Received: 2",
        ),
        ({"sampler": "best"}, "`sampler` must be a function or one of"),
        (
            {"padding_mask": [[0, 0]]},
            "at least one real token. Received: none in row 0",
        ),
        ({"padding_mask": [[1]]}, "`padding_mask` must have the shape of `token_ids`"),
        ({"padding_mask": [1, 1]}, "`padding_mask` must have the shape of `token_ids`"),
        ({"padding_mask": np.ones((2, 2))}, "`padding_mask` must have the shape of"),
    ],
)
@pytest.mark.parametrize("function", [generate, stream])
def test_what_cannot_be_is_refused(function, given, message):
    model = AlphabetModel(max_sequence_length=31)
    given = {"token_ids": [[1, 2]], "max_new_tokens": 5, **given}

    with pytest.raises(ValueError, match=message):
        function(model, **given)  # the stream: before its first token

    assert model.num_steps == 0
