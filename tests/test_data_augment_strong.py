"""RandAugment and TrivialAugment: fourteen changes, their ranges against Pillow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from landmarks_tf.data.augment import strong
from tests.test_data_augment import many, picture

RANGES = {"rand": strong.RAND, "trivial": strong.TRIVIAL}


def changed(name: str, image, sign: float, strength: float, ranges=strong.RAND) -> np.ndarray:
    """One change as `_any_change` would choose it: by a draw in the middle of its share."""
    which = (list(strong.CHANGES).index(name) + 0.5) / len(strong.CHANGES)
    which, sign = tf.constant(which, tf.float32), tf.constant(0.9 if sign > 0 else 0.1)
    made = strong._any_change(tf.constant(image, tf.float32), which, sign, strength, ranges)
    return made.numpy()


def test_there_are_the_papers_fourteen():
    by_tone = ["auto_contrast", "equalize", "posterize", "solarize"]
    by_place = ["rotate", "shear_x", "shear_y", "translate_x", "translate_y"]
    enhancing = ["brightness", "color", "contrast", "sharpness"]
    assert sorted(strong.CHANGES) == sorted(["identity", *by_tone, *by_place, *enhancing])


@pytest.mark.parametrize("ranges", RANGES)
def test_no_strength_changes_nothing(ranges):
    image = picture(20, 22)
    for name in strong.CHANGES:
        if name not in ("auto_contrast", "equalize"):
            ours = changed(name, image, 1, 0.0, RANGES[ranges])
            np.testing.assert_allclose(ours, image, atol=1e-3, err_msg=name)


def by_pillow(name: str, image: Image.Image, signed: float, wide: bool) -> np.ndarray:
    """The same change by Pillow, its parameters as the papers' tables give them."""
    enhancers = {
        "color": ImageEnhance.Color,
        "contrast": ImageEnhance.Contrast,
        "brightness": ImageEnhance.Brightness,
        "sharpness": ImageEnhance.Sharpness,
    }
    if name in enhancers:
        return np.asarray(enhancers[name](image).enhance(1 + signed * (0.99 if wide else 0.9)))
    if name == "rotate":
        degrees = signed * (135 if wide else 30)
        return np.asarray(image.rotate(-degrees, Image.Resampling.BILINEAR))
    shear = signed * (0.99 if wide else 0.3)
    across, down = (signed * (32 if wide else 150 / 331 * side) for side in image.size)
    rows = {
        "shear_x": (1, shear, 0, 0, 1, 0),
        "shear_y": (1, 0, 0, shear, 1, 0),
        "translate_x": (1, 0, across, 0, 1, 0),
        "translate_y": (1, 0, 0, 0, 1, down),
    }[name]
    affine = Image.Transform.AFFINE
    return np.asarray(image.transform(image.size, affine, rows, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("ranges", RANGES)
@pytest.mark.parametrize("sign", [-1, 1])
def test_changes_at_a_strength_agree_with_pillow(sign, ranges):
    image = picture(48, 60)
    for name in strong.CHANGES:
        if name in ("identity", "auto_contrast", "equalize", "solarize", "posterize"):
            continue
        for strength in (0.3, 1.0):
            ours = changed(name, image, sign, strength, RANGES[ranges])
            signed = sign * strength
            theirs = by_pillow(name, Image.fromarray(image), signed, ranges == "trivial")
            off = np.abs(ours - theirs.astype(int)).max(-1) > 2.5
            # Pillow leaves out what is half outside, at the border of a moved picture.
            moved = name.split("_")[0] in ("rotate", "shear", "translate")
            assert off.mean() <= (0.06 if moved else 0), (name, strength)


def test_solarize_and_posterize_at_a_strength():
    """AutoAugment: at most everything is inverted, and 4 of 8 bits are kept (wide: 2)."""
    image = picture(20, 22)
    np.testing.assert_array_equal(changed("solarize", image, 1, 1.0), 255 - image.astype(int))
    half = np.where(image < 128, image, 255 - image.astype(int))
    np.testing.assert_array_equal(changed("solarize", image, 1, 0.5), half)
    np.testing.assert_array_equal(changed("posterize", image, 1, 1.0), image & 0xF0)
    np.testing.assert_array_equal(changed("posterize", image, 1, 0.25), image & 0xFE)
    wide = changed("posterize", image, 1, 1.0, strong.TRIVIAL)
    np.testing.assert_array_equal(wide, image & 0xC0)


def test_rand_augment_makes_n_changes_of_strength_m():
    """In one grey only brightness shows in the middle; it tells how many and how strong.

    Solarized at 128 a grey of 100 stays, posterized to 6 bits too; brightness goes by 0.45.
    """
    grey = np.full((12, 12, 3), 100, np.uint8)
    once = many(grey, 700, "rand_augment:1:5", mode="squash", image_size=12)[:, 6, 6, 0]
    assert set(np.unique(once)) == {55, 100, 145}
    assert (once != 100).mean() == pytest.approx(1 / 14, abs=0.03)
    twice = many(grey, 700, "rand_augment:2:5", mode="squash", image_size=12)[:, 6, 6, 0]
    # Also what a change leaves black can be stretched by the next; brightness may come twice.
    assert (twice != 100).mean() > 1 - (13 / 14) ** 2 - 0.03
    assert set(np.unique(twice)) & {30, 80, 210}


def test_trivial_augment_makes_one_change_of_any_strength():
    grey = np.full((12, 12, 3), 100, np.uint8)
    made = many(grey, 1500, "trivial_augment", mode="squash", image_size=12)[:, 6, 6, 0]
    shares = np.unique(made)
    assert shares.min() <= 5 and shares.max() >= 190  # brightness by 0.99 either way
    assert len(shares) > 40
