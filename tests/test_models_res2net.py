"""Res2Net-vd: counts derived by hand, shapes, the contract, and two other programs' numbers."""

from __future__ import annotations

from functools import partial

import keras
import numpy as np
import pytest

from landmarks_tf.models import build_embedder, count_parameters, create_backbone
from landmarks_tf.models.backbones import BACKBONES, BackboneEntry
from landmarks_tf.models.res2net import RES2NETS, Res2NetConfig, res2net_features
from tests import contracts, seeded_weights
from tests.torch_twins import check_twin

pytestmark = contracts.IGNORE_ARRAY_COPY

SMALL = Res2NetConfig((1, 2, 1, 1))
CLASSIFIER = 2048 * 1000 + 1000


@pytest.fixture(scope="module")
def small():
    """A member of few blocks, in the table under the name "res2net_vd_small"."""
    entry = BackboneEntry(partial(res2net_features, SMALL))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "res2net_vd_small", entry)
        keras.utils.set_random_seed(0)
        yield create_backbone("res2net_vd_small", image_size=64)


@pytest.fixture(scope="module")
def full():
    """Its graph; the kernels are zeros."""
    with seeded_weights.no_initial_values():
        return create_backbone("res2net200_vd", image_size=64)


def counted(config: Res2NetConfig) -> tuple[int, int]:
    """(numbers in kernels, normalised channels), written out."""
    kernels, channels = 9 * (3 * 32 + 32 * 32 + 32 * 64), 32 + 32 + 64
    inputs = 64
    for stage, count in enumerate(config.blocks):
        width, outputs = config.width * 2**stage, 256 * 2**stage
        inner = width * config.scale
        for block in range(count):
            kernels += inputs * inner  # 1x1
            kernels += (config.scale - 1) * 9 * width * width  # 3x3, all splits but the last
            kernels += inner * outputs  # 1x1
            channels += inner + (config.scale - 1) * width + outputs
            if block == 0:
                kernels += inputs * outputs  # the shortcut's 1x1
                channels += outputs
            inputs = outputs
    return kernels, channels


def test_counts(full, small):
    """PaddleClas states 76.21M in one table and 76.44M in another, both for 1000 classes.

    73,945,732 in kernels; 110,402 channels are normalised, each with a learned scale and shift;
    the classifier has 2,049,000. Learned: 73,945,732 + 2 * 110,402 + 2,049,000 = 76,215,536, the
    first figure (cut, not rounded). The second counts the moving mean and variance of the norms
    as well: + 2 * 110,402 = 76,436,340.
    """
    kernels, channels = counted(RES2NETS["res2net200_vd"])
    assert (kernels, channels) == (73_945_732, 110_402)
    counts = count_parameters(full.model)
    assert counts["trainable"] == kernels + 2 * channels == 76_215_536 - CLASSIFIER
    assert counts["total"] == kernels + 4 * channels == 76_436_340 - CLASSIFIER
    kernels, channels = counted(SMALL)
    assert count_parameters(small.model)["trainable"] == kernels + 2 * channels


def test_maps(full):
    shapes = [skip.shape[1:] for skip in full.skips]
    assert shapes == [(32, 32, 64), (16, 16, 256), (8, 8, 512), (4, 4, 1024)]
    assert full.model.output.shape == (None, 2, 2, 2048)


@pytest.mark.parametrize(("size", "side"), [(32, 1), (33, 2), (96, 3)])
def test_sides_are_rounded_up(size, side):
    with seeded_weights.no_initial_values():
        maps = res2net_features(SMALL, keras.Input((size, size, 3)))
    assert maps.last.shape == (None, side, side, 2048)


def test_where_splits_form_a_chain(full):
    """Everywhere but in the strided blocks; the last split is averaged there and only there."""
    names = {layer.name for layer in full.model.layers}
    strided = {f"layer{stage}.0" for stage in (2, 3, 4)}
    blocks = {
        f"layer{stage}.{block}"
        for stage, count in enumerate((3, 12, 48, 3), start=1)
        for block in range(count)
    }
    assert {name.removesuffix(".adds.1") for name in names if name.endswith(".adds.1")} == (
        blocks - strided
    )
    assert {name.removesuffix(".pool") for name in names if name.endswith(".pool")} == strided


