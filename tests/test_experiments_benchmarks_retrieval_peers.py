"""Every other library, where their environment is: builds, saves, loads, and finds neighbours."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from experiments.benchmarks.retrieval_peers import PEERS
from tests.conftest import ROOT

PYTHON = Path(os.environ.get("LANDMARKS_ANN_PYTHON", ROOT / ".venv-ann" / "bin" / "python"))

# One process for all: what is imported twice is paid for twice.
SCRIPT = """
import json, sys
from pathlib import Path
import numpy as np
from experiments.benchmarks.retrieval_peers import PEERS

folder, k = Path(sys.argv[1]), 20
random = np.random.default_rng(0)
rows = random.standard_normal((2030, 16)).astype(np.float32)
rows /= np.linalg.norm(rows, axis=1, keepdims=True)
index, queries = rows[:2000], rows[2000:]
np.save(folder / "index.npy", index)
truth = np.argsort(-(queries @ index.T), axis=1)[:, :k]
told = {}
for name, kind in PEERS.items():
    (folder / name).mkdir()
    parameters = kind(2000, 16, k).build(folder / "index.npy", folder / name)
    peer = kind(2000, 16, k)
    peer.load(folder / name)
    found = [peer.search(queries, point) for point in peer.points()]
    told[name] = {
        "parameters": parameters,
        "version": peer.version(),
        "points": peer.points(),
        "shapes": [list(one.shape) for one in found],
        "range": [int(min(one.min() for one in found)), int(max(one.max() for one in found))],
        "first": [float((one[:, 0] == truth[:, 0]).mean()) for one in found],
        "recall": [
            float(np.mean([len(set(a) & set(b)) / k for a, b in zip(one, truth)])) for one in found
        ],
    }
print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    if not PYTHON.is_file():
        pytest.skip(f"no interpreter with the other libraries at {PYTHON} (make ann)")
    done = subprocess.run(
        [PYTHON, "-c", SCRIPT, str(tmp_path_factory.mktemp("peers"))],
        env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"], "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.peers
@pytest.mark.parametrize("name", PEERS)
def test_its_last_point_finds_the_neighbours_and_the_first_fewer(told, name):
    found = told[name]
    assert found["shapes"] == [[30, 20]] * len(found["points"])
    assert found["range"][0] >= -1 and found["range"][1] < 2000
    assert found["recall"][-1] > (0.75 if name == "faiss_ivfpq" else 0.97)
    assert found["recall"][0] <= found["recall"][-1]
    assert found["first"][-1] > 0.9  # best first
    assert len(found["points"]) >= 5
    assert found["version"].split()[1][0].isdigit()


@pytest.mark.peers
def test_nmslib_begins_as_tensorflow_similarity_leaves_it(told):
    assert told["nmslib"]["points"][0] == {"efSearch": "its default"}
    # efSearch 20 is its default: for 20 neighbours that is the next point as well.
    assert told["nmslib"]["recall"][0] == pytest.approx(told["nmslib"]["recall"][1], abs=0.02)


@pytest.mark.parametrize("name", PEERS)
def test_large_graphs_are_built_with_half_the_breadth(name):
    small, large = PEERS[name](10_000, 64, 100), PEERS[name](761_757, 512, 100)
    assert (small.construction, large.construction) == (200, 100)


def test_breadths_stay_within_the_index():
    points = PEERS["hnswlib"](1000, 8, 100).points()
    assert [point["efSearch"] for point in points] == [100, 150, 200, 300, 500, 800, 1000]
