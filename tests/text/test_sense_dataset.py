"""sense_dataset: a word against its own senses, which are drawn, training, errors."""

import keras
import numpy as np
import pytest

from keras_lm.models import DualEncoder, TransformerEncoder
from keras_lm.text import sense_dataset
from keras_lm.training import ContrastiveCrossEntropy
from tests.checks import JIT
from tests.text.samples import TOKENIZER

TEXTS = ["a [[ÿ]]", "[[é]] 中", b"b [[\xc3\xbf]]"]
GLOSSES = [["u", "v", "w"], ["x"], ["v", "u", "v"]]


def decoded(ids, real):
    return TOKENIZER.decode(ids[real].tolist())


@pytest.mark.once
def test_a_case_done_by_hand():
    ((inputs, targets, weights),) = sense_dataset(
        TEXTS, GLOSSES, TOKENIZER, num_buckets=1, shuffle=False
    )

    inputs = {name: one.numpy() for name, one in inputs.items()}
    order = [TEXTS.index(t) for t in ("a [[ÿ]]", "[[é]] 中")]
    texts = [
        (decoded(ids, real), decoded(ids, word))
        for ids, real, word in zip(
            inputs["token_ids"], inputs["padding_mask"], inputs["pooling_mask"]
        )
    ]
    rows = [texts.index(one) for one in [("a ÿ", " ÿ"), ("é 中", "é"), ("b ÿ", " ÿ")]]
    assert order == [0, 1]
    others = [
        [decoded(*one) for one in zip(*both)]
        for both in zip(inputs["other_token_ids"], inputs["other_padding_mask"])
    ]
    assert [others[row] for row in rows] == [list("uvw"), list("xxx"), list("vuv")]
    # Columns are the first glosses of all, the second, the third.
    own = targets.numpy().reshape(3, 3, 3)
    assert [own[row, :, row].tolist() for row in rows] == [
        [1, 0, 0],
        [1, -1, -1],  # there are no others
        [1, 0, -1],  # the third says the same
    ]
    for row in range(3):
        assert (np.delete(own[row], row, axis=1) == -1).all()
    assert weights.numpy().tolist() == [1, 1, 1]


@pytest.mark.once
def test_of_many_senses_some_are_drawn():
    glosses = [["right", *map(str, range(30))]] * 40

    def drawn(seed):
        dataset = sense_dataset(
            ["[[é]]"] * 40, glosses, TOKENIZER, 40, max_glosses=5, seed=seed
        )
        ((inputs, *_),) = dataset
        return [
            [decoded(*one) for one in zip(*both)]
            for both in zip(
                inputs["other_token_ids"].numpy(), inputs["other_padding_mask"].numpy()
            )
        ]

    rows = drawn(0)
    assert all(row[0] == "right" and len(set(row)) == 5 for row in rows)
    assert len({other for row in rows for other in row}) > 25
    assert drawn(0) == rows
    assert sorted(drawn(1)) != sorted(rows)


@pytest.mark.slow_elsewhere
def test_fit_tells_senses_apart():
    keras.utils.set_random_seed(1)
    encoder = TransformerEncoder(TOKENIZER.vocabulary_size, 1, 2, 8, 6, 40)
    model = DualEncoder(encoder)
    model.compile(
        keras.optimizers.Adam(0.02), ContrastiveCrossEntropy(0.1), jit_compile=JIT
    )
    texts = ["a [[bank]] area", "中文 [[bank]]", "[[bank]] 🙂", "[[bank]] of width"]
    senses = ["a square", "circle"]
    glosses = [senses, senses[::-1]] * 2
    dataset = sense_dataset(texts, glosses, TOKENIZER, 4, num_buckets=1)

    history = model.fit(dataset, epochs=40, verbose=0, shuffle=False).history["loss"]

    assert history[-1] < 0.2 < 0.4 < history[0]


# ----------------------------------------------------------------------- errors


@pytest.mark.once
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"texts": TEXTS[:2]}, r"Received: 2 texts and \[3, 1, 3\] glosses"),
        ({"texts": [], "glosses": []}, r"Received: 0 texts and \[\] glosses"),
        ({"glosses": [["u"], [], ["v"]]}, r"Received: 3 texts and \[1, 0, 1\] glos"),
        ({"texts": ["a", "b", "c"]}, "must have a word between"),
        ({"max_glosses": 1}, "`max_glosses` must be at least 2. Received: max_gl"),
        ({"batch_size": 0}, "`batch_size` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"max_length": 3}, "at most 3 tokens"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        sense_dataset(
            **{"texts": TEXTS, "glosses": GLOSSES, **options}, tokenizer=TOKENIZER
        )


@pytest.mark.once
def test_a_string_is_no_list_of_glosses():
    with pytest.raises(TypeError, match=r"`glosses\[1\]` must be a list of texts. Rec"):
        sense_dataset(TEXTS, [["u", "v"], "x 中", ["v"]], TOKENIZER)
    with pytest.raises(TypeError, match="`texts` must be a list of texts. Received: "):
        sense_dataset("[[é]]", GLOSSES, TOKENIZER)
