"""export_saved_model: strings in and out as the pipeline answers, or nothing at all."""

import pytest

from keras_lm.export import ExportError, export_saved_model
from tests.checks import assert_close
from tests.export.conftest import PROMPTS, make_pipeline
from tests.export.fake_layers import PythonAttention
from tests.export.readme import run_script


def answer(signatures, texts, **arguments):
    import tensorflow as tf

    name = "generate" if arguments else "serving_default"
    arguments = {key: tf.constant(value) for key, value in arguments.items()}
    texts = tf.constant(texts, tf.string, shape=[len(texts)])
    answered = signatures[name](text=texts, **arguments)["generated_text"]
    return [text.decode("utf-8") for text in answered.numpy()]


def test_it_agrees_with_the_model_on_this_backend(saved_model):
    assert saved_model.agrees
    assert saved_model.largest_difference < 1e-4
    assert saved_model.path.name == "1"
    assert saved_model.size_bytes > 20_000
    assert [path.name for path in saved_model.path.parent.iterdir()] == ["1"]


def test_it_says_what_the_pipeline_says(saved_model, signatures, pipeline):
    expected = pipeline(PROMPTS)

    assert answer(signatures, PROMPTS) == expected
    assert [answer(signatures, [prompt])[0] for prompt in PROMPTS] == expected
    assert len(set(expected)) > 1


def test_a_batch_of_no_text_is_answered(signatures):
    assert answer(signatures, []) == []


def test_generate_with_temperature_0_is_greedy(signatures, pipeline):
    drawn = answer(signatures, PROMPTS, max_new_tokens=9, temperature=0.0, seed=5)

    assert drawn == pipeline(PROMPTS, max_new_tokens=9)


def test_the_seed_decides_what_is_drawn(signatures):
    def draw(seed):
        arguments = {"max_new_tokens": 9, "temperature": 1.0, "seed": seed}
        return answer(signatures, PROMPTS, **arguments)

    assert draw(5) == draw(5)
    assert draw(5) != draw(6)


def test_score_is_the_pipelines(signatures, pipeline):
    import tensorflow as tf

    scored = signatures["score"](text=tf.constant(PROMPTS))["log_likelihood"].numpy()

    assert_close(scored, pipeline.score(PROMPTS), 1e-4)
    assert scored[PROMPTS.index("")] == 0


def test_a_prompt_that_is_too_long_is_an_error_in_our_words(signatures, pipeline):
    import tensorflow as tf

    room = 61 - 6 - 1  # the separator stands before the prompt
    token = len(pipeline.tokenizer.encode("\0"))
    assert token == 1
    answer(signatures, ["\0" * room])
    with pytest.raises(ValueError, match="Prompt and new tokens must fit the model"):
        pipeline(["\0" * (room + 1)])
    with pytest.raises(
        tf.errors.InvalidArgumentError, match="Prompt and new tokens must fit the model"
    ):
        answer(signatures, ["short", "\0" * (room + 1)])
    with pytest.raises(tf.errors.InvalidArgumentError, match="must be at least 1"):
        answer(signatures, ["short"], max_new_tokens=0, temperature=0.0, seed=0)


@pytest.mark.once
def test_the_script_in_the_readme_runs_without_keras_lm(saved_model, pipeline):
    prompts = ["Returns", "中文"]

    lines = run_script(
        "generate_saved_model.py", ["keras_lm"], saved_model.path, prompts
    )

    assert "\n".join(lines).startswith("\n".join(pipeline(prompts)) + "\ndrawn:")
    assert lines[-1].startswith("nats: [-")


@pytest.mark.slow
@pytest.mark.once
def test_learned_positions_and_the_next_version(
    saved_model, learned_pipeline, tmp_path
):
    (tmp_path / "lm" / "8").mkdir(parents=True)

    report = export_saved_model(learned_pipeline, tmp_path / "lm")

    assert report.agrees
    assert report.path == tmp_path / "lm" / "9"


@pytest.mark.once
def test_python_in_the_graph_is_refused_by_name(tmp_path):
    attention = ["multi_head", PythonAttention(num_heads=4, key_dim=6)]
    pipeline = make_pipeline(attention=attention)

    with pytest.raises(ExportError, match="PyFunc in block_1/attention"):
        export_saved_model(pipeline, tmp_path / "lm")

    assert not (tmp_path / "lm").exists()


# ----------------------------------------------------------------------- errors


def test_an_existing_version_is_refused(pipeline, tmp_path):
    (tmp_path / "3").mkdir()

    with pytest.raises(FileExistsError, match="`version` must be one that does not"):
        export_saved_model(pipeline, tmp_path, version=3)


@pytest.mark.parametrize("version", [0, -1, "1", 1.0, True])
def test_versions_below_1_are_refused(pipeline, tmp_path, version):
    with pytest.raises(ValueError, match="`version` must be an int of at least 1"):
        export_saved_model(pipeline, tmp_path, version=version)


def test_what_is_no_pipeline_is_refused(tmp_path):
    with pytest.raises(TypeError, match="`pipeline` must be a `keras_lm.pipelines"):
        export_saved_model("saved_models/lm", tmp_path)


def test_a_path_that_cannot_be_a_folder_is_refused(pipeline, tmp_path):
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(OSError, match="The export must be able to write"):
        export_saved_model(pipeline, tmp_path / "file" / "lm")
