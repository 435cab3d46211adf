"""The contract of every backbone of the table, under a neck.

Pictures are as small as the network takes: what is checked does not depend on the size, and a
hundred layers of bookkeeping are slow enough. The same outputs on the JAX backend:
tests/test_backends_networks.py. Each network's own numbers: its own test file.
"""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.models import BACKBONES, build_embedder, create_backbone
from tests import contracts

pytestmark = [contracts.IGNORE_ARRAY_COPY, pytest.mark.slow]


def network(name):
    """(backbone, embedder of 8 numbers), the same each time."""
    keras.utils.set_random_seed(0)
    backbone = create_backbone(name, image_size=BACKBONES[name].min_image_size)
    # The norm first: a bias before a norm has no gradient but rounding.
    neck = ("dropout:0.2", "batch_norm", "dense")
    return backbone, build_embedder(backbone, dim=8, neck=neck)


def images(name, batch):
    side = BACKBONES[name].min_image_size
    return np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", BACKBONES)
def test_contract(name, tmp_path):
    backbone, embedder = network(name)
    assert embedder.output_shape == (None, 8)
    contracts.check_model(embedder, images(name, 4), tmp_path)
    contracts.check_step_of_model(embedder, images(name, 8))
    for layer in backbone.model.layers:
        layer.trainable = False
    assert {w.path.split("/")[0] for w in embedder.trainable_weights} == {
        "neck_dense",
        "neck_batch_norm",
    }
    contracts.check_step_of_model(embedder, images(name, 8))


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
@pytest.mark.parametrize("name", BACKBONES)
def test_half_precision(name, policy):
    half = policy.removeprefix("mixed_")
    with contracts.global_policy(policy):
        backbone, embedder = network(name)
    assert keras.backend.standardize_dtype(backbone.model.output.dtype) == half
    assert keras.backend.standardize_dtype(embedder.output.dtype) == "float32"
    assert {keras.backend.standardize_dtype(w.dtype) for w in embedder.weights} == {"float32"}
    if half == "bfloat16":  # float16 convolutions are emulated on a CPU
        rows = np.asarray(embedder(images(name, 2).astype(np.float32), training=False))
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
