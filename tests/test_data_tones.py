"""Tones and sharpness against Pillow, and against torchvision where it differs from neither."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance, ImageOps

from landmarks_tf.data import tones
from tests.torch_pictures import GIVEN, peer_pictures

PICTURE = GIVEN["picture"]


def made(change, image, *parameters) -> np.ndarray:
    return change(tf.constant(image, tf.float32), *parameters).numpy()


def narrow(seed: int) -> np.ndarray:
    """A small picture whose channels use different parts of 0..255, one of them a single level."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 200, 3)
    return np.stack(
        [rng.integers(at, at + width, (9, 11)) for at, width in zip(low, (1, 5, 56), strict=True)],
        -1,
    ).astype(np.uint8)


@given(seed=st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_auto_contrast_and_equalize_equal_pillow(seed):
    image = narrow(seed)
    pillow = Image.fromarray(image)
    np.testing.assert_array_equal(made(tones.auto_contrast, image), ImageOps.autocontrast(pillow))
    np.testing.assert_array_equal(made(tones.equalize, image), ImageOps.equalize(pillow))


def test_they_equal_torchvision_on_a_picture():
    theirs = peer_pictures()
    np.testing.assert_array_equal(made(tones.auto_contrast, PICTURE), theirs["auto_contrast"][0])
    np.testing.assert_array_equal(made(tones.equalize, PICTURE), theirs["equalize"][0])
    for bits, expected in zip(GIVEN["bits"], theirs["posterize"], strict=True):
        np.testing.assert_array_equal(made(tones.posterize, PICTURE, int(bits)), expected)
    for level, expected in zip(GIVEN["thresholds"], theirs["solarize"], strict=True):
        np.testing.assert_array_equal(made(tones.solarize, PICTURE, float(level)), expected)
    for factor, expected in zip(GIVEN["factors"], theirs["sharpness"], strict=True):
        sharp = made(tones.sharpness, PICTURE, float(factor))
        assert np.abs(sharp - expected).max() <= 1  # theirs is rounded to bytes


@pytest.mark.parametrize("factor", [0.0, 0.1, 1.0, 1.9])
@pytest.mark.parametrize("size", [(12, 9), (3, 3), (2, 9), (1, 1)])
def test_sharpness_agrees_with_pillow(factor, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    expected = np.asarray(ImageEnhance.Sharpness(Image.fromarray(image)).enhance(factor))
    assert np.abs(made(tones.sharpness, image, factor) - expected.astype(int)).max() <= 1


def test_by_hand():
    row = np.array([[0, 100, 127, 128, 200, 255]], np.uint8)[..., np.newaxis].repeat(3, -1)
    np.testing.assert_array_equal(
        made(tones.solarize, row, 128)[0, :, 0], [0, 100, 127, 127, 55, 0]
    )
    np.testing.assert_array_equal(made(tones.posterize, row, 1)[0, :, 0], [0, 0, 0, 128, 128, 128])
    np.testing.assert_array_equal(made(tones.posterize, row, 8), row)
