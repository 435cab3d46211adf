"""One way from bytes to a picture: evaluation's own, seeded by sample, checked at once."""

from __future__ import annotations

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from landmarks_tf.data import image_ops
from landmarks_tf.data.preparation import Preparation


def encoded() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((80, 60), Image.Resampling.BICUBIC).save(stream, "JPEG")
    return stream.getvalue()


def made(sample: int, **settings) -> np.ndarray:
    preparation = Preparation(**{"image_size": 32, **settings})
    sample = tf.constant(sample, tf.int64)
    picture = preparation.decode(tf.constant(encoded()), sample)
    return preparation.finish(picture, sample).numpy()


def test_without_augmentation_it_is_what_evaluation_sees():
    opened = np.asarray(Image.open(io.BytesIO(encoded())))
    for mode in ("letterbox", "squash"):
        expected = image_ops.prepare(opened, mode=mode, image_size=32)
        np.testing.assert_array_equal(made(7, mode=mode), expected)


def test_a_sample_is_the_same_again_and_another_is_another():
    first = made(3, augment="s1", seed=5)
    np.testing.assert_array_equal(first, made(3, augment="s1", seed=5))
    assert (first != made(4, augment="s1", seed=5)).any()
    assert (first != made(3, augment="s1", seed=6)).any()


def test_seeds_are_any_whole_numbers():
    np.testing.assert_array_equal(
        made(3, augment="s1", seed=2**64 + 5), made(3, augment="s1", seed=5)
    )
    made(3, augment="s1", seed=-(2**63))


def test_mistakes_are_named_at_once():
    with pytest.raises(ValueError, match="unknown resize mode 'squish'"):
        Preparation(32, mode="squish")
    with pytest.raises(ValueError, match="unknown augmentation 'nothing'"):
        Preparation(32, augment="nothing")
    with pytest.raises(ValueError, match="seed must be a whole number, got True"):
        Preparation(32, seed=True)
    with pytest.raises(ValueError, match="positive whole number of pixels, got 0"):
        Preparation(0)
