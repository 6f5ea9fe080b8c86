"""export_litert: a file any plain runtime runs, as the model answers, or nothing."""

import errno
import json
import math
import os
import subprocess

import numpy as np
import pytest
from keras import ops

from keras_lm import models, pipelines, text
from keras_lm.export import ExportError, export_litert
from keras_lm.export.export_litert import refuse_difference
from keras_lm.export.litert_ops import strange_ops
from tests.checks import assert_close
from tests.export.conftest import PROMPTS, TEXTS, make_pipeline
from tests.export.fake_layers import FourierAttention
from tests.export.readme import run_script
from tests.fakes import random_weights


def logits_of_steps(path, token_ids, prompt_length):
    """Logits `(T - prompt_length + 1, V)`: of the prompt's end, then of each token."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    state = {k: np.zeros(v["shape"], v["dtype"]) for k, v in about["state"].items()}
    logits = []
    shown = token_ids[:prompt_length]
    for place in range(prompt_length, len(token_ids) + 1):
        signature = "decode" if logits else "prefill"
        runner = interpreter.get_signature_runner(signature)
        state = runner(token_ids=np.array([shown], "int32"), **state)
        logits.append(state.pop("logits")[0])
        shown = token_ids[place : place + 1]
    return np.stack(logits)


def test_it_agrees_with_the_model_on_this_backend(litert):
    assert litert.agrees
    assert litert.largest_difference < 1e-4
    assert litert.path.name == "lm.tflite"
    assert litert.size_bytes == litert.path.stat().st_size


@pytest.mark.parametrize("prompt_length", [1, 7, 54])
def test_prefill_and_decode_give_the_models_logits(litert, pipeline, prompt_length):
    rng = np.random.default_rng(seed=0)
    token_ids = rng.integers(310, size=prompt_length + 5)
    expected = ops.convert_to_numpy(pipeline.model(token_ids[None].astype("int32")))

    logits = logits_of_steps(litert.path, token_ids, prompt_length)

    assert_close(logits, expected[0, prompt_length - 1 :], 1e-4)


def test_the_file_asks_for_builtin_operations_only(litert):
    assert strange_ops(litert.path.read_bytes()) == set()


def test_the_weights_are_stored_once(litert, pipeline):
    from ai_edge_litert import schema_py_generated as schema

    content = schema.Model.GetRootAs(litert.path.read_bytes(), 0)
    sizes = [content.Buffers(n).DataLength() for n in range(content.BuffersLength())]
    weights = 4 * pipeline.model.count_params()

    assert 0.9 * weights < sum(sizes) < 1.15 * weights


def test_names_and_tokenizer_lie_beside(litert, pipeline):
    about = json.loads(litert.path.with_suffix(".json").read_text("utf-8"))
    proto = litert.path.with_suffix(".tokenizer.model").read_bytes()

    assert proto == pipeline.tokenizer.model_proto
    assert about["state"]["state_rows_1_key"] == {
        "shape": [1, 2, 61, 6],
        "dtype": "float32",
    }
    assert about["max_sequence_length"] == 61


def test_the_script_in_the_readme_runs_without_tensorflow_and_keras(litert, pipeline):
    # Three lengths, Chinese, emoji, what is escaped. (No byte that is no UTF-8: a
    # terminal has none to give.)
    prompts = [prompt for prompt in PROMPTS if isinstance(prompt, str)]
    prompts.append("中文和" * 5)

    blocked = ["tensorflow", "keras", "keras_lm", "jax", "torch"]
    lines = run_script("generate_litert.py", blocked, litert.path, prompts)

    assert "\n".join(lines) == "\n".join(pipeline(prompts))


@pytest.mark.once
def test_learned_positions(learned_pipeline, tmp_path):
    report = export_litert(learned_pipeline, tmp_path / "learned.tflite")

    assert report.agrees
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "learned.json",
        "learned.tflite",
        "learned.tokenizer.model",
    ]


@pytest.mark.once
@pytest.mark.parametrize(
    "quantization", [pytest.param("float16", marks=pytest.mark.slow), "dynamic_int8"]
)
def test_quantised_files_are_smaller_and_close(
    litert, pipeline, tmp_path, quantization
):
    path = tmp_path / "small.tflite"
    path.write_text("an older one")

    report = export_litert(pipeline, path, quantization, overwrite=True)

    assert report.quantization == quantization
    assert report.size_bytes < litert.size_bytes  # of so small a model most is graph
    assert report.largest_difference > litert.largest_difference
    assert report.greedy_agreement > 0.7
    assert strange_ops(path.read_bytes()) == set()


@pytest.mark.once
def test_what_has_no_builtin_is_refused_by_name(tmp_path):
    attention = ["multi_head", FourierAttention(num_heads=4, key_dim=6)]
    pipeline = make_pipeline(attention=attention)

    with pytest.raises(ExportError, match="FFT in block_1/attention"):
        export_litert(pipeline, tmp_path / "lm.tflite")

    assert list(tmp_path.iterdir()) == []


# ----------------------------------------------------------------------- errors


def test_an_existing_file_is_refused(pipeline, tmp_path):
    path = tmp_path / "lm.tflite"
    path.write_text("mine")

    with pytest.raises(FileExistsError, match="or overwrite=True be given"):
        export_litert(pipeline, path)

    assert path.read_text() == "mine"


def test_an_unknown_quantization_is_refused(pipeline, tmp_path):
    with pytest.raises(ValueError, match='`quantization` must be None, "float16" or'):
        export_litert(pipeline, tmp_path / "lm.tflite", quantization="int4")


def test_another_ending_is_refused(pipeline, tmp_path):
    with pytest.raises(ValueError, match="`path` must end in .tflite"):
        export_litert(pipeline, tmp_path / "lm.onnx")


def test_a_folder_is_refused(pipeline, tmp_path):
    (tmp_path / "lm.tflite").mkdir()

    with pytest.raises(IsADirectoryError, match="`path` must be a file"):
        export_litert(pipeline, tmp_path / "lm.tflite", overwrite=True)


def test_what_is_no_pipeline_is_refused(pipeline, tmp_path):
    with pytest.raises(TypeError, match="`pipeline` must be a `keras_lm.pipelines"):
        export_litert(pipeline.model, tmp_path / "lm.tflite")


@pytest.mark.once
@pytest.mark.parametrize("size", [40, 330])
def test_a_full_disk_leaves_nothing(pipeline, tmp_path, size):
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(tmp_path)]
    if (
        os.getuid()
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("only root can make a small disk")
    try:
        with pytest.raises(OSError, match="The export must be able to write") as raised:
            export_litert(pipeline, tmp_path / "lm.tflite")
        assert raised.value.errno == errno.ENOSPC
        assert list(tmp_path.iterdir()) == []
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("quantization", "allowed"), [(None, 1e-3), ("float16", 0.1), ("dynamic_int8", 1.0)]
)
def test_a_file_that_disagrees_is_refused(quantization, allowed):
    def refuse(difference, finite=True):
        checked = {"largest_difference": difference, "finite": finite, "spread": 2.0}
        refuse_difference(checked, quantization)

    refuse(0.9 * allowed)
    for difference in (1.1 * allowed, math.nan):
        with pytest.raises(ExportError, match=f"within {allowed:.3g} of the model's"):
            refuse(difference)
    with pytest.raises(ExportError, match="must give finite logits"):
        refuse(0.0, finite=False)


@pytest.mark.slow_elsewhere
def test_an_lstm_exports_with_any_length(folder):
    tokenizer = text.train_tokenizer(TEXTS * 5, 310)
    model = models.LSTMLanguageModel(
        tokenizer.vocabulary_size, 8, 12, num_layers=2, max_sequence_length=61
    )
    random_weights(model, seed=3)
    pipeline = pipelines.TextGenerator(model, tokenizer, max_new_tokens=6)

    report = export_litert(pipeline, folder / "lstm.tflite")

    assert report.largest_difference < 1e-4
    assert report.agrees
