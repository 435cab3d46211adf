"""MLflow and W&B by their own callbacks, where they are installed; a hint where they are not."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from landmarks_tf.training.trackers import TRACKERS, check_installed, tracking
from tests.conftest import ROOT

# A run killed after 20 of 40 steps and a second that goes on; each in a process, for both trackers
# keep threads and open files of their own.
TRAIN = """
import sys
from pathlib import Path
from landmarks_tf.training.fit import FitPlan, fit
from landmarks_tf.training.trackers import tracking
from tests import tiny_training

name, folder, steps = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
settings = {"train": {"epochs": 3}, "data": {"augment": "x" * 900}, "name": "tiny"}
with tracking(name, folder, run_name="tiny run", settings=settings) as callbacks:
    fit(
        tiny_training.compiled(40),
        lambda start: tiny_training.batches(start, steps),
        FitPlan(steps=steps, batch_size=8, log_every=10, checkpoint_every=10, validate_every=20),
        workdir=folder,
        validate=lambda: {"val_top1": steps / 100},
        extra_callbacks=callbacks,
    )
"""


def train(name, folder, steps, **environment):
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, name, str(folder), str(steps)],
        cwd=folder.parent,  # MLflow puts artefacts into the current folder
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def lines_of(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_none_is_asked_for(tmp_path):
    with tracking(None, tmp_path / "training", run_name="r", settings={}) as callbacks:
        assert callbacks == []
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_one(tmp_path):
    with (
        pytest.raises(ValueError, match=r"among mlflow, wandb\. Received: 'comet'"),
        tracking("comet", tmp_path, run_name="r", settings={}),
    ):
        pass


@pytest.mark.parametrize("name", TRACKERS)
def test_one_that_is_not_installed_says_how(tmp_path, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    hint = rf"pip install 'landmarks-tf\[{name}\]'"
    with (
        pytest.raises(ImportError, match=hint),
        tracking(name, tmp_path, run_name="r", settings={}),
    ):
        pass
    with pytest.raises(ImportError, match=hint):
        check_installed(name)
    monkeypatch.setitem(sys.modules, name, json)  # any module that is there
    check_installed(name)
    check_installed(None)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow reads its store by what SQLAlchemy warns about
def test_mlflow_has_the_lines_in_one_run(tmp_path):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed (extra `mlflow`)")
    store = f"sqlite:///{tmp_path / 'store.db'}"
    for steps in (20, 40):
        train("mlflow", tmp_path / "run", steps, MLFLOW_TRACKING_URI=store)
    client = mlflow.MlflowClient(store)
    (run,) = client.search_runs(["0"])
    assert run.info.run_id == (tmp_path / "run/mlflow_run.txt").read_text()
    assert run.info.run_name == "tiny run"
    assert run.data.params["train.epochs"] == "3"
    assert run.data.params["data.augment"] == "x" * 500
    lines = lines_of(tmp_path / "run")
    for name in ("loss", "step", "data_wait"):
        history = client.get_metric_history(run.info.run_id, name)
        logged = [point.value for point in sorted(history, key=lambda point: point.step)]
        assert logged == [line[name] for line in lines], name
    (first, last) = client.get_metric_history(run.info.run_id, "val_top1")
    assert {first.value, last.value} == {0.2, 0.4}


@pytest.mark.slow
def test_wandb_has_the_lines(tmp_path):
    pytest.importorskip("wandb", reason="Weights & Biases is not installed (extra `wandb`)")
    train("wandb", tmp_path / "run", 20, WANDB_MODE="offline", WANDB_SILENT="true")
    (record,) = (tmp_path / "run/wandb").rglob("*.wandb")
    assert (tmp_path / "run/wandb_run.txt").read_text() in record.name
    text = record.read_bytes()
    for line in lines_of(tmp_path / "run"):
        assert repr(line["loss"]).encode() in text
    assert b"val_top1" in text and b"train.epochs" in text
