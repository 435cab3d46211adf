"""What tensorflow-addons and tensorflow-similarity compute: live, and as kept in tests/golden.

    python -m tests.keras2_peers        # runs them and writes tests/golden/keras2.npz anew

They are Keras-2 packages and run in an environment of their own, which `make peers` builds where
there is a Python 3.11.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
PYTHON = Path(os.environ.get("LANDMARKS_KERAS2_PYTHON", ROOT / ".venv-keras2" / "bin" / "python"))
GOLDEN = ROOT / "tests" / "golden" / "keras2.npz"

CLASSES, QUERIES, RETURNED = 8, 30, 20
ANGLE, SHEAR, SCALE, MOVE = math.radians(25), math.radians(12), 1.2, (2.5, -1.75)


def given_arrays() -> dict[str, np.ndarray]:
    """What both sides read.

    labels (32,), embeddings (32, 16): 8 classes of 4 unit rows; the same "_of_pairs", 12 classes of
    2. class_scores (60, 5), class_labels (60,): a classifier's. image (24, 32, 3), 0..255, with an
    angle in radians, a translation (x, y) in pixels and a projective transform (8,). query_labels
    (30,), matches (30, 20) bool and index_sizes (8,): which of the pictures that were returned for
    a query show its landmark, and how many there are.
    """
    rng = np.random.default_rng(11)
    given: dict[str, np.ndarray] = {}
    for suffix, classes, size in (("", CLASSES, 4), ("_of_pairs", 12, 2)):
        labels = np.repeat(rng.permutation(classes), size).astype(np.int32)
        rows = rng.normal(size=(classes, 16))[labels] + 0.8 * rng.normal(size=(len(labels), 16))
        given[f"labels{suffix}"] = labels
        given[f"embeddings{suffix}"] = _unit(rows)
    given["class_labels"] = rng.integers(0, 5, 60).astype(np.int32)
    given["class_scores"] = (
        rng.normal(size=(60, 5)) + 1.5 * np.eye(5)[given["class_labels"]]
    ).astype(np.float32)
    given["image"] = rng.uniform(0, 255, (24, 32, 3)).astype(np.float32)
    given["angle"] = np.float32(0.4)
    given["translation"] = np.array([3.5, -2.25], np.float32)
    given["projective"] = _projective(given["image"].shape)
    given["query_labels"] = rng.integers(0, CLASSES, QUERIES).astype(np.int32)
    given["index_sizes"] = rng.integers(3, 18, CLASSES).astype(np.int32)
    given["matches"] = np.stack(
        [_returned(rng, given["index_sizes"][c]) for c in given["query_labels"]]
    )
    return given


def _projective(shape: tuple[int, ...]) -> np.ndarray:
    """(8,) where a pixel of the result comes from, after shearing, turning, scaling and moving.

    Forward, about the middle of the picture, y downwards: x falls by tan(SHEAR) for each row down,
    then a clockwise turn by ANGLE, then SCALE, then MOVE.
    """
    middle = np.array([(shape[1] - 1) / 2, (shape[0] - 1) / 2])
    turn = np.array([[math.cos(ANGLE), -math.sin(ANGLE)], [math.sin(ANGLE), math.cos(ANGLE)]])
    forward = np.eye(3)
    forward[:2, :2] = SCALE * turn @ np.array([[1, -math.tan(SHEAR)], [0, 1]])
    forward[:2, 2] = middle + MOVE - forward[:2, :2] @ middle
    return np.linalg.inv(forward).reshape(9)[:8].astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def _returned(rng, size: int) -> np.ndarray:
    """Hits at random ranks, of which some lie beyond those returned."""
    ranks = rng.permutation(2 * RETURNED)[:size]
    found = np.zeros(2 * RETURNED, bool)
    found[ranks] = True
    return found[:RETURNED]


def live_results() -> dict[str, np.ndarray]:
    """Run tests/peers/keras2.py in its environment; skips the test where that is not built."""
    if not PYTHON.is_file():
        pytest.skip("The Keras-2 environment (.venv-keras2) is not built: make peers, Python 3.11")
    with tempfile.TemporaryDirectory(prefix="keras2-") as folder:
        arrays, out = Path(folder) / "given.npz", Path(folder) / "out.npz"
        np.savez(arrays, **given_arrays())
        command = [str(PYTHON), str(ROOT / "tests" / "peers" / "keras2.py"), str(arrays), str(out)]
        # Threads would only contend for the cores with the tests beside this one.
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(out) as values:
            return dict(values)


def golden_results() -> dict[str, np.ndarray]:
    """What they computed when tests/golden/keras2.npz was written."""
    with np.load(GOLDEN) as values:
        return dict(values)


if __name__ == "__main__":
    if not PYTHON.is_file():
        sys.exit("error: .venv-keras2 is not built: make peers (Python 3.11)")
    GOLDEN.parent.mkdir(exist_ok=True)
    np.savez_compressed(GOLDEN, **live_results())
    print(f"wrote {GOLDEN.relative_to(ROOT)}")