@pytest.mark.parametrize("side", [4, 5])
def test_the_last_split_is_averaged_without_its_padding(side):
    maps = res2net_features(SMALL, keras.Input((side * 4, side * 4, 3)))
    model = keras.Model(maps.skips[0], maps.last)
    x = np.arange(side * side, dtype=np.float32).reshape(1, side, side, 1)
    pooled = model.get_layer("layer2.0.pool")(model.get_layer("layer2.0.pool.mean")(x))
    grid, centres = x[0, :, :, 0], range(0, side, 2)
    expected = [
        [grid[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2].mean() for x in centres]
        for y in centres
    ]
    np.testing.assert_allclose(np.asarray(pooled)[0, :, :, 0], expected, rtol=1e-6)


def test_norms_and_initial_values_are_paddles(full, small):
    norms = [y for y in full.model.layers if isinstance(y, keras.layers.BatchNormalization)]
    assert len(norms) == 337
    assert {(norm.epsilon, norm.momentum) for norm in norms} == {(1e-5, 0.9)}

    def deviation(name):
        return np.asarray(small.model.get_layer(name).kernel).std()

    # He's normal over fan-in.
    np.testing.assert_allclose(deviation("layer3.0.conv3"), (2 / 416) ** 0.5, rtol=0.01)
    np.testing.assert_allclose(deviation("layer3.0.convs.1"), (2 / (9 * 104)) ** 0.5, rtol=0.02)


def test_contract(small, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    embedder = build_embedder(small, dim=16, neck=("dense",))
    contracts.check_model(embedder, images, tmp_path)
    contracts.check_gradients_of_model(small.model, images)


# What PaddleClas 2.6.0's own program (Res2Net_vd(layers=50, scales=4, width=8) on PaddlePaddle
# 3.3.1, float64, inference) makes of `paddle_values` and RandomState(1000): every 400th channel of
# the last map's first and last pixel, by the side of the picture.
PADDLES = {
    64: (
        [0.914315, 3.08826, 1.561628, 3.202327, 6.788349, 1.284411],
        [0.0, 3.166633, 0.823435, 5.482402, 7.549206, 0.0],
    ),
    75: (
        [0.547319, 4.558317, 1.46237, 2.874692, 6.691299, 1.321686],
        [0.0, 3.910362, 0.0, 3.627657, 6.696076, 0.0],
    ),
}


def set_paddle_values(model: keras.Model) -> None:
    """Weights by the rank of a convolution's name, as the golden script set them."""
    convolutions = sorted(y.name for y in model.layers if isinstance(y, keras.layers.Conv2D))
    norms = {"conv1.0": "conv1.1", "conv1.3": "conv1.4", "conv1.6": "bn1"}
    for number, name in enumerate(convolutions):
        # RandomState's streams are frozen: NumPy promises never to change them.
        random = np.random.RandomState(number)
        norm = norms.get(name, name.replace("conv", "bn").replace("sample.1", "sample.2"))
        kernel = model.get_layer(name).kernel
        height, width, inputs, outputs = kernel.shape
        drawn = random.standard_normal((outputs, inputs, height, width))
        kernel.assign((drawn * np.sqrt(2 / (inputs * height * width))).transpose(2, 3, 1, 0))
        scale = 0.2 if norm.endswith("bn3") else 1.0
        model.get_layer(norm).set_weights(
            [
                scale + 0.1 * random.standard_normal(outputs),
                0.1 * random.standard_normal(outputs),
                0.1 * random.standard_normal(outputs),
                np.exp(0.1 * random.standard_normal(outputs)),
            ]
        )


@pytest.mark.parametrize("size", PADDLES)
def test_paddleclas_own_program(size):
    pixels = keras.Input((size, size, 3))
    with seeded_weights.no_initial_values():
        maps = res2net_features(Res2NetConfig((3, 4, 6, 3), width=8), pixels)
    model = keras.Model(pixels, maps.last)
    set_paddle_values(model)
    given = np.random.RandomState(1000).standard_normal((1, 3, size, size))
    last = np.asarray(model(given.transpose(0, 2, 3, 1).astype(np.float32), training=False))[0]
    for pixel, expected in zip((0, -1), PADDLES[size], strict=True):
        np.testing.assert_allclose(last[pixel, pixel, ::400], expected, atol=5e-5)


def test_too_small_an_image_is_refused():
    with pytest.raises(ValueError, match="res2net200_vd needs images of at least 32 px"):
        create_backbone("res2net200_vd", image_size=31)


@pytest.mark.peers
@pytest.mark.parametrize(("size", "policies"), [(64, ("float64", "float32")), (75, ("float64",))])
def test_timms_small_network_as_paddleclas_has_it(size, policies, small):
    check_twin("res2net_vd_small", size=size, policies=policies)


@pytest.mark.peers
@pytest.mark.slow
def test_timms_network_as_paddleclas_has_it():
    check_twin("res2net200_vd", policies=("float64",))
