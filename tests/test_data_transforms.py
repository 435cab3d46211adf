"""Image transforms against Pillow, colorsys and matrices put together by hand."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from landmarks_tf.data import image_ops, transforms
from tests.torch_pictures import GIVEN, peer_pictures


def picture(height: int = 40, width: int = 56, seed: int = 0) -> np.ndarray:
    """A smooth coloured picture, (H, W, 3) uint8."""
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def as_float(image: np.ndarray) -> tf.Tensor:
    return tf.constant(image, tf.float32)


@pytest.mark.parametrize("factor", [0.0, 0.6, 1.0, 1.4, 3.0])
@pytest.mark.parametrize(
    "ours,pillow",
    [
        (transforms.brightness, ImageEnhance.Brightness),
        (transforms.contrast, ImageEnhance.Contrast),
        (transforms.saturation, ImageEnhance.Color),
    ],
)
def test_enhancements_agree_with_pillow(ours, pillow, factor):
    image = picture()
    expected = np.asarray(pillow(Image.fromarray(image)).enhance(factor)).astype(float)
    np.testing.assert_allclose(ours(as_float(image), factor), expected, atol=2.0)


def by_pixel(image: np.ndarray, change) -> np.ndarray:
    """Applies `change(h, s, v) -> (h, s, v)`, all 0..1, to each pixel through colorsys."""
    out = np.zeros(image.shape)
    for i, j in np.ndindex(image.shape[:2]):
        hsv = change(*colorsys.rgb_to_hsv(*(image[i, j] / 255.0)))
        out[i, j] = np.array(colorsys.hsv_to_rgb(*hsv)) * 255.0
    return out


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.13, 0.5])
def test_hue_agrees_with_colorsys(turn):
    image = picture(12, 15)
    expected = by_pixel(image, lambda h, s, v: ((h + turn) % 1.0, s, v))
    np.testing.assert_allclose(transforms.hue(as_float(image), turn), expected, atol=0.1)


@given(shift=st.integers(-255, 255), seed=st.integers(0, 5))
@settings(max_examples=30, deadline=None)
def test_value_shift_agrees_with_colorsys(shift, seed):
    image = picture(6, 7, seed).copy()
    image[0, 0], image[0, 1], image[0, 2] = 0, 255, (0, 9, 200)
    expected = by_pixel(image, lambda h, s, v: (h, s, min(max(v + shift / 255, 0.0), 1.0)))
    ours = transforms.value_shift(as_float(image), float(shift))
    np.testing.assert_allclose(ours, expected, atol=1e-2)


def forward_matrix(angle, translation, scale, shear, height, width) -> np.ndarray:
    """Where the continuous point (x, y) of the picture goes, put together step by step."""
    to_centre, back = np.eye(3), np.eye(3)
    to_centre[:2, 2] = -width / 2, -height / 2
    back[:2, 2] = width / 2 + translation[0], height / 2 + translation[1]
    cosine, sine = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    rotation = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    shearing = np.array([[1, -np.tan(np.radians(shear)), 0], [0, 1, 0], [0, 0, 1]])
    return back @ rotation @ shearing @ np.diag([scale, scale, 1]) @ to_centre


@pytest.mark.parametrize(
    "angle,translation,scale,shear",
    [
        (0.0, (0.0, 0.0), 1.0, 0.0),
        (0.0, (7.0, -4.0), 1.0, 0.0),
        (15.0, (0.0, 0.0), 1.0, 0.0),
        (0.0, (0.0, 0.0), 0.8, 0.0),
        (0.0, (0.0, 0.0), 1.0, -15.0),
        (-11.0, (5.0, 8.0), 1.2, 9.0),
    ],
)
def test_affine_agrees_with_pillow(angle, translation, scale, shear):
    image = picture(61, 80)
    inverse = np.linalg.inv(forward_matrix(angle, translation, scale, shear, 61, 80))
    expected = np.asarray(
        Image.fromarray(image).transform(
            (80, 61), Image.Transform.AFFINE, inverse[:2].ravel(), Image.Resampling.BILINEAR
        )
    ).astype(float)
    ours = transforms.affine(
        as_float(image),
        angle_degrees=angle,
        translation_px=translation,
        scale=scale,
        shear_degrees=shear,
    ).numpy()
    x, y = np.meshgrid(np.arange(80) + 0.5, np.arange(61) + 0.5)
    source = np.einsum("ij,jhw->ihw", inverse, np.stack([x, y, np.ones_like(x)]))
    inside = (source[0] > 1) & (source[0] < 79) & (source[1] > 1) & (source[1] < 60)
    outside = (source[0] < -1) | (source[0] > 81) | (source[1] < -1) | (source[1] > 62)
    assert inside.mean() > 0.5
    assert np.abs(ours - expected)[inside].max() <= 1.5  # Pillow rounds to whole levels
    assert ours[outside].max(initial=0) == 0


def test_affine_turns_clockwise():
    """A white dot right of the centre goes below it at 90 degrees."""
    image = np.zeros((9, 9, 3), np.uint8)
    image[4, 7] = 255
    turned = transforms.affine(
        as_float(image), angle_degrees=90.0, translation_px=(0.0, 0.0), scale=1.0, shear_degrees=0.0
    ).numpy()
    np.testing.assert_allclose(turned[7, 4], 255, atol=0.1)
    assert turned.sum() == pytest.approx(3 * 255, abs=1)


def test_crop_by_hand():
    image = tf.reshape(tf.range(4 * 5 * 3), (4, 5, 3))
    part = transforms.crop(image, (1, 2, 3, 2)).numpy()
    np.testing.assert_array_equal(part, image.numpy()[1:4, 2:4])


@pytest.mark.parametrize(
    ("angle", "shift", "shear", "zoom"),
    [
        (15.0, (0.0, 0.0), 0.0, (1.0, 1.0)),
        (0.0, (3.5, -6.0), 0.0, (1.0, 1.0)),
        (0.0, (0.0, 0.0), -12.0, (1.0, 1.0)),
        (0.0, (0.0, 0.0), 0.0, (0.8, 1.2)),
        (-9.0, (5.2, 7.0), 14.0, (1.15, 0.83)),
    ],
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Keras' own call of SciPy
def test_keras_affine_is_keras_own(angle, shift, shear, zoom):
    from keras.src.legacy.preprocessing.image import apply_affine_transform

    image = picture(40, 40)
    theirs = apply_affine_transform(
        image.astype(np.float32),
        theta=angle, tx=shift[0], ty=shift[1], shear=shear, zx=zoom[0], zy=zoom[1],
        row_axis=0, col_axis=1, channel_axis=2,
    )  # fmt: skip
    ours = transforms.keras_affine(
        as_float(image), angle_degrees=angle, shift_px=shift, shear_degrees=shear, zoom=zoom
    )
    np.testing.assert_allclose(ours, theirs, atol=0.1)


def test_from_where_is_pillows_affine():
    image = picture(40, 56)
    rows = ((0.9, 0.2, -3.0), (-0.1, 1.1, 4.0))
    theirs = np.asarray(
        Image.fromarray(image).transform(
            (56, 40), Image.Transform.AFFINE, (*rows[0], *rows[1]), Image.Resampling.BILINEAR
        )
    ).astype(float)
    ours = transforms.from_where(as_float(image), rows).numpy()
    x, y = np.meshgrid(np.arange(56) + 0.5, np.arange(40) + 0.5)
    source = [a * x + b * y + c for a, b, c in rows]
    inside = (source[0] > 1) & (source[0] < 55) & (source[1] > 1) & (source[1] < 39)
    assert inside.mean() > 0.5
    assert np.abs(ours - theirs)[inside].max() <= 1.5


def test_they_are_torchvisions_on_a_picture():
    """To a level or two: torchvision on Pillow's pictures rounds to bytes."""
    theirs, image = peer_pictures(), as_float(GIVEN["picture"])
    for row, expected in zip(GIVEN["affines"], theirs["affine"], strict=True):
        angle, right, down, scale, shear = map(float, row)
        ours = transforms.affine(
            image,
            angle_degrees=angle,
            translation_px=(right, down),
            scale=scale,
            shear_degrees=shear,
        ).numpy()
        off = np.abs(ours - expected).max(-1) > 2
        assert off.mean() < 0.04  # Pillow leaves out what is half outside
    for turn, expected in zip(GIVEN["turns"], theirs["hue"], strict=True):
        difference = np.abs(transforms.hue(image, float(turn)).numpy() - expected)
        assert difference.mean() < 3  # Pillow's hue is a byte
    for box, expected in zip(GIVEN["boxes"].tolist(), theirs["resized_crop"], strict=True):
        part = transforms.crop(GIVEN["picture"], box)
        ours = image_ops.resample(part, (61, 96), (61, 96), antialias=True).numpy()
        assert np.abs(ours - expected).max() <= 1
