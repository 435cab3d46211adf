"""Two JAX processes on loopback, with two devices each, against one process with four."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

from landmarks_tf.training import processes
from tests import tiny_replicas as tiny
from tests.conftest import ROOT

TOLERANCE = 2e-6


def test_one_process_is_the_first_and_writes(tmp_path):
    assert (processes.count(), processes.index(), processes.is_first()) == (1, 0, True)
    processes.wait_for_all("nobody")
    assert processes.number_of_the_first(7) == 7
    with processes.folder_for_logs(tmp_path) as folder:
        assert folder == tmp_path


def test_the_others_log_into_a_folder_that_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(processes, "index", lambda: 1)
    with processes.folder_for_logs(tmp_path) as folder:
        assert folder != tmp_path and folder.is_dir()
    assert not folder.exists()


def test_tensorflow_has_one_process():
    with pytest.raises(ValueError, match=r"on the JAX backend only\..*Received: 'tensorflow'"):
        processes.join("127.0.0.1:1", count=2, index=0, seed=0)


@pytest.mark.parametrize(("count", "index"), [(0, 0), (2, 2), (2, -1)])
def test_a_process_that_is_none_of_them(monkeypatch, count, index):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(ValueError, match=f"Received: count={count}, index={index}"):
        processes.join("127.0.0.1:1", count=count, index=index, seed=0)


def start(folder, address: str, count: int, index: int) -> subprocess.Popen:
    devices = 4 // count
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    arguments = [str(folder), address, str(count), str(index)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.jax_process", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(folder, count: int) -> None:
    folder.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    children = [start(folder, address, count, index) for index in range(count)]
    try:
        for child in children:
            text, _ = child.communicate(timeout=300)
            assert child.returncode == 0, text[-3000:]
    finally:
        for child in children:
            child.kill()
            child.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """one/: what one process wrote; two/: what two wrote."""
    pytest.importorskip("jax", reason="JAX is not installed (extra `jax`)")
    root = tmp_path_factory.mktemp("processes")
    run(root / "one", 1)
    run(root / "two", 2)
    return root


def facts(folder, process: int = 0) -> dict:
    return json.loads((folder / f"facts-{process}.json").read_text())


def lines(path) -> list[dict]:
    return [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_as_one(folder):
    with np.load(folder / "one/weights-0.npz") as stored:
        one = dict(stored)
    for process in (0, 1):
        with np.load(folder / f"two/weights-{process}.npz") as stored:
            assert one.keys() == set(stored.files) and len(one) > 8
            for path, weight in one.items():
                np.testing.assert_allclose(
                    stored[path], weight, rtol=1e-5, atol=TOLERANCE, err_msg=path
                )
    for name in ("copies", "split"):
        pairs = zip(lines(folder / "one" / name), lines(folder / "two" / name), strict=True)
        for left, right in pairs:
            assert left["step"] == right["step"] and left["accuracy"] == right["accuracy"]
            assert left["loss"] == pytest.approx(right["loss"], rel=1e-5)


@pytest.mark.slow
def test_they_are_two_and_resume_together(folder):
    for process in (0, 1):
        found = facts(folder / "two", process)
        assert (found["count"], found["index"], found["replicas"]) == (2, process, 4)
        assert found["copies"] == {"steps": tiny.STEPS, "resumed_from": 2}
        assert found["split"] == {"steps": tiny.STEPS, "resumed_from": 0}
        # Each process has its two devices; each device its quarter of the centres.
        assert found["split bytes"] == facts(folder / "one")["split bytes"][:2]
    assert len(facts(folder / "one")["split bytes"]) == 4


@pytest.mark.slow
def test_the_first_alone_writes_and_stores_whole_matrices(folder):
    path = folder / "two/split"
    steps = [f"step-{step:09d}.npz" for step in (2, 3)]
    assert sorted(entry.name for entry in (path / "checkpoints").iterdir()) == steps
    assert len(list((path / "tensorboard").iterdir())) == 1
    theirs = folder / "one/split/checkpoints" / steps[-1]
    with np.load(path / "checkpoints" / steps[-1]) as stored, np.load(theirs) as expected:
        assert stored.files == expected.files
        for key in stored.files:
            np.testing.assert_allclose(stored[key], expected[key], rtol=1e-5, atol=TOLERANCE)
