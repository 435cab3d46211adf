"""Descriptors of several sizes against the same steps done one by one."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.layers import L2Normalization
from landmarks_tf.retrieval.multi_scale import check_scales, describe_batches

SIZE, DIM = 20, 6


def network(*, flat: bool = False):
    """A small fully convolutional embedder; `flat` ends in a layer for one size only."""
    keras.utils.set_random_seed(0)
    pixels = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Rescaling(1 / 255)(pixels)
    x = keras.layers.Conv2D(5, 3, strides=2, padding="same", activation="relu")(x)
    x = keras.layers.BatchNormalization()(x)
    x = keras.layers.Flatten()(x) if flat else keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.Dense(DIM)(x)
    return keras.Model(pixels, L2Normalization()(x))


def any_size(embedder):
    """The embedder's arithmetic on pictures of any size, layer by layer."""

    def run(images):
        x = images
        for layer in embedder.layers[1:]:
            x = layer(x)
        return np.asarray(x)

    return run


@pytest.fixture(scope="module")
def embedder():
    return network()


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)


@pytest.mark.parametrize(
    ("scales", "pooling", "flip"),
    [((0.7071, 1.0, 1.4142), "sum", False), ((1.0,), "mean", True), ((0.5,), "mean", True)],
)
def test_is_the_pooled_sum_of_what_each_size_gives(embedder, images, scales, pooling, flip):
    describe = describe_batches(embedder, 4, scales=scales, pooling=pooling, flip=flip)
    found = describe(images)
    total = np.zeros((3, DIM))
    for scale in scales:
        side = round(SIZE * scale)  # 14, 20 and 28; 10
        resized = tf.image.resize(images.astype(np.float32), (side, side), "bilinear").numpy()
        total += any_size(embedder)(resized)
        if flip:
            total += any_size(embedder)(np.ascontiguousarray(resized[:, :, ::-1]))
    expected = total / np.linalg.norm(total, axis=1, keepdims=True)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_one_scale_is_the_embedder_itself_whatever_the_batch(embedder, images):
    describe = describe_batches(embedder, 8)
    np.testing.assert_array_equal(
        describe(images),
        embedder.predict_on_batch(np.concatenate([images, np.zeros((5, SIZE, SIZE, 3))]))[:3],
    )
    np.testing.assert_allclose(describe(images[1:2])[0], describe(images)[1], atol=1e-6)


def test_a_mirrored_picture_has_the_same_descriptor_with_flip(embedder, images):
    describe = describe_batches(embedder, 3, scales=(0.7071, 1.0), flip=True)
    np.testing.assert_allclose(describe(images), describe(images[:, :, ::-1]), atol=2e-6)


def test_a_network_for_one_size_only_says_so():
    message = r"cannot be given pictures of 14 x 14 px \(scale 0\.7071 of 20 x 20\)"
    with pytest.raises(ValueError, match=message):
        describe_batches(network(flat=True), 4, scales=(1.0, 0.7071))
    white = np.full((1, SIZE, SIZE, 3), 255, np.uint8)
    assert describe_batches(network(flat=True), 4, flip=True)(white).shape == (1, DIM)


@pytest.mark.parametrize(
    ("scales", "pooling", "message"),
    [
        ((), "sum", r"between 0\.1 and 10, for instance 0\.7071, 1, 1\.4142; received \(\)"),
        ((1.0, -2.0), "sum", r"received \(1\.0, -2\.0\)"),
        ((float("nan"),), "sum", r"received \(nan,\)"),
        ((1.0, 1.0), "sum", r"given twice: \(1\.0, 1\.0\)"),
        ((1.0,), "max", r"by sum or mean, received 'max'"),
    ],
)
def test_refuses(scales, pooling, message):
    with pytest.raises(ValueError, match=message):
        check_scales(scales, pooling)
