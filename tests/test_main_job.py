"""The main command as people treat it: interrupted, killed, on real photographs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import ROOT, run_module

import landmarks_tf.layers  # noqa: F401  (registers the classes that the models hold)
from landmarks_tf.training.callbacks import TIMINGS

WEIGHTS = ROOT.parent / "shared/weights/mobilenet_v2_1.0_224_tfhub_dequant_no_top.h5"
STEPS = 16


def command(records: Path, workdir: Path) -> list[str]:
    """A short deterministic training; an epoch is some eleven steps, so stops fall inside one."""
    settings = {
        "model.weights": "none",
        "data.image_size": 32,
        "train.steps": STEPS,
        "train.warmup_steps": 2,
        "train.log_every": 2,
        "train.checkpoint_every": 4,
        "train.validate_every": 0,
        "train.deterministic": "true",
        "evaluation.untrained_baseline": "false",
    }
    pairs = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    where = ["--data", str(records), "--workdir", str(workdir), "--stage", "train"]
    return ["--exp", "mobilenet_v2_arcface", "--size", "demo", *where, *pairs]


def stop_at(step: int, how: signal.Signals, arguments: list[str], workdir: Path) -> tuple[int, str]:
    """Start the command, send a signal once metrics.jsonl has reached `step`; code and stderr."""
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.run", *arguments],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = workdir / "training" / "metrics.jsonl"
    deadline = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < deadline:
        if log.is_file() and f'"step": {step},' in log.read_text():
            process.send_signal(how)
            break
        time.sleep(0.02)
    errors = process.communicate(timeout=120)[1]
    return process.returncode, errors


@pytest.mark.slow
def test_interrupted_and_killed_training_ends_with_the_same_weights(demo_records, tmp_path):
    """Ctrl-C, then SIGKILL, both inside an epoch: nothing differs from an undisturbed run."""
    undisturbed = run_module("experiments.run", *command(demo_records, tmp_path / "a"))
    assert undisturbed.returncode == 0, undisturbed.stderr

    arguments = command(demo_records, tmp_path / "b")
    code, errors = stop_at(4, signal.SIGINT, arguments, tmp_path / "b")
    assert code == 130, errors
    assert "interrupted; the same command goes on from here" in errors
    assert "Traceback" not in errors
    code, errors = stop_at(10, signal.SIGKILL, arguments, tmp_path / "b")
    assert code == -signal.SIGKILL, errors
    assert not (tmp_path / "b/model/embedder.keras").exists()
    resumed = run_module("experiments.run", *arguments)
    assert resumed.returncode == 0, resumed.stderr

    first, second = (
        keras.saving.load_model(tmp_path / run / "model/embedder.keras", compile=False)
        for run in "ab"
    )
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    logs = [
        list(map(json.loads, (tmp_path / run / "training/metrics.jsonl").read_text().splitlines()))
        for run in "ab"
    ]
    for one, other in zip(*logs, strict=True):
        same = dict.fromkeys(TIMINGS, 0)
        assert one | same == other | same
    assert [line["step"] for line in logs[0]] == list(range(2, STEPS + 1, 2))


@pytest.mark.slow
def test_real_photographs_run_to_the_end(real_landmarks, tmp_path):
    """The whole pipeline on real pictures, from real ImageNet weights where they are here."""
    weights = WEIGHTS if WEIGHTS.is_file() else "none"
    settings = {
        "model.weights": weights,
        "data.image_size": 128,
        "train.steps": 3,
        "train.warmup_steps": 1,
        "train.learning_rate": 1e-5,
        "evaluation.untrained_baseline": "false",
    }
    pairs = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    done = run_module(
        "experiments.run",
        *("--exp", "mobilenet_v2_arcface", "--data", real_landmarks),
        *("--workdir", tmp_path / "run", *pairs),
    )
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["images"] == {"train": 809, "validation": 77, "index": 758, "test": 306}
    retrieval = metrics["trained"]["retrieval"]
    assert (retrieval["public"]["queries"], retrieval["private"]["queries"]) == (97, 191)
    if weights != "none":
        # Random weights reach about 0.05 on these photographs.
        assert retrieval["private"]["map@100"] > 0.2
    assert (tmp_path / "run/report.html").stat().st_size > 50_000
