"""OpenCV's 8-bit arithmetic against OpenCV itself."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.data import image_ops, opencv, transforms
from tests.torch_pictures import GIVEN, peer_pictures

PICTURE = GIVEN["picture"]


def test_resize_by_hand():
    """4 pixels to 2: each lies between two, both weights 1024 / 2048; 12.5 becomes 13."""
    row = np.repeat(np.uint8([[10, 15, 200, 101]])[..., np.newaxis], 3, axis=-1)
    np.testing.assert_array_equal(opencv.resize(row, (1, 2))[0, :, 0], [13, 151])
    np.testing.assert_array_equal(opencv.resize(row, (1, 4)), row)


def test_resize_equals_opencv_to_the_last_bit():
    theirs, start = peer_pictures()["opencv_resized"], 0
    for height, width in GIVEN["sizes"].tolist():
        expected = theirs[start : start + height * width * 3].reshape(height, width, 3)
        start += expected.size
        made = opencv.resize(tf.constant(PICTURE), (height, width))
        np.testing.assert_array_equal(made, expected)
        plain = image_ops.to_uint8(tf.image.resize(PICTURE, (height, width))).numpy()
        # What the mode "letterbox" makes: the exact formula, at most a level off.
        assert np.abs(plain.astype(int) - expected).max() <= 1
    assert start == theirs.size


def test_value_shift_equals_opencv_to_the_last_bit():
    for shift, expected in zip(GIVEN["shifts"], peer_pictures()["opencv_shifted"], strict=True):
        made = opencv.value_shift(tf.constant(PICTURE, tf.float32), float(shift))
        np.testing.assert_array_equal(made, expected)
        # What the policy "s1" makes: hue and saturation kept, not rounded to bytes.
        exact = transforms.value_shift(tf.constant(PICTURE, tf.float32), float(shift)).numpy()
        assert np.abs(exact - expected).max() < 8
        assert np.abs(exact - expected).mean() < 1.5


@pytest.mark.parametrize(
    ("colour", "shift", "expected"),
    [
        ((255, 0, 0), -60, (195, 0, 0)),
        ((0, 0, 200), 61, (0, 0, 255)),
        ((10, 10, 10), -60, (0, 0, 0)),
        ((0, 0, 0), 61, (61, 61, 61)),
        ((70, 70, 70), 30, (100, 100, 100)),
    ],
)
def test_value_shift_of_pure_colours_by_hand(colour, shift, expected):
    flat = tf.constant(np.full((2, 2, 3), colour), tf.float32)
    made = opencv.value_shift(flat, float(shift)).numpy()
    assert np.abs(made - np.array(expected)).max() <= 1  # cut off, so a level may be lost


def test_letterbox_opencv_is_that_resize_in_the_letterbox():
    for image in (PICTURE, PICTURE[:, :17], PICTURE[:3]):
        ours = image_ops.prepare(tf.constant(image), mode="letterbox_opencv", image_size=32)
        height, width = (max(side * 32 // max(image.shape[:2]), 1) for side in image.shape[:2])
        top, left = (32 - height) // 2, (32 - width) // 2
        inside = ours.numpy()[top : top + height, left : left + width]
        np.testing.assert_array_equal(inside, opencv.resize(image, (height, width)))
        assert ours.numpy().sum() == inside.sum()
