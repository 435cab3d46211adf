"""JAX devices under one mesh: four virtual ones against one, and class centres split over them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from landmarks_tf.training import mesh
from tests import tiny_replicas, two_replicas
from tests.conftest import ROOT

pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed (extra `jax`)")

TOLERANCE = 2e-6


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What `tests.jax_devices` wrote."""
    folder = tmp_path_factory.mktemp("jax")
    environment = {
        **os.environ,
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=4",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.jax_devices", str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.fixture(scope="module")
def runs(folder):
    """run -> path of a weight -> its value at the end."""
    found: dict[str, dict] = {}
    with np.load(folder / "weights.npz") as stored:
        for key in stored.files:
            run, _, path = key.partition("/")
            found.setdefault(run, {})[path] = stored[key]
    return found


@pytest.fixture(scope="module")
def facts(folder):
    return json.loads((folder / "facts.json").read_text())


def lines(folder, run: str) -> list[dict]:
    text = (folder / run.replace(" ", "_") / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def check_close(ours: dict, theirs: dict) -> None:
    for (path, left), right in zip(ours.items(), theirs.values(), strict=True):
        # Centres that were filled up come last.
        left = left[: len(right)] if right.ndim else left
        np.testing.assert_allclose(left, right, rtol=1e-5, atol=TOLERANCE, err_msg=path)


@pytest.mark.slow
def test_four_devices_train_as_one_and_resume(folder, runs, facts):
    assert facts["replicas"] == len(facts["devices"]) == 4
    # Batch norm too: its statistics are those of the whole batch.
    check_close(runs["norm four"], runs["norm one"])
    for left, right in zip(lines(folder, "norm four"), lines(folder, "norm one"), strict=True):
        assert left["step"] == right["step"] and left["accuracy"] == right["accuracy"]
        assert left["loss"] == pytest.approx(right["loss"], rel=1e-5)
    assert facts["norm resumed/report"] == {"steps": 3, "resumed_from": 2}
    for path, weight in runs["norm four"].items():
        np.testing.assert_array_equal(runs["norm resumed"][path], weight, err_msg=path)
    assert [line["step"] for line in lines(folder, "norm resumed")] == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["arcface", *tiny_replicas.PAIR_LOSSES])
def test_every_loss_sees_the_whole_batch(folder, runs, name):
    # On TensorFlow, written out, on one device.
    weights, losses, _ = two_replicas.by_hand(name)
    check_close(runs[f"{name} four"], weights)
    logged = [line["loss"] for line in lines(folder, f"{name} four")]
    np.testing.assert_allclose(logged, losses, rtol=1e-5)


@pytest.mark.slow
def test_micro_batches(folder, runs):
    weights, losses, _ = two_replicas.by_hand("arcface")
    check_close(runs["arcface micro"], weights)
    logged = [line["loss"] for line in lines(folder, "arcface micro")]
    np.testing.assert_allclose(logged, losses, rtol=1e-5)
    # Of two devices: the first half of each one's share, then the second.
    spread = np.arange(16).reshape(2, 2, -1).swapaxes(0, 1).ravel()
    weights, losses, _ = two_replicas.by_hand("ge2e", 2, spread)
    check_close(runs["ge2e micro"], weights)
    logged = [line["loss"] for line in lines(folder, "ge2e micro")]
    np.testing.assert_allclose(logged, losses, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("run", ["one", "1", "2", "4", "moved"])
def test_split_centres_train_as_whole_ones(runs, facts, run):
    """The run "moved": one step on four devices, the next on two, the last on one."""
    weights, _, _ = two_replicas.by_hand("arcface")
    check_close(runs[f"centers {run}"], weights)
    assert runs[f"centers {run}"]["cosines/centers"].shape == (2 * mesh.CENTERS_MULTIPLE, 8)
    if run == "moved":
        assert facts["centers moved/report"] == {"steps": 3, "resumed_from": 2}


@pytest.mark.slow
def test_each_device_holds_its_part_of_the_centres_and_of_their_slots(facts):
    for number in (4, 2, 1):
        places = facts[f"places {number}"]
        assert len(places) == 2  # the centres, and SGD's momentum for them
        for pieces in places.values():
            assert pieces == [[2 * mesh.CENTERS_MULTIPLE // number, 8]] * number
    # What is beside the centres is on every device.
    held = {number: set(facts[f"bytes {number}"].values()) for number in (4, 2, 1)}
    (one,), (two,), (four,) = held[1], held[2], held[4]
    centers = 2 * 4 * 2 * mesh.CENTERS_MULTIPLE * 8
    assert one - two == centers // 2 and one - four == centers * 3 // 4
