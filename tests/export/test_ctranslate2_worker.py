"""The worker: places for weights, special tokens, errors that come back."""

import io
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import sentencepiece

from keras_lm.export import ctranslate2_worker as worker
from tests.export.test_ctranslate2_settings import TOKENIZER

pytestmark = pytest.mark.once


def test_a_name_is_the_way_to_a_place():
    layers = [SimpleNamespace(ffn=SimpleNamespace(weight=None)) for _ in range(2)]
    spec = SimpleNamespace(layer=layers)

    worker.place(spec, "layer.1.ffn.weight", np.ones((3, 2)).T)

    assert layers[0].ffn.weight is None
    assert layers[1].ffn.weight.shape == (2, 3)
    assert layers[1].ffn.weight.flags.c_contiguous


@pytest.mark.parametrize("name", ["layer.2.ffn.weight", "layer.0.fnn.weight"])
def test_a_weight_without_a_place_is_refused(name):
    spec = SimpleNamespace(layer=[SimpleNamespace(ffn=SimpleNamespace(weight=None))])

    with pytest.raises(ValueError, match=f"must have its place.*Received: {name}"):
        worker.place(spec, name, np.ones(2))


def test_two_tokenizers_must_have_the_same_special_tokens(tmp_path):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["one two"] * 5),
        model_writer=model,
        model_type="bpe",
        vocab_size=300,
        hard_vocab_limit=False,
        byte_fallback=True,
        eos_piece="<end>",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    (tmp_path / "source.model").write_bytes(model.getvalue())
    TOKENIZER.save(tmp_path / "target.model")
    job = {"path": str(tmp_path), "tokenizers": ["source.model", "target.model"]}

    with pytest.raises(worker.RefusalError, match="must have the same special tokens"):
        worker._special_tokens(job)


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (OSError(28, "full"), "OSError", "full"),
        (worker.RefusalError("our words"), "ExportError", "our words"),
        (
            RuntimeError("theirs"),
            "ExportError",
            "must run the model. Received: Run",
        ),
    ],
)
def test_errors_are_answers(monkeypatch, tmp_path, capsys, error, kind, message):
    def fail(job):
        raise error

    monkeypatch.setattr(worker, "write", fail)
    monkeypatch.setattr(sys, "argv", ["", str(tmp_path / "job.json")])
    monkeypatch.setattr(worker, "STRANGERS", set())
    (tmp_path / "job.json").write_text("{}")

    worker.main()

    answer = json.loads(capsys.readouterr().out)["keras_lm"]["error"]
    assert answer["kind"] == kind
    assert message in answer["message"]
