"""Parity is measured right: on numbers worked out by hand, and on models that do differ."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from landmarks_tf.export import parity


def test_compare_by_hand():
    # The first row equals its reference once that is normalised, the second is (0, 1) for
    # (0.6, 0.8).
    numbers = parity.compare_descriptors(
        np.array([[0.6, 0.8], [0.0, 1.0]], np.float32), np.array([[3.0, 4.0], [0.6, 0.8]])
    )
    assert numbers == pytest.approx(
        {
            "max_abs": 0.6,
            "min_cosine": 0.8,
            "max_norm_error": 0.0,
            "descriptor_size": 2,
            "images": 2,
        },
        abs=1e-6,
    )


def test_a_length_that_is_not_one_shows_though_the_cosine_hides_it():
    numbers = parity.compare_descriptors(np.array([[0.0, 1.5]]), np.array([[0.0, 2.0]]))
    assert numbers["min_cosine"] == pytest.approx(1)
    assert numbers["max_norm_error"] == pytest.approx(0.5)
    with pytest.raises(parity.ParityError, match=r"at most 0\.0001, received 0\.5 "):
        parity.check_parity(numbers, 1e-4)
    parity.check_parity(numbers, 0.5)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_never_pass(value):
    numbers = parity.compare_descriptors(np.array([[value, 1.0]]), np.array([[0.0, 1.0]]))
    with pytest.raises(parity.ParityError, match="does not match"):
        parity.check_parity(numbers, 1e9)


def test_sizes_that_differ_are_named():
    with pytest.raises(parity.ParityError, match=r"\(3,\) as the Keras model.*received \(2,\)"):
        parity.compare_descriptors(np.ones((1, 2)), np.ones((1, 3)))


def test_probe_images_have_many_shapes_and_the_same_pixels_every_time():
    images = parity.probe_images(32)
    assert len({image.shape for image in images}) == len(images) >= 6
    assert all(image.dtype == np.uint8 and image.shape[2] == 3 for image in images)
    ratios = [image.shape[0] / image.shape[1] for image in images]
    assert min(ratios) < 0.05
    assert max(ratios) > 1
    for one, two in zip(images, parity.probe_images(32), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(images[0], parity.probe_images(32, seed=1)[0])


def test_tolerance_follows_the_precision_of_any_layer():
    def model(dtype):
        inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, dtype=dtype)])
        return keras.Sequential([keras.Input((4,)), inner])

    assert parity.default_tolerance(model("float32")) == parity.TOLERANCE_FLOAT32
    assert parity.default_tolerance(model("mixed_bfloat16")) == parity.TOLERANCE_MIXED
    assert parity.TOLERANCE_FLOAT32 < parity.TOLERANCE_MIXED


def test_no_images_is_an_error(tmp_path):
    with pytest.raises(ValueError, match="at least one image"):
        parity.measure_parity(tmp_path, None, [], image_size=8, mode="letterbox")
