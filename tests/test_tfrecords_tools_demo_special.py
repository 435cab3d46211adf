"""Unusual and unreadable files, opened with Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from tfrecords_tools.demo.plan import CORRUPT_KINDS, READABLE_KINDS, generator
from tfrecords_tools.demo.special import encode


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
    return small.resize((200, 150), Image.BICUBIC)


def opened(picture, kind) -> Image.Image:
    image = Image.open(io.BytesIO(encode(generator(0, 1), picture, kind)))
    image.load()
    return image


def test_ordinary_files_are_rgb_jpegs_that_look_like_the_picture(picture):
    image = opened(picture, None)
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (200, 150))
    error = np.asarray(image, float) - np.asarray(picture, float)
    assert np.abs(error).mean() < 12


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("grey", ("JPEG", "L", (200, 150))),
        ("cmyk", ("JPEG", "CMYK", (200, 150))),
        ("png", ("PNG", "RGB", (200, 150))),
        ("panorama", ("JPEG", "RGB", (288, 32))),
        ("strip", ("JPEG", "RGB", (10, 240))),
    ],
)
def test_readable_kinds_are_what_they_claim(picture, kind, expected):
    image = opened(picture, kind)
    assert (image.format, image.mode, image.size) == expected


def test_cmyk_keeps_its_colours(picture):
    error = np.asarray(opened(picture, "cmyk").convert("RGB"), float) - np.asarray(picture, float)
    assert np.abs(error).mean() < 20


def test_a_truncated_file_begins_as_a_jpeg_and_does_not_decode(picture):
    content = encode(generator(0, 1), picture, "truncated")
    assert content[:2] == b"\xff\xd8"
    assert content[-2:] != b"\xff\xd9"
    with pytest.raises(OSError, match="truncated"):
        Image.open(io.BytesIO(content)).load()


def test_an_empty_file_has_no_bytes(picture):
    assert encode(generator(0, 1), picture, "empty") == b""


def test_not_an_image_is_a_web_page(picture):
    content = encode(generator(0, 1), picture, "not_an_image")
    assert content.startswith(b"<!DOCTYPE html>")
    with pytest.raises(UnidentifiedImageError):
        Image.open(io.BytesIO(content))


def test_all_kinds_of_the_census_can_be_encoded(picture):
    for kind in (*CORRUPT_KINDS, *READABLE_KINDS):
        assert isinstance(encode(generator(0, 1), picture, kind), bytes)


def test_an_unknown_kind_is_refused(picture):
    with pytest.raises(ValueError, match="Unknown kind of file: 'tiff'"):
        encode(generator(0, 1), picture, "tiff")
