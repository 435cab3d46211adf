"""What OpenCV and torchvision make of a picture, from the environment that `make peers` builds.

`peer_pictures()` runs tests/peers/torch_pictures.py there, once; a test that asks for it where the
environment is missing skips with the reason.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.torch_twins import PYTHON


def picture() -> np.ndarray:
    """(61, 96, 3) uint8 with smooth parts, noise, black, white and greys.

    96 columns are whole vector registers to OpenCV.
    """
    rng = np.random.default_rng(4)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
    made = np.array(coarse.resize((96, 61), Image.Resampling.BICUBIC))
    made[:20] = rng.integers(0, 256, (20, 96, 3))
    made[40:44, :20], made[44:48, :20] = 0, 255
    made[48:52, :32] = np.arange(32)[:, np.newaxis] * 8
    return made


GIVEN = {
    "picture": picture(),
    "sizes": np.array([(20, 31), (13, 96), (61, 40), (61, 96), (100, 130)]),
    "shifts": np.array([-60, -1, 0, 1, 37, 61]),
    "boxes": np.array([(0, 0, 61, 96), (5, 11, 30, 40), (20, 50, 41, 33), (60, 95, 1, 1)]),
    "affines": np.array([(15, 0, 0, 1, 0), (-11, 5, 8, 1.2, 9), (3, -19, 12, 0.8, -15)]),
    "turns": np.array([-0.2, 0.0, 0.13, 0.2]),
    "factors": np.array([0.0, 0.55, 1.0, 1.9]),
    "bits": np.array([1, 4, 6, 8]),
    "thresholds": np.array([0, 1, 128, 255, 256]),
    "once": np.zeros(1),
}


@functools.cache
def peer_pictures() -> dict[str, np.ndarray]:
    """NAME -> result, of all of tests/peers/torch_pictures.py on `GIVEN`."""
    if not PYTHON.is_file():
        pytest.skip("PyTorch's environment (.venv-torch) is not built: make peers")
    with tempfile.TemporaryDirectory(prefix="torch-pictures-") as folder:
        arrays, out = Path(folder) / "given.npz", Path(folder) / "out.npz"
        np.savez(arrays, **GIVEN)
        script = ROOT / "tests" / "peers" / "torch_pictures.py"
        command = [*map(str, (PYTHON, script, arrays, out))]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]
        with np.load(out) as values:
            return dict(values)
