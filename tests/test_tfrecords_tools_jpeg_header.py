from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.reference import gldv2
from tfrecords_tools.jpeg_header import JpegHeader, read_jpeg_header


def _jpeg(mode="RGB", size=(40, 24), **options) -> bytes:
    target = io.BytesIO()
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).convert(mode).save(
        target, "JPEG", **options
    )
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "frame", "sampling", "ordinary"),
    [
        (_jpeg(), 0xC0, ((2, 2), (1, 1), (1, 1)), True),
        (_jpeg(subsampling=0), 0xC0, ((1, 1), (1, 1), (1, 1)), True),
        (_jpeg(subsampling=1), 0xC0, ((2, 1), (1, 1), (1, 1)), True),
        (_jpeg(progressive=True), 0xC2, ((2, 2), (1, 1), (1, 1)), True),
        (_jpeg("L"), 0xC0, ((1, 1),), True),
        (_jpeg("CMYK"), 0xC0, ((1, 1),) * 4, False),
    ],
)
def test_what_pillow_wrote(data, frame, sampling, ordinary):
    header = read_jpeg_header(data)
    assert header == JpegHeader(24, 40, frame, 8, sampling)
    assert header.is_ordinary == ordinary


def test_a_thumbnail_in_the_metadata_is_not_the_picture():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = _jpeg(exif=exif, comment=b"\xff\xc0" + b"x" * 30)
    thumbnail = _jpeg(size=(8, 8))
    segment = b"\xff\xe2" + (len(thumbnail) + 2).to_bytes(2) + thumbnail
    header = read_jpeg_header(data[:2] + segment + b"\xff\xff" + data[3:])
    assert (header.height, header.width) == (24, 40)


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"<html>", gldv2.picture("x", mode="P", fmt="PNG"), _jpeg()[:30]]
)
def test_no_header(data):
    assert read_jpeg_header(data) is None


@given(st.binary(max_size=80))
def test_other_bytes_are_told_apart_without_an_error(data):
    assert read_jpeg_header(b"\xff\xd8\xff" + data) is None or len(data) >= 8


@pytest.mark.parametrize(("components", "there"), [(255, True), (256, False)])
def test_a_frame_header_longer_than_any(components, there):
    frame = b"\x08" + b"\x00\x10" * 2 + bytes([components % 256]) + b"\x01\x11\x00" * components
    data = b"\xff\xd8\xff\xc0" + (len(frame) + 2).to_bytes(2) + frame + bytes(70_000)
    assert (read_jpeg_header(data) is not None) == there


@pytest.mark.parametrize("frame", [0xC1, 0xC3, 0xC9])
def test_rare_kinds_are_not_ordinary(frame):
    data = bytearray(_jpeg())
    place = data.index(b"\xff\xc0")
    data[place + 1] = frame
    header = read_jpeg_header(bytes(data))
    assert (header.frame, header.is_ordinary) == (frame, False)
    twelve = bytearray(_jpeg())
    twelve[place + 4] = 12
    assert not read_jpeg_header(bytes(twelve)).is_ordinary
