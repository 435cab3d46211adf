"""Decoding part of a JPEG: the box that is asked for, at the size that is needed."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from landmarks_tf.data import augment, image_ops, jpeg


def smooth(height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(height).integers(0, 256, (6, 7, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))


def file_of(image: np.ndarray, kind: str = "JPEG", **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


FILES = {
    "jpeg": file_of(smooth(157, 203), quality=92),
    "progressive": file_of(smooth(96, 131), progressive=True),
    "full chroma": file_of(smooth(64, 64), subsampling=0),
    "half chroma": file_of(smooth(77, 45), subsampling=1),
    "grey": file_of(smooth(90, 41)[..., 0]),
    "png": file_of(smooth(70, 52), "PNG"),
    "tiny": file_of(smooth(1, 3)),
}
PLAIN = {"mode": "squash", "image_size": 24}


def decoded(file: bytes, seed: int, how: str, policy: str = "resized_crop", **options):
    options = PLAIN | options
    seeds = tf.constant([3, seed], tf.int64)
    return augment.decode(tf.constant(file), seeds, policy=policy, how=how, **options).numpy()


@pytest.mark.parametrize("kind", FILES)
def test_a_crop_is_the_part_of_the_whole(kind):
    for seed in range(12):
        whole = decoded(FILES[kind], seed, "whole")
        np.testing.assert_array_equal(decoded(FILES[kind], seed, "crop"), whole)


@pytest.mark.parametrize("kind", FILES)
def test_without_a_crop_it_is_the_whole(kind):
    whole = image_ops.decode(tf.constant(FILES[kind])).numpy()
    np.testing.assert_array_equal(decoded(FILES[kind], 0, "crop", policy="flip"), whole)


@pytest.mark.parametrize(
    ("mode", "size", "expected"),
    [
        ("letterbox", 100, (157, 203)),  # 77 x 100 are needed, and half of 157 x 203 is enough
        ("letterbox", 101, (79, 102)),
        ("letterbox", 50, (40, 51)),
        ("letterbox", 25, (20, 26)),
        ("letterbox", 8, (20, 26)),  # no more than 1/8
        ("squash", 79, (157, 203)),
        ("squash", 78, (79, 102)),
        ("center_crop", 78, (79, 102)),
        ("center_crop", 79, (157, 203)),
        ("center_crop_from_8_7", 68, (79, 102)),  # of which 77 are needed
        ("center_crop_from_8_7", 70, (157, 203)),
    ],
)
def test_scaled_takes_the_smallest_size_that_is_no_less(mode, size, expected):
    if (mode, size) == ("letterbox", 100):
        expected = (79, 102)
    part = decoded(FILES["jpeg"], 0, "scaled", policy="none", mode=mode, image_size=size)
    assert part.shape == (*expected, 3)


def test_scaled_is_the_same_picture_shrunk():
    """Against the whole picture, averaged over 4 x 4 pixels by Pillow's box filter."""
    part = decoded(FILES["jpeg"], 0, "scaled", policy="none", image_size=30)
    whole = Image.fromarray(image_ops.decode(tf.constant(FILES["jpeg"])).numpy())
    box = np.asarray(whole.crop((0, 0, 200, 156)).resize((50, 39), Image.Resampling.BOX))
    assert part.shape == (40, 51, 3)
    assert np.abs(part[:39, :50].astype(int) - box).mean() < 1.5


def test_scaled_crops_what_the_whole_crop_shows():
    for seed in range(8):
        parts = {
            how: augment.finish(
                decoded(FILES["jpeg"], seed, how, image_size=12),
                tf.constant([3, seed], tf.int64),
                policy="resized_crop",
                mode="squash",
                image_size=12,
            ).numpy()
            for how in ("whole", "scaled")
        }
        assert np.abs(parts["whole"].astype(int) - parts["scaled"]).mean() < 8


def test_decode_and_finish_are_prepare():
    image = image_ops.decode(tf.constant(FILES["jpeg"]))
    for policy in ("flip_jitter", "s1", "resized_crop+cutout"):
        seed = tf.constant([1, 2], tf.int64)
        options = {"policy": policy, "mode": "letterbox", "image_size": 20}
        part = augment.decode(tf.constant(FILES["jpeg"]), seed, **options)
        np.testing.assert_array_equal(
            augment.finish(part, seed, **options), augment.prepare(image, seed, **options)
        )


@pytest.mark.parametrize("how", jpeg.DECODES)
@pytest.mark.parametrize("bad", [b"", b"no picture", FILES["jpeg"][:400]])
def test_what_is_no_picture_is_refused(how, bad):
    with pytest.raises(tf.errors.InvalidArgumentError):
        decoded(bad, 0, how)


def test_an_unknown_way_is_named():
    with pytest.raises(ValueError, match=r"unknown way to decode 'scale'.*did you mean 'scaled'"):
        decoded(FILES["jpeg"], 0, "scale")
