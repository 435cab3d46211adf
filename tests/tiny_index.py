"""Small saved indexes of real ScaNN, made in the test's own process."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import write_npy
from landmarks_tf.retrieval.index_folder import write_manifest
from landmarks_tf.retrieval.parameters import ScannParameters
from landmarks_tf.retrieval.scann_build import build
from landmarks_tf.retrieval.scann_index import ScannIndex

BRUTE_FORCE = ScannParameters("brute_force", 5, training_sample_size=1)


def clustered(count: int, dim: int, clusters: int = 40, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(clusters, dim))
    rows = centres[random.integers(0, clusters, count)] + 0.3 * random.normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def names(count: int, first: int = 0) -> list[str]:
    return [f"image{number:05d}" for number in range(first, first + count)]


def quiet(_line: str) -> None:
    pass


def saved(folder: Path, vectors: np.ndarray, ids=None, parameters=BRUTE_FORCE) -> ScannIndex:
    """An index as `ScannIndex.build` saves it, without the child process."""
    folder.mkdir(parents=True)
    build(vectors, folder, parameters)
    if ids is not None:
        write_npy(folder / "ids.npy", np.array(ids))
    facts = {"num_rows": len(vectors), "dim": vectors.shape[1], "fingerprint": "model-a"}
    write_manifest(folder, **facts, parameters=parameters.to_dict(), recall=1.0)
    return ScannIndex.load(folder, check=False, report=quiet)
