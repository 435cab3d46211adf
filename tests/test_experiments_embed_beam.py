"""`embed --runner DirectRunner` against `embed`: the same bytes.

Beam has an environment of its own (`make peers`); TensorFlow comes from this one.
"""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest

from experiments import embed
from tests.conftest import ROOT
from tests.small_embedder import save_embedder, write_records

PYTHON = Path(os.environ.get("LANDMARKS_BEAM_PYTHON", ROOT / ".venv-beam" / "bin" / "python"))


def _bytes(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.skipif(
    not PYTHON.is_file(), reason="Apache Beam's environment is not here: `make peers` builds it"
)
def test_the_direct_runner_gives_the_same_bytes(tmp_path):
    folder_of_records = write_records(tmp_path)
    model = save_embedder(tmp_path / "embedder.keras")
    ours = [
        "--model", str(model), "--records", str(folder_of_records), "--split", "train",
        "--shards", "3", "--batch", "8", "--dtype", "float16", "--flip",
    ]  # fmt: skip
    assert embed.main([*ours, "--out", str(tmp_path / "here")]) == 0
    # One shard is there already: it is left as it is.
    (tmp_path / "beam").mkdir()
    for path in (tmp_path / "here").glob("train-00001-*"):
        (tmp_path / "beam" / path.name).write_bytes(path.read_bytes())
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "beam").iterdir()}
    done = subprocess.run(
        [PYTHON, "-m", "experiments.embed", *ours, "--out", tmp_path / "beam",
         "--runner", "DirectRunner"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": sysconfig.get_path("purelib")},
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert _bytes(tmp_path / "beam") == _bytes(tmp_path / "here")
    for name, written in kept.items():
        assert (tmp_path / "beam" / name).stat().st_mtime_ns == written
    assert "float16 in 3 files" in done.stdout
