"""Pipelines that are exported once, and what came of them."""

import keras
import pytest

from keras_lm import export, models, pipelines, text
from keras_lm.export.litert_ops import strange_ops
from tests.fakes import random_weights

TEXTS = ["Returns the sum of two values.", "中文，再加一些字。 ", "def main(): pass\n"]
# Chinese, emoji, nothing, bytes that are no UTF-8, SentencePiece's own space sign.
PROMPTS = ["Returns", "中文和 emoji 👩‍👧", "", b"bad \xff\xc3 bytes", "a ▁\x1b b"]


def make_pipeline(max_sequence_length=61, seed=7, **settings):
    keras.utils.set_random_seed(seed)
    tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    settings = {"num_layers": 2, "num_heads": 4, "hidden_dim": 24} | settings
    model = models.TransformerDecoder(
        tokenizer.vocabulary_size,
        intermediate_dim=20,
        max_sequence_length=max_sequence_length,
        **settings,
    )
    # Fresh weights know no favourites: make the logits differ by more than rounding.
    # (Not by larger layers: they would turn rounding into differences.)
    embeddings = model.token_embedding.embeddings
    embeddings.assign(embeddings * 5.0)
    return pipelines.TextGenerator(model, tokenizer, max_new_tokens=6)


def lstm_encoder(tokenizer, max_sequence_length=47, **options):
    """Two layers of LSTMs that take the place of a Transformer."""
    options["max_sequence_length"] = max_sequence_length
    return models.LSTMEncoder(tokenizer.vocabulary_size, 7, 12, 2, **options)


def export_both(pipeline, folder, tolerance=1e-5):
    """The report of a SavedModel, which agrees, as does a LiteRT file of builtins."""
    saved_model = export.export_saved_model(pipeline, folder / "saved_model")
    litert = export.export_litert(pipeline, folder / "litert.tflite")
    assert saved_model.agrees and litert.agrees
    assert max(saved_model.largest_difference, litert.largest_difference) < tolerance
    assert strange_ops(litert.path.read_bytes()) == set()
    return saved_model


def make_classifier(seed=7, **streams):
    """A classifier of an image, a sound and a text, or of the streams given."""
    keras.utils.set_random_seed(seed)
    tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    audio = {"num_samples": 90, "sampling_rate": 800, "num_mel_bins": 5}
    model = models.MultimodalClassifier(
        streams
        or {
            "photo": {"kind": "image", "shape": [8, 6, 1], "patch_size": 2},
            "sound": {"kind": "audio", **audio, "frame_length": 16, "frame_step": 8},
            "title": {"kind": "text", "vocabulary_size": 310, "max_length": 29},
        },
        num_classes=4,
        num_layers=1,
        num_heads=2,
        hidden_dim=10,
        intermediate_dim=12,
    )
    # Logits that differ by more than rounding, and differ from example to example.
    model.head.kernel.assign(model.head.kernel * 3.0)
    model.head.bias.assign([0.3, 0.1, -0.2, 0.0])
    return pipelines.StreamClassifier(model, ["cat", "dog", "猫", "🐕"], tokenizer)


def make_translator(model="transformer", max_source_length=33, **settings):
    """A `TextToText` whose two sides have vocabularies of their own."""
    keras.utils.set_random_seed(7)
    source, target = (text.train_tokenizer(TEXTS * 5, size) for size in (310, 305))
    sides = {"source_vocabulary_size": source.vocabulary_size}
    sides |= {"share_embeddings": False, "max_sequence_length": 23}
    if model == "transformer":
        sizes = {"num_layers": 2, "num_heads": 4, "hidden_dim": 24}
        sizes |= {"intermediate_dim": 20}
        model = models.TransformerEncoderDecoder(
            target.vocabulary_size, **{**sides, **sizes, **settings}
        )
    else:
        sizes = {"embedding_dim": 10, "hidden_dim": 12, "num_layers": 2}
        model = models.LSTMEncoderDecoder(
            target.vocabulary_size, **{**sides, **sizes, **settings}
        )
    random_weights(model, seed=3)
    return pipelines.TextToText(
        model, source, target, max_new_tokens=7, max_source_length=max_source_length
    )


@pytest.fixture(scope="session")
def translator():
    return make_translator()


@pytest.fixture(scope="session")
def pipeline():
    return make_pipeline(num_key_value_heads=2)


@pytest.fixture(scope="session")
def classifier():
    return make_classifier()


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
def classifier_saved_model(classifier, folder):
    return export.export_saved_model(classifier, folder / "classifier")


@pytest.fixture(scope="session")
def classifier_litert(classifier, folder):
    return export.export_litert(classifier, folder / "classifier.tflite")


@pytest.fixture(scope="session")
def translator_saved_model(translator, folder):
    return export.export_saved_model(translator, folder / "translator")


@pytest.fixture(scope="session")
def translator_litert(translator, folder):
    return export.export_litert(translator, folder / "translator.tflite")


@pytest.fixture(scope="session")
def translator_signatures(translator_saved_model):
    yield from loaded_signatures(translator_saved_model.path)


@pytest.fixture(scope="session")
def signatures(saved_model):
    yield from loaded_signatures(saved_model.path)


@pytest.fixture(scope="session")
def classifier_signatures(classifier_saved_model):
    yield from loaded_signatures(classifier_saved_model.path)


def loaded_signatures(path):
    import tensorflow as tf
    import tensorflow_text  # noqa: F401, its ops

    loaded = tf.saved_model.load(str(path))
    # The signatures do not keep what they belong to alive.
    yield loaded.signatures
    del loaded
