"""Every backbone computes on Keras' JAX backend, without TensorFlow, what it computes on it."""

from __future__ import annotations

import gc
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from landmarks_tf.models import BACKBONES, create_backbone
from tests import seeded_weights
from tests.conftest import ROOT

pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed (extra `jax`)")

pytestmark = pytest.mark.slow

# In the child `import tensorflow` raises, as where only JAX is installed.
CHILD = """
import sys; sys.modules["tensorflow"] = None
import gc, keras, numpy as np
from landmarks_tf.models import BACKBONES, create_backbone
from tests import seeded_weights

assert keras.backend.backend() == "jax", keras.backend.backend()
gc.freeze()  # or each clearing looks at all that was imported
given, outputs = np.load(sys.argv[1]), {}
for name, entry in BACKBONES.items():
    with seeded_weights.no_initial_values():
        model = create_backbone(name, image_size=entry.min_image_size).model
    seeded_weights.fill(model)
    for weight in model.weights:
        if "moving_" in weight.path:
            weight.assign(given[f"{name}:{weight.path}"])
    # Not `predict`: one program of a whole network takes XLA far longer than each kind of layer
    # alone, and those of one network serve the next.
    outputs[name] = np.asarray(model(given[f"{name}:pixels"], training=False))
    keras.utils.clear_session()
np.savez(sys.argv[2], **outputs)
"""


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> (here, on JAX) for every backbone at its smallest size: one child for all of them."""
    folder = tmp_path_factory.mktemp("networks")
    given, expected = {}, {}
    gc.freeze()  # or each clearing looks at all that was imported
    for name, entry in BACKBONES.items():
        with seeded_weights.no_initial_values():
            model = create_backbone(name, image_size=entry.min_image_size).model
        pixels = np.random.default_rng(0).uniform(0, 255, (4, *model.input_shape[1:]))
        pixels = pixels.astype(np.float32)
        seeded_weights.fill(model)
        statistics = seeded_weights.settle(model, pixels)
        expected[name] = np.asarray(model(pixels[:2], training=False))
        given |= {f"{name}:{path}": value for path, value in statistics.items()}
        given[f"{name}:pixels"] = pixels[:2]
        del model
        keras.utils.clear_session()
    gc.unfreeze()
    np.savez(folder / "given.npz", **given)
    environment = os.environ | {
        "KERAS_BACKEND": "jax",
        "JAX_PLATFORMS": "cpu",
        # Compiles in half the time; the arithmetic is the same.
        "XLA_FLAGS": "--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen=false",
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD, folder / "given.npz", folder / "outputs.npz"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(folder / "outputs.npz") as found:
        return {name: (expected[name], found[name]) for name in BACKBONES}


@pytest.mark.parametrize("name", BACKBONES)
def test_the_same_maps_on_jax(outputs, name):
    here, on_jax = outputs[name]
    assert here.shape == on_jax.shape
    largest = np.abs(here).max()
    # Dead maps, or ones that ran away, would agree whatever the backends do.
    assert 0.01 < largest < 1000 and here.std() > 0.001
    assert np.abs(here - on_jax).max() <= 1e-4 * largest
