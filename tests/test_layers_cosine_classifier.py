"""Cosines to class centres: against a plain loop, sub-centres, and large class counts."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.layers import CosineClassifier
from tests import contracts
from tests.reference import cosine as reference

pytestmark = contracts.IGNORE_ARRAY_COPY


def classifier(centers, num_classes, subcenters=1):
    layer = CosineClassifier(num_classes, subcenters)
    layer.build((None, centers.shape[1]))
    layer.centers.assign(centers)
    return layer


@pytest.mark.parametrize("subcenters", [1, 3])
def test_contract(subcenters, tmp_path):
    # Far fewer centres than rows, so that each sub-centre wins a row and gets a gradient.
    rows = np.random.default_rng(1).normal(size=(40, 5)).astype(np.float32)
    contracts.check_layer(
        lambda: CosineClassifier(3, subcenters, name="cosines"),
        rows,
        tmp_path,
        always_float32=True,
    )


def test_hand_derived():
    centers = np.array([[2, 0], [0, 0.5], [-3, -4]], np.float32)
    cosines = classifier(centers, 3)(np.array([[3, 4], [0, -1]], np.float32))
    np.testing.assert_allclose(cosines, [[0.6, 0.8, -1], [0, -1, 0.8]], atol=1e-6)


def test_a_class_is_as_near_as_its_nearest_subcenter():
    # Classes are rows 0-1 and 2-3: sub-centres of one class are consecutive.
    centers = np.array([[1, 0], [-1, 0], [0, 1], [0.6, 0.8]], np.float32)
    cosines = classifier(centers, 2, subcenters=2)(np.array([[-1, 0], [0.8, 0.6]], np.float32))
    np.testing.assert_allclose(cosines, [[1, 0], [0.8, 0.96]], atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(
    num_classes=st.integers(2, 6),
    subcenters=st.integers(1, 3),
    dim=st.integers(1, 8),
    batch=st.integers(1, 5),
    length=st.floats(1e-3, 1e3),
    seed=st.integers(0, 2**31),
)
def test_equals_the_plain_loop(num_classes, subcenters, dim, batch, length, seed):
    rng = np.random.default_rng(seed)
    centers = (length * rng.normal(size=(num_classes * subcenters, dim))).astype(np.float32)
    rows = rng.normal(size=(batch, dim)).astype(np.float32)
    rows[0] = 0 if seed % 2 else rows[0]
    cosines = classifier(centers, num_classes, subcenters)(rows)
    expected = reference.class_cosines(rows, centers, subcenters)
    np.testing.assert_allclose(cosines, expected, atol=3e-6)


@pytest.mark.parametrize("subcenters", [1, 2])
def test_filled_up_centres_are_neither_scored_nor_trained(subcenters):
    layer = CosineClassifier(5, subcenters, multiple_of=4)
    rows = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    with tf.GradientTape() as tape:
        cosines = layer(rows)
        total = tf.reduce_sum(tf.square(cosines))
    centers = np.asarray(layer.centers)
    assert centers.shape == (8 * subcenters, 3)
    expected = reference.class_cosines(rows, centers[: 5 * subcenters], subcenters)
    np.testing.assert_allclose(cosines, expected, atol=3e-6)
    gradient = np.asarray(tape.gradient(total, layer.centers.value))
    assert gradient[: 5 * subcenters].any() and not gradient[5 * subcenters :].any()
    assert CosineClassifier.from_config(layer.get_config()).multiple_of == 4


def test_a_multiple_below_one():
    with pytest.raises(
        ValueError, match=r"multiple_of must be at least 1\. Received: multiple_of=0"
    ):
        CosineClassifier(5, multiple_of=0)


def test_only_the_winning_subcenter_is_moved():
    layer = classifier(np.array([[1, 0], [0, 1], [-1, 0.5], [1, -9]], np.float32), 2, subcenters=2)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(layer(np.array([[0.2, 1.0]], np.float32))[:, 0])
    gradient = np.asarray(tape.gradient(total, layer.centers.value))
    assert gradient[1].any()
    assert not gradient[[0, 2, 3]].any()


def test_centers_start_as_xavier_uniform():
    layer = CosineClassifier(400)
    layer.build((None, 100))
    bound = np.sqrt(6 / (400 + 100))
    centers = np.asarray(layer.centers)
    assert np.abs(centers).max() <= bound
    assert np.abs(centers).max() > 0.99 * bound
    np.testing.assert_allclose(centers.std(), bound / np.sqrt(3), rtol=0.02)


def test_trains_without_margin():
    # Only the layer's own weights can learn here: each class must find its direction.
    labels = np.tile(np.arange(4), 16)
    rows = np.eye(4, dtype=np.float32)[labels]
    keras.utils.set_random_seed(0)
    layer = CosineClassifier(4)
    model = keras.Sequential([keras.Input((4,)), layer, keras.layers.Rescaling(10.0)])
    model.compile(
        keras.optimizers.SGD(1.0),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(rows, labels, epochs=30, batch_size=16, verbose=0)
    assert (np.asarray(layer(rows)).argmax(axis=1) == labels).all()


def test_refusals():
    contracts.check_refusals(
        {
            "at least 2 classes. Received: num_classes=1": lambda: CosineClassifier(1),
            "at least 1. Received: subcenters=0": lambda: CosineClassifier(5, 0),
            "shape (2, 3, 4)": lambda: CosineClassifier(5)(np.zeros((2, 3, 4), np.float32)),
            "Received: dtype='mixed_bfloat16'": lambda: CosineClassifier(5, dtype="mixed_bfloat16"),
        }
    )
