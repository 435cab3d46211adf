"""What PyTorch's margin losses compute, from the environment that `make peers` builds.

`peer("arcface")` runs tests/peers/torch_margins.py there, once for all its losses; a test that asks
for it where the environment is missing skips with the reason.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.layers import CosineClassifier
from tests.conftest import ROOT
from tests.torch_twins import PYTHON

NUM_CLASSES, SUBCENTERS = 7, 3


@dataclass(frozen=True)
class Peer:
    """One loss of PyTorch's on the batch that all of them see, in float64.

    Attributes:
        rows: (B, D) embeddings, float32.
        centers: (N * K, D), sub-centre k of class c in row c * K + k; the first N serve K = 1.
        scores: (B, N) logits of the losses without centres.
        labels: (B,).
        weights: (N,) of the weighted cross-entropy.
        losses: (B,).
        gradients: of the summed losses: by "rows" and "centers", or by "scores".
    """

    rows: np.ndarray
    centers: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    losses: np.ndarray
    gradients: dict[str, np.ndarray]


def peer(name: str) -> Peer:
    """One of the losses of tests/peers/torch_margins.py."""
    given, out = _run()
    gradients = {
        part: out[f"{name}:{part}"]
        for part in ("rows", "centers", "scores")
        if f"{name}:{part}" in out
    }
    return Peer(**given, losses=out[f"{name}:losses"], gradients=gradients)


def check_peer(name: str, loss: keras.losses.Loss, subcenters: int = 1) -> None:
    """A loss over `CosineClassifier` equals a loss of pytorch-metric-learning, which owns its W.

    Losses to 1e-5; gradients by embeddings and centres to 1e-5 of the largest.

    Args:
        name: in tests/peers/torch_margins.py.
        loss: with `reduction="none"`.
        subcenters: K.
    """
    theirs = peer(name)
    layer = CosineClassifier(NUM_CLASSES, subcenters)
    layer.build(theirs.rows.shape)
    layer.centers.assign(theirs.centers[: NUM_CLASSES * subcenters])
    rows, centers = tf.constant(theirs.rows), layer.centers.value
    with tf.GradientTape() as tape:
        tape.watch([rows, centers])
        losses = loss(theirs.labels, layer(rows))
        total = tf.reduce_sum(losses)
    np.testing.assert_allclose(losses, theirs.losses, rtol=1e-5, atol=1e-5)
    for part, ours in zip(("rows", "centers"), tape.gradient(total, [rows, centers]), strict=True):
        expected = theirs.gradients[part]
        np.testing.assert_allclose(ours, expected, atol=1e-5 * np.abs(expected).max())


@functools.cache
def _run() -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    if not PYTHON.is_file():
        pytest.skip("PyTorch's environment (.venv-torch) is not built: make peers")
    random = np.random.default_rng(0)
    centers = random.normal(size=(NUM_CLASSES * SUBCENTERS, 6))
    labels = np.array([0, 3, 6, 2, 1, 0, 5, 5])
    rows = random.normal(size=(8, 6))
    # A row beside its centre, and one nearly opposite to all that its class has.
    rows[0] = centers[0] + 0.1 * rows[0]
    centers[0:3] = centers[0] + 0.1 * centers[0:3]
    rows[5] = -centers[0] + 0.1 * rows[5]
    given = {
        "rows": rows.astype(np.float32),
        "centers": centers.astype(np.float32),
        "scores": (3 * random.normal(size=(8, NUM_CLASSES))).astype(np.float32),
        "labels": labels,
        "weights": random.uniform(0.1, 2, NUM_CLASSES).astype(np.float32),
    }
    with tempfile.TemporaryDirectory(prefix="torch-margins-") as folder:
        np.savez(Path(folder) / "given.npz", **given)
        script = ROOT / "tests" / "peers" / "torch_margins.py"
        command = [str(PYTHON), str(script), folder, str(NUM_CLASSES), str(SUBCENTERS)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(Path(folder) / "out.npz") as out:
            return given, dict(out)
