"""What every backbone of the table must do under a neck.

Pictures are as small as the network takes: what is checked does not depend on the size. That a
network is traced once, is read back from its file and learns the same way at every depth is shown
on one member of each builder, in its own test file; each network's own numbers are there too. The
same outputs on the JAX backend: tests/test_backends_networks.py.
"""

from __future__ import annotations

import json
from functools import partial

import keras
import numpy as np
import pytest

from landmarks_tf.models import BACKBONES, build_embedder, create_backbone
from landmarks_tf.models.backbones import BackboneEntry
from landmarks_tf.models.inception import INCEPTIONS, inception_features
from landmarks_tf.models.res2net import Res2NetConfig, res2net_features
from landmarks_tf.models.resnest import ResNeStConfig, resnest_features
from landmarks_tf.models.resnet import ResNetConfig, resnet_features
from tests import contracts, seeded_weights

pytestmark = [contracts.IGNORE_ARRAY_COPY, pytest.mark.slow]

# More of the same blocks: a few of them stand for all in the tests of their files.
DEEP = ("resnet101", "se_resnext101", "resnest269", "res2net200_vd")


def embedder_of(backbone):
    # The norm first: a bias before a norm has no gradient but rounding.
    neck = ("dropout:0.2", "batch_norm", "dense")
    return build_embedder(backbone, dim=8, neck=neck)


def images(name, batch):
    side = BACKBONES[name].min_image_size
    return np.random.default_rng(0).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", BACKBONES)
def test_contract(name):
    """Its rows, its gradients, its way through a configuration, and that it can be frozen."""
    with seeded_weights.no_initial_values():
        backbone = create_backbone(name, image_size=BACKBONES[name].min_image_size)
        embedder = embedder_of(backbone)
    assert embedder.output_shape == (None, 8)
    assert (backbone.auxiliary_tap is not None) == BACKBONES[name].has_auxiliary_tap
    if name not in DEEP:
        seeded_weights.fill(embedder)
        (rows,) = contracts.check_outputs(embedder, images(name, 4))
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        contracts.check_gradients_of_model(embedder, images(name, 8))
        _check_configuration(embedder)
    for layer in backbone.model.layers:
        layer.trainable = False
    assert {w.path.split("/")[0] for w in embedder.trainable_weights} == {
        "neck_dense",
        "neck_batch_norm",
    }
    if name not in DEEP:
        contracts.check_frozen(backbone.model, images(name, 8))


def _check_configuration(model: keras.Model) -> None:
    config = json.dumps(keras.saving.serialize_keras_object(model))
    with seeded_weights.no_initial_values():
        twin = keras.saving.deserialize_keras_object(json.loads(config))
    assert [(w.path, w.shape) for w in twin.weights] == [(w.path, w.shape) for w in model.weights]
    # Where the layers and the graph are the same, so is the configuration.
    assert json.dumps(keras.saving.serialize_keras_object(twin)) == config


# One member of each builder whose own file does not ask for half precision.
BUILDERS = {
    "inception": partial(inception_features, INCEPTIONS["inception_v200"]),
    "resnet": partial(
        resnet_features,
        ResNetConfig((1, 1, 1, 1), groups=32, width_per_group=4, squeeze_ratio=16),
    ),
    "resnest": partial(resnest_features, ResNeStConfig((1, 1, 1, 1), stem_width=32)),
    "res2net": partial(res2net_features, Res2NetConfig((1, 1, 1, 1))),
}


@pytest.mark.parametrize("policy", contracts.MIXED_POLICIES)
@pytest.mark.parametrize("builder", BUILDERS)
def test_half_precision(builder, policy, monkeypatch):
    half = policy.removeprefix("mixed_")
    side = 75 if builder == "inception" else 32
    monkeypatch.setitem(BACKBONES, builder, BackboneEntry(BUILDERS[builder], side))
    with contracts.global_policy(policy), seeded_weights.no_initial_values():
        backbone = create_backbone(builder, image_size=side)
        embedder = embedder_of(backbone)
    assert keras.backend.standardize_dtype(backbone.model.output.dtype) == half
    assert keras.backend.standardize_dtype(embedder.output.dtype) == "float32"
    assert {keras.backend.standardize_dtype(w.dtype) for w in embedder.weights} == {"float32"}
    if half == "bfloat16":  # float16 convolutions are emulated on a CPU
        seeded_weights.fill(embedder)
        rows = np.asarray(embedder(images(builder, 2).astype(np.float32), training=False))
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
