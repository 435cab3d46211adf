"""What pytorch-metric-learning computes, from the environment that `make peers` builds.

`peer_losses({"labels": ..., "embeddings": ...})` runs tests/peers/torch_losses.py there; a test
that asks for it where the environment is missing skips with the reason.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.torch_twins import PYTHON


def peer_losses(given: Mapping[str, np.ndarray], *names: str) -> dict[str, np.ndarray]:
    """NAME -> value and "NAME:ARRAY" -> derivative, of all their losses or of those named.

    Args:
        given: the arrays that the losses read.
        names: which losses; none for all of them.
    """
    if not PYTHON.is_file():
        pytest.skip("PyTorch's environment (.venv-torch) is not built: make peers")
    with tempfile.TemporaryDirectory(prefix="torch-losses-") as folder:
        arrays, out = Path(folder) / "given.npz", Path(folder) / "out.npz"
        np.savez(arrays, **given)
        script = ROOT / "tests" / "peers" / "torch_losses.py"
        command = [PYTHON, script, arrays, out, *names]
        done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(out) as values:
            return dict(values)
