"""train_generator: runs that could not save, lost a worker or got other devices."""

import dataclasses
import os
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from keras import ops

from keras_lm import pipelines
from keras_lm.cli.demo import run_demo
from keras_lm.cli.train_generator import train_generator
from tests.cli.test_demo import SENTENCES, TINY
from tests.training.test_distribute import ROOT, TORCHRUN, run

pytestmark = pytest.mark.once


def test_a_directory_that_is_there_is_not_replaced_unless_told(tmp_path, capsys):
    corpus = tmp_path / "tales"
    corpus.mkdir()
    for n in range(60):
        text = f"{SENTENCES[n % 3]} Tale {n}."
        (corpus / f"{n}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "there").mkdir()
    settings = dataclasses.replace(TINY, epochs=1)
    arguments = settings, corpus, tmp_path / "there", tmp_path / "runs"

    with pytest.raises(FileExistsError, match="must not exist"):
        train_generator(*arguments)
    report = train_generator(*arguments, overwrite=True)

    # Only the saving was left.
    assert ("training", "0 steps, 0 tokens/s") in [row[:2] for row in report.rows]
    assert isinstance(pipelines.load(tmp_path / "there"), pipelines.TextGenerator)
    shown = capsys.readouterr().out
    assert "60 documents" in shown
    assert f"{report.values['perplexity']:.1f}, " in shown


def test_what_is_trained_is_saved_before_it_talks(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    corpus = tmp_path / "tales.txt"
    corpus.write_text("\n\n".join(SENTENCES * 40), encoding="utf-8")
    settings = dataclasses.replace(TINY, epochs=1)
    monkeypatch.setattr("keras_lm.cli.train_generator.talk", interrupted)
    monkeypatch.setattr("keras_lm.cli.demo.talk", interrupted)
    runs = tmp_path / "runs"

    with pytest.raises(KeyboardInterrupt):
        train_generator(settings, corpus, tmp_path / "made", runs)
    with pytest.raises(KeyboardInterrupt):
        run_demo(settings, corpus, tmp_path, runs)

    for made in ("made", "tales_lm_pipeline"):
        assert isinstance(pipelines.load(tmp_path / made), pipelines.TextGenerator)


def train_command(corpus, output, checkpoints, steps, *options):
    sizes = "--layers=1 --width=8 --heads=2 --vocabulary-size=400 --length=13"
    sizes += " --batch-size=4 --max-length=64 --checkpoint-every=5"
    paths = [str(corpus), f"--out={output}", f"--checkpoints={checkpoints}"]
    command = ["-m", "keras_lm", "train", *paths, *sizes.split(), f"--steps={steps}"]
    return [*command, *options]


def weights_of(directory):
    weights = pipelines.load(directory).model.trainable_weights
    # The gradient of a key's bias is rounding alone, which Adam makes large.
    return [ops.convert_to_numpy(w) for w in weights if "key/bias" not in w.path]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_whose_worker_dies_stops_and_goes_on_when_started_again(tmp_path):
    corpus = tmp_path / "tales.txt"
    tales = [f"{SENTENCES[n % 3]} Tale {n}." for n in range(120)]
    corpus.write_text("\n\n".join(tales), encoding="utf-8")
    runs = tmp_path / "runs"
    alone = train_command(corpus, tmp_path / "alone", runs, 60)
    command = train_command(corpus, tmp_path / "shared", runs, 60, "--distribute=data")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "KERAS_BACKEND": "torch"}
    process = subprocess.Popen(
        # torchrun ends the others when it sees one dead: they have a while to tell.
        [sys.executable, *TORCHRUN, "--monitor-interval=10", *command],
        cwd=ROOT,
        env={**environment, "KERAS_LM_COLD": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (runs / "shared_torch" / "checkpoint_000002").exists():
        assert process.poll() is None, process.stdout.read()
        time.sleep(0.05)
    workers = psutil.Process(process.pid).children()
    (second,) = [one for one in workers if one.environ()["RANK"] == "1"]
    second.kill()
    told, _ = process.communicate(timeout=300)

    assert process.returncode not in (0, None)
    assert "All workers must go on" in told
    assert not (tmp_path / "shared").exists()

    resumed = run([*TORCHRUN, *command])
    assert resumed.returncode == 0, resumed.stderr
    assert "Training goes on after epoch" in resumed.stdout
    assert run(alone).returncode == 0
    for one, other in zip(
        weights_of(tmp_path / "shared"), weights_of(tmp_path / "alone"), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-4)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_run_on_four_virtual_devices(tmp_path, monkeypatch):
    corpus = tmp_path / "tales.txt"
    tales = [f"{SENTENCES[n % 3]} Tale {n}." for n in range(120)]
    corpus.write_text("\n\n".join(tales), encoding="utf-8")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=4")

    def train(*options):
        arguments = corpus, tmp_path / "tales", tmp_path / "runs", 10
        return run(train_command(*arguments, *options))

    refused = train("--distribute=data", "--batch-size=6")
    split = train("--distribute=model")

    assert refused.returncode == 1
    assert "`--batch-size` must be a multiple of the 4 devices" in refused.stderr
    assert split.returncode == 0, split.stderr
    assert "devices: 4, --distribute model" in split.stdout
    assert isinstance(pipelines.load(tmp_path / "tales"), pipelines.TextGenerator)
