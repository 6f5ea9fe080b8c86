"""Pipelines that are exported once, and what came of them."""

import keras
import pytest

from keras_lm import export, models, pipelines, text

TEXTS = ["Returns the sum of two values.", "中文，再加一些字。 ", "def main(): pass\n"]
# Chinese, emoji, nothing, bytes that are no UTF-8, SentencePiece's own space sign.
PROMPTS = ["Returns", "中文和 emoji 👩‍👧", "", b"bad \xff\xc3 bytes", "a ▁\x1b b"]


def make_pipeline(max_sequence_length=61, seed=7, **settings):
    keras.utils.set_random_seed(seed)
    tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    model = models.TransformerDecoder(
        tokenizer.vocabulary_size,
        num_layers=2,
        num_heads=4,
        hidden_dim=24,
        intermediate_dim=20,
        max_sequence_length=max_sequence_length,
        **settings,
    )
    # Fresh weights know no favourites: make the logits differ by more than rounding.
    # (Not by larger layers: they would turn rounding into differences.)
    embeddings = model.token_embedding.embeddings
    embeddings.assign(embeddings * 5.0)
    return pipelines.TextGenerator(model, tokenizer, max_new_tokens=6)


@pytest.fixture(scope="session")
def pipeline():
    return make_pipeline(num_key_value_heads=2)


@pytest.fixture(scope="session")
def learned_pipeline():
    return make_pipeline(positions="learned", gated=True, normalize_first=False)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("saved_models")


@pytest.fixture(scope="session")
def saved_model(pipeline, folder):
    return export.export_saved_model(pipeline, folder / "lm")


@pytest.fixture(scope="session")
def litert(pipeline, folder):
    return export.export_litert(pipeline, folder / "lm.tflite")


@pytest.fixture(scope="session")
def signatures(saved_model):
    import tensorflow as tf
    import tensorflow_text  # noqa: F401, its ops

    loaded = tf.saved_model.load(str(saved_model.path))
    # The signatures do not keep what they belong to alive.
    yield loaded.signatures
    del loaded
