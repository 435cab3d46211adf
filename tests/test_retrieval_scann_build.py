"""The building process: what it reports, and how its death looks from outside."""

from __future__ import annotations

import signal
import subprocess
import sys

import numpy as np
import pytest

from landmarks_tf.retrieval import scann_build
from landmarks_tf.retrieval.parameters import ScannParameters
from landmarks_tf.retrieval.scann_build import ScannBuildError, build_in_child

BRUTE_FORCE = ScannParameters("brute_force", 5)


def unit_rows(count, dim, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def saved(folder, rows):
    np.save(folder / "rows.npy", rows)
    return folder / "rows.npy"


def test_the_child_needs_no_tensorflow_and_reports_recall(tmp_path, monkeypatch):
    # A TensorFlow that cannot be imported, first on the child's path.
    broken = tmp_path / "path" / "tensorflow"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('another TensorFlow')")
    monkeypatch.setenv("PYTHONPATH", str(broken.parent))
    (tmp_path / "out").mkdir()
    result = build_in_child(saved(tmp_path, unit_rows(50, 8)), tmp_path / "out", BRUTE_FORCE)
    assert result["recall"] == 1.0
    assert result["scann_version"].count(".") == 2
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["scann"]
    assets = (tmp_path / "out" / "scann" / "scann_assets.pbtxt").read_text()
    assert str(tmp_path) not in assets  # relative paths: the folder can be moved


def test_an_error_of_the_child_comes_with_its_last_lines(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(ScannBuildError, match=r"(?s)exit status 1.*num_neighbors must be between"):
        build_in_child(
            saved(tmp_path, unit_rows(50, 8)),
            tmp_path / "out",
            ScannParameters("brute_force", 51),
        )


@pytest.mark.parametrize(
    ("number", "message"),
    [(signal.SIGABRT, "killed by SIGABRT"), (signal.SIGKILL, "SIGKILL .*out of memory")],
)
def test_a_child_that_is_killed_leaves_the_caller_alive(tmp_path, monkeypatch, number, message):
    """A real process that dies of a real signal stands where ScaNN would abort."""
    code = (
        "import os, sys; print('Check failed', file=sys.stderr, flush=True);"
        f"os.kill(os.getpid(), {int(number)})"
    )
    real_run = subprocess.run
    monkeypatch.setattr(
        scann_build.subprocess,
        "run",
        lambda command, **options: real_run([sys.executable, "-c", code], **options),
    )
    with pytest.raises(ScannBuildError, match=rf"(?s){message}.*Check failed"):
        build_in_child(saved(tmp_path, unit_rows(50, 8)), tmp_path, BRUTE_FORCE)
