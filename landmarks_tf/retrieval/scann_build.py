"""Builds a ScaNN index in a process of its own: `python -m landmarks_tf.retrieval.scann_build`.

ScaNN is C++ that ends the process where Python would raise (no memory, parameters it dislikes, a
file it cannot read). So the caller of `build_in_child` only ever sees an exception. The child
builds, saves, loads what it saved, and measures recall against exact search before it says done.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import read_json, read_npy, write_json
from landmarks_tf.retrieval.index_folder import SEARCHER
from landmarks_tf.retrieval.parameters import ScannParameters
from landmarks_tf.retrieval.scann_recall import RecallCheck, reach_recall
from landmarks_tf.retrieval.scann_search import ScannSearcher, import_scann, scann_version

_RESULT = "result.json"
_STDERR_LINES = 15


class ScannBuildError(OSError):
    """The process that built a ScaNN index failed or was killed."""


def build_in_child(
    embeddings: Path, folder: Path, parameters: ScannParameters, wanted: float | None = None
) -> dict:
    """Builds and saves an index under `folder` without risk to the calling process.

    Args:
        embeddings: a .npy file of (N, D) float32 unit rows.
        folder: an existing, empty folder; gets `scann/`.
        parameters: checked against (N, D) in the child before ScaNN sees them.
        wanted: recall that leaves and candidates are fitted to once the index is built; None
            leaves them as they are.

    Returns:
        {"recall": float, "parameters": dict, "scann_version": str}, as measured by the child.

    Raises:
        ScannBuildError: with the end of the child's messages, and the signal if one killed it.
    """
    command = [sys.executable, "-m", "landmarks_tf.retrieval.scann_build", embeddings, folder]
    done = subprocess.run(
        [*map(str, command), json.dumps(parameters.to_dict()), json.dumps(wanted)],
        env=child_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stderr.strip().splitlines()[-_STDERR_LINES:])
        raise ScannBuildError(
            f"building the ScaNN index failed: its process {ending(done.returncode)}. "
            f"It last said:\n{tail or '(nothing)'}"
        )
    result = read_json(folder / _RESULT, what="result of the ScaNN build")
    (folder / _RESULT).unlink()
    return result


def child_environment() -> dict[str, str]:
    """The environment in which a child finds this package, wherever it was started from."""
    package_root = str(Path(__file__).resolve().parents[2])
    search_path = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(search_path)}


def ending(returncode: int) -> str:
    """How a process ended, in words."""
    if returncode > 0:
        return f"ended with exit status {returncode}"
    name = signal.Signals(-returncode).name
    hint = " (as a rule: out of memory)" if name == "SIGKILL" else ""
    return f"was killed by {name}{hint}"


def build(embeddings: np.ndarray, folder: Path, parameters: ScannParameters):
    """Builds a searcher over (N, D) float32 unit rows and saves it under `folder/scann`.

    Runs in the caller's process; use `build_in_child` where an abort would hurt.
    """
    parameters.check(*embeddings.shape)
    scann_ops = import_scann()
    builder = scann_ops.builder(embeddings, parameters.num_neighbors, "dot_product")
    if parameters.method == "brute_force":
        builder = builder.score_brute_force()
    else:
        if parameters.projected_dim:
            builder = builder.pca(
                reduction_dim=parameters.projected_dim, pca_significance_threshold=None
            )
        if parameters.method == "tree_hashing":
            builder = builder.tree(
                num_leaves=parameters.num_leaves,
                num_leaves_to_search=parameters.leaves_to_search,
                training_sample_size=parameters.training_sample_size,
                soar_lambda=parameters.soar_lambda or None,
                avq=parameters.tree_anisotropy or None,
            )
        builder = builder.score_ah(
            parameters.dimensions_per_block,
            anisotropic_quantization_threshold=parameters.anisotropic_threshold,
            training_sample_size=parameters.training_sample_size,
        ).reorder(parameters.reorder)
    config = builder.create_config()
    if parameters.projected_dim and parameters.method == "tree_hashing":
        # The builder counts blocks of all dimensions; `check` counted those that there will be.
        config = config.replace("use_global_topn: False", "use_global_topn: True")
    searcher = scann_ops.create_searcher(embeddings, config)
    target = folder / SEARCHER
    target.mkdir()
    # Without relative_path the index would name this folder and could never be moved.
    searcher.serialize(str(target), relative_path=True)


def main(arguments: list[str]) -> int:
    """The child: arguments are the .npy file, the folder, the parameters and the recall as JSON."""
    # The pybind searcher needs no TensorFlow, and a TensorFlow of another version would keep
    # ScaNN from loading; this process is ours alone, so it is simply not there.
    sys.modules["tensorflow"] = None
    source, folder = map(Path, arguments[:2])
    parameters = ScannParameters.from_dict(json.loads(arguments[2]))
    embeddings = read_npy(source, what="embeddings")
    build(np.ascontiguousarray(embeddings, dtype=np.float32), folder, parameters)
    index = ScannSearcher(folder, parameters)
    wanted = json.loads(arguments[3])
    if wanted is not None:
        index.parameters = parameters = reach_recall(index, wanted)
    result = {
        "recall": RecallCheck(index.vectors, parameters.num_neighbors).recall(index.search),
        "parameters": parameters.to_dict(),
        "scann_version": scann_version(),
    }
    write_json(folder / _RESULT, result)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
