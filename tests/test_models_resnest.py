"""ResNeSt: counts derived by hand, shapes, the contract, and timm's own networks."""

from __future__ import annotations

import sys
from functools import partial

import keras
import numpy as np
import pytest

from landmarks_tf.models import build_embedder, count_parameters, create_backbone
from landmarks_tf.models.backbones import BACKBONES, BackboneEntry
from landmarks_tf.models.resnest import RESNESTS, ResNeStConfig, resnest_features
from tests import contracts, seeded_weights
from tests.torch_twins import check_twin

pytestmark = contracts.IGNORE_ARRAY_COPY

SMALL = ResNeStConfig((1, 1, 1, 1), stem_width=32)  # timm's resnest14d
CLASSIFIER = 2048 * 1000 + 1000


@pytest.fixture(scope="module")
def small():
    """A member of one block a stage, in the table under the name "resnest14"."""
    entry = BackboneEntry(partial(resnest_features, SMALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "resnest14", entry)
        keras.utils.set_random_seed(0)
        yield create_backbone("resnest14", image_size=64)


@pytest.fixture(scope="module")
def full():
    """Its graph; the kernels are zeros."""
    with seeded_weights.no_initial_values():
        return create_backbone("resnest269", image_size=64)


def learned(config: ResNeStConfig) -> int:
    """The sum written out: kernels, biases, and two numbers a channel for each norm."""
    width = config.stem_width
    total = 9 * (3 * width + width * width + width * 2 * width) + 2 * (width + width + 2 * width)
    inputs = 2 * width
    for count, planes in zip(config.blocks, (64, 128, 256, 512), strict=True):
        attention = max(planes // 2, 32)
        for block in range(count):
            total += inputs * planes + 2 * planes  # conv1, bn1
            total += 9 * (planes // 2) * 2 * planes + 2 * 2 * planes  # two groups: conv, bn0
            total += planes * attention + attention + 2 * attention  # fc1, bn1
            total += attention * 2 * planes + 2 * planes  # fc2
            total += planes * 4 * planes + 2 * 4 * planes  # conv3, bn3
            if block == 0:
                total += inputs * 4 * planes + 2 * 4 * planes  # the shortcut
            inputs = 4 * planes
    return total


def test_counts(full, small):
    """The authors state 110.93M with 1000 classes; timm's resnest269e has 110,929,480."""
    counts = count_parameters(full.model)
    assert counts["trainable"] == learned(RESNESTS["resnest269"]) == 110_929_480 - CLASSIFIER
    # 157,216 channels are normalised, each with a moving mean and variance.
    assert counts["total"] - counts["trainable"] == 2 * 157_216
    # timm's resnest14d and resnest50d have 10,611,688 and 27,483,240 with 1000 classes.
    assert count_parameters(small.model)["trainable"] == 10_611_688 - CLASSIFIER
    assert learned(SMALL) == 10_611_688 - CLASSIFIER
    assert learned(ResNeStConfig((3, 4, 6, 3), stem_width=32)) == 27_483_240 - CLASSIFIER


def test_maps(full):
    shapes = [skip.shape[1:] for skip in full.skips]
    assert shapes == [(32, 32, 128), (16, 16, 256), (8, 8, 512), (4, 4, 1024)]
    assert full.model.output.shape == (None, 2, 2, 2048)


@pytest.mark.parametrize(("size", "side"), [(32, 1), (33, 2), (96, 3)])
def test_sides_are_rounded_up(size, side):
    with seeded_weights.no_initial_values():
        maps = resnest_features(SMALL, keras.Input((size, size, 3)))
    assert maps.last.shape == (None, side, side, 2048)


def test_only_the_strided_blocks_average(full):
    names = [layer.name for layer in full.model.layers]
    assert [name for name in names if name.endswith("avd_last")] == [
        f"layer{stage}.0.avd_last" for stage in (2, 3, 4)
    ]
    assert [name for name in names if name.endswith("downsample.0")] == [
        f"layer{stage}.0.downsample.0" for stage in (2, 3, 4)
    ]
    # Every stride is an average's, but for the stem's.
    strided = [y.name for y in full.model.layers if getattr(y, "strides", (1,))[0] > 1]
    assert sorted(strided) == sorted(
        ["conv1.0", "maxpool"]
        + [f"layer{s}.0.{part}" for s in (2, 3, 4) for part in ("avd_last", "downsample.0")]
    )


def test_keras_can_walk_its_graph_by_recursion(full):
    """Python allows a thousand calls; the main path alone is longer than that."""
    depth = len(_frames())
    limit = sys.getrecursionlimit()
    assert len(full.model.layers) > 1400
    sys.setrecursionlimit(depth + 400)
    try:
        keras.Model(full.model.input, full.model.output)
    finally:
        sys.setrecursionlimit(limit)


def _frames() -> list:
    frame, frames = sys._getframe(), []
    while frame:
        frames.append(frame)
        frame = frame.f_back
    return frames


def test_norms_and_initial_values_are_the_authors(full, small):
    norms = [y for y in full.model.layers if isinstance(y, keras.layers.BatchNormalization)]
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-5, 0.9)}
    assert all((np.asarray(norm.gamma) == 1).all() for norm in norms)

    def deviation(name):
        return np.asarray(small.model.get_layer(name).kernel).std()

    # He's normal over fan-out, which a group does not divide: 3x3, 512 and 1024 channels out.
    np.testing.assert_allclose(deviation("layer3.0.conv2.conv"), (2 / (9 * 512)) ** 0.5, rtol=0.01)
    np.testing.assert_allclose(deviation("layer3.0.conv3"), (2 / 1024) ** 0.5, rtol=0.01)
    np.testing.assert_allclose(deviation("layer3.0.conv2.fc2"), (2 / 512) ** 0.5, rtol=0.01)
    bias = np.asarray(small.model.get_layer("layer3.0.conv2.fc2").bias)
    assert 0.9 * 128**-0.5 < np.abs(bias).max() <= 128**-0.5


def test_contract(small, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    embedder = build_embedder(small, dim=16, neck=("dense",))
    contracts.check_model(embedder, images, tmp_path)
    contracts.check_gradients_of_model(small.model, images)


def test_too_small_an_image_is_refused():
    with pytest.raises(ValueError, match="resnest269 needs images of at least 32 px"):
        create_backbone("resnest269", image_size=31)


@pytest.mark.peers
@pytest.mark.parametrize(("size", "policies"), [(64, ("float64", "float32")), (75, ("float64",))])
def test_timms_small_network(size, policies, small):
    check_twin("resnest14", size=size, policies=policies)


@pytest.mark.peers
@pytest.mark.slow
def test_timms_own_network():
    check_twin("resnest269", policies=("float64",))
