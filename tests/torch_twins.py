"""What PyTorch's own networks compute, from the environment that `make peers` builds.

`twin("resnet101")` asks tests/peers/torch_twin.py there and reads what it wrote; a test that asks
for it where the environment is missing skips with the reason. One process answers a whole session.
"""

from __future__ import annotations

import atexit
import functools
import json
import os
import select
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import pytest

from landmarks_tf.models import create_backbone
from landmarks_tf.models.torch_files import read_state_dict
from landmarks_tf.models.torch_weights import assign_state_dict
from tests import seeded_weights
from tests.conftest import ROOT
from tests.contracts import global_policy

PYTHON = Path(os.environ.get("LANDMARKS_TORCH_PYTHON", ROOT / ".venv-torch" / "bin" / "python"))


@dataclass(frozen=True)
class Twin:
    """A PyTorch network's weights, and arrays as torch_twin.py describes them."""

    state: Path
    values: dict[str, np.ndarray]


@functools.cache
def _folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="torch-twins-")


@functools.cache
def _pytorch() -> subprocess.Popen:
    """PyTorch, waiting for names; it ends with this process."""
    log = (Path(_folder().name) / "errors.txt").open("w")
    process = subprocess.Popen(
        [PYTHON, ROOT / "tests" / "peers" / "torch_twin.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    log.close()
    atexit.register(process.communicate)
    return process


@functools.cache
def twin(name: str, *, size: int = 64, batch: int = 4) -> Twin:
    """Run the PyTorch network `name` on random standardised pixels (B, S, S, 3).

    With a batch of 0 there is its state alone, and no values.
    """
    if not PYTHON.is_file():
        pytest.skip("PyTorch's environment (.venv-torch) is not built: make peers")
    folder = Path(_folder().name) / f"{name}-{size}-{batch}"
    process = _pytorch()
    asked = {"name": name, "folder": str(folder), "size": size, "batch": batch}
    print(json.dumps(asked), file=process.stdin, flush=True)
    ready, _, _ = select.select([process.stdout], [], [], 600)
    if not ready or process.stdout.readline() != "done\n":
        process.kill()
        pytest.fail(f"{name}: {(Path(_folder().name) / 'errors.txt').read_text()[-3000:]}")
    if not batch:
        return Twin(folder / "state.pth", {})
    with np.load(folder / "values.npz") as values:
        return Twin(folder / "state.pth", dict(values))


def check_twin(
    name: str,
    *,
    torch_name: str | None = None,
    size: int = 64,
    batch: int = 4,
    module_of: Callable[[str], str] | None = None,
    policies: tuple[str, ...] = ("float64", "float32"),
) -> None:
    """A backbone with a PyTorch network's weights computes what that network computes.

    `module_of` gives the PyTorch module of a layer's name, where the two differ. Float64 tells
    whether the two are one function; float32 adds only how a kind of layer rounds, so it is left
    out where a sibling of the same layers has shown that.

    In float64, in inference and in training mode (the batch's statistics), the last maps agree to
    1e-9 of their largest activation, and so do the moving statistics after that step but for
    PyTorch's n / (n - 1) in the variance: the two are one function. In float32 the maps of
    inference and the unit rows of both modes agree to 1e-4. The float32 maps of training mode may
    be as far from float64 as twice PyTorch's own are: a hundred normalisations by the batch
    amplify any rounding, theirs as ours.
    """
    theirs = twin(torch_name or name, size=size, batch=batch)
    spread = np.ptp(theirs.values["inference"], axis=0).max()
    assert spread > 1e-3 * np.abs(theirs.values["inference"]).max(), (
        "every picture gives nearly the same map: such weights compare nothing"
    )
    for policy in policies:
        with global_policy(policy), seeded_weights.no_initial_values():
            weights = None if module_of else str(theirs.state)
            backbone = create_backbone(name, image_size=size, weights=weights)
        if module_of:
            assign_state_dict(backbone.model, read_state_dict(theirs.state), module_of)
        _switch_dropout_off(backbone.model)
        prepared = backbone.model.get_layer("preprocessing").output
        network = keras.Model(prepared, backbone.model.output)
        before = {y.name: [np.array(w) for w in y.weights] for y in _norms(network)}
        pixels = theirs.values["pixels"].astype(policy)
        for mode in ("inference", "training"):
            ours = np.asarray(network(pixels, training=mode == "training"))
            expected = theirs.values[mode]
            assert ours.shape == expected.shape
            allowed = 1e-9 if policy == "float64" else 1e-4
            np.testing.assert_allclose(_unit_rows(ours), _unit_rows(expected), atol=allowed)
            if (policy, mode) == ("float32", "training"):
                allowed = max(allowed, 2 * _largest(theirs.values["training32"], expected))
            difference = _largest(ours, expected)
            assert difference <= allowed, f"{name}, {policy}, {mode}: {difference:.1e}"
        if policy == "float64":
            modules = {y.name: (module_of or str)(y.name) for y in _norms(network)}
            _check_statistics(network, before, theirs.values, batch, modules)


def _switch_dropout_off(model: keras.Model) -> None:
    """As `without_dropout` of torch_twin.py does to the PyTorch network."""
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0


def _check_statistics(
    network: keras.Model, before: dict, theirs: dict, batch: int, modules: dict[str, str]
) -> None:
    for norm in _norms(network):
        mean, variance = (np.asarray(w) for w in norm.weights[2:])
        count = batch * np.prod(norm.output.shape[1:-1])
        kept = norm.momentum * before[norm.name][3]
        unbiased = kept + (variance - kept) * count / (count - 1)
        module = f"after:{modules[norm.name]}"
        np.testing.assert_allclose(mean, theirs[f"{module}.running_mean"], atol=1e-7)
        np.testing.assert_allclose(unbiased, theirs[f"{module}.running_var"], rtol=1e-7)


def _largest(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference over the largest number."""
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def _norms(model) -> list:
    return [y for y in model.layers if isinstance(y, keras.layers.BatchNormalization)]


def _unit_rows(maps: np.ndarray) -> np.ndarray:
    pooled = maps.mean(axis=(1, 2))
    return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)
