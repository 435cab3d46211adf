"""SIGKILL at any moment, damaged and full disks: the training ends with the same bits.

All runs are forked from one process that has imported TensorFlow (tests/killed_training.py).
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import numpy as np
import pytest

from landmarks_tf.training.callbacks import TIMINGS
from tests import killed_training
from tests.conftest import ROOT

# One after the other in one folder: each goes on where the one before was killed. Checkpoints come
# every 4 steps, lines every 2.
MOMENTS = (
    "step:3",  # before any checkpoint
    "half:4",  # while the first checkpoint is written
    "named:8",  # the new checkpoint has its name, the older one is not yet gone
    "step:9",  # the step after a checkpoint
    "line:10",  # while a line is written
    "half:12",  # while a later checkpoint is written
    "step:14",  # at a segment's end, before its line
    "half:22",  # while the last checkpoint is written
    "named:22",
)

RUNS = [
    {"workdir": "whole", "fault": None},
    *({"workdir": "killed", "fault": moment} for moment in (*MOMENTS, None)),
    {"workdir": "limited", "fault": "limit:12:9000"},
    {"workdir": "limited", "fault": None},
    {"workdir": "full", "fault": "full"},
    {"workdir": "half precision", "fault": "step:14", "policy": "mixed_float16"},
    {"workdir": "half precision", "fault": None, "policy": "float32"},
    {"workdir": "half precision", "fault": None, "policy": "mixed_float16"},
    {"workdir": "half whole", "fault": None, "policy": "mixed_float16"},
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(folder of all runs, [(task, exit status, output)])."""
    folder = tmp_path_factory.mktemp("killed")
    killed_training.write_records(folder)
    (folder / "runs.json").write_text(json.dumps(RUNS))
    done = subprocess.run(
        [sys.executable, "-m", "tests.killed_training", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ends = json.loads((folder / "ends.json").read_text())
    outputs = [(folder / f"{number}.txt").read_text() for number in range(len(RUNS))]
    return folder, list(zip(RUNS, ends, outputs, strict=True))


def of(runs, workdir):
    return [
        (task["fault"], end, output) for task, end, output in runs[1] if task["workdir"] == workdir
    ]


def final_state(path):
    with np.load(path) as stored:
        return {key: stored[key] for key in stored.files}


def assert_same_state(left, right):
    assert left.keys() == right.keys()
    for key, value in left.items():
        np.testing.assert_array_equal(right[key], value, err_msg=key)


def last_checkpoint(folder):
    return final_state(folder / "checkpoints" / f"step-{killed_training.STEPS:09d}.npz")


def lines_of(folder):
    lines = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [{k: v for k, v in line.items() if k not in TIMINGS} for line in lines]


pytestmark = pytest.mark.slow


def test_killed_at_nine_moments_it_ends_with_the_same_bits(runs):
    for fault, end, output in of(runs, "killed"):
        assert end == (0 if fault is None else -signal.SIGKILL), (fault, output)
    assert of(runs, "whole")[0][1] == 0, of(runs, "whole")
    expected = last_checkpoint(runs[0] / "whole")
    assert_same_state(expected, last_checkpoint(runs[0] / "killed"))
    kinds = " ".join(expected)
    for part in ("seed_generator", "moving_mean", "centers", "velocity", "average", "iteration"):
        assert part in kinds, part


def test_its_lines_and_its_table_are_those_of_a_run_never_stopped(runs):
    whole, killed = runs[0] / "whole", runs[0] / "killed"
    assert lines_of(killed) == lines_of(whole)
    assert [line["step"] for line in lines_of(whole)] == list(
        range(2, killed_training.STEPS + 1, 2)
    )
    tables = [
        [row.split(",")[:3] for row in (one / "metrics.csv").read_text().splitlines()]
        for one in (whole, killed)
    ]
    assert tables[0] == tables[1]
    assert tables[0][0] == ["step", "images", "accuracy"]


def test_a_file_that_may_not_grow_leaves_the_last_good_checkpoint(runs):
    (_, end, output), (_, resumed, _) = of(runs, "limited")
    assert end == 1 and "File too large" in output
    assert resumed == 0
    assert_same_state(last_checkpoint(runs[0] / "whole"), last_checkpoint(runs[0] / "limited"))


def test_a_full_disk_leaves_the_last_good_checkpoint(runs):
    ((_, end, output),) = of(runs, "full")
    if "no file system of one's own" in output:
        pytest.skip("no user namespaces here, so no small disk can be made")
    assert end == 0, output
    assert "No space left on device" in output
    assert "left: step-000000004.npz step-000000008.npz\n" in output
    name = f"step-{killed_training.STEPS:09d}.npz"
    assert_same_state(last_checkpoint(runs[0] / "whole"), final_state(runs[0] / f"full-{name}"))


def test_half_precision_goes_on_with_its_loss_scale_and_in_no_other_policy(runs):
    (_, killed, _), (_, other, output), (_, resumed, _) = of(runs, "half precision")
    assert (killed, resumed) == (-signal.SIGKILL, 0)
    assert other == 1 and "this network and optimizer" in output
    expected = last_checkpoint(runs[0] / "half whole")
    assert any("dynamic_scale" in key for key in expected)
    assert_same_state(expected, last_checkpoint(runs[0] / "half precision"))
