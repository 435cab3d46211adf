"""The cheap proof beside the two full decoders."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from tests.reference import gldv2
from tfrecords_tools.images import BadImageError, Reencoding, check_image, strict_decoding
from tfrecords_tools.jpeg_header import read_jpeg_header
from tfrecords_tools.proof import prove_image, trust_image


def _smooth(size=(96, 64)) -> Image.Image:
    """Not noise: a few coefficients a block, as photographs have."""
    x, y = np.meshgrid(np.arange(size[0]), np.arange(size[1]))
    planes = [127 + 120 * np.sin(x / a + y / b) for a, b in ((9, 23), (31, 7), (5, 41))]
    return Image.fromarray(np.stack(planes, -1).astype(np.uint8))


def _jpeg(**options) -> bytes:
    target = io.BytesIO()
    _smooth().save(target, "JPEG", **options)
    return target.getvalue()


PICTURES = {
    "baseline": _jpeg(quality=80),
    "444": _jpeg(quality=90, subsampling=0),
    "progressive": _jpeg(quality=80, progressive=True),
    "restarts": _jpeg(quality=80, restart_marker_blocks=2),
    "noise": gldv2.picture("n", size=(90, 50)),
    "tiny": gldv2.picture("t", size=(3, 2)),
    "thin": gldv2.picture("i", size=(300, 1)),
    "grey": gldv2.picture("g", mode="L"),
    "cmyk": gldv2.picture("c", mode="CMYK"),
    "png": gldv2.picture("p", mode="P", fmt="PNG"),
}


def _verdict(check, data) -> str:
    try:
        image = check(data)
    except BadImageError as error:
        return str(error)
    return f"{image.format} {image.height} x {image.width}"


@pytest.mark.parametrize("name", PICTURES)
def test_whole_pictures_pass_with_their_bytes(name):
    image = prove_image(PICTURES[name])
    assert image == check_image(PICTURES[name])
    assert image.data is PICTURES[name]
    assert trust_image(PICTURES[name]) == image


def _damaged(data: bytes, generator: np.random.Generator) -> bytes:
    """A bit flipped, a piece zeroed, cut out, swapped or put in; or the end cut off."""
    kind = generator.integers(6)
    place = int(generator.integers(len(data)))
    size = int(generator.integers(1, 40))
    if kind == 0:
        changed = bytearray(data)
        changed[place] ^= 1 << int(generator.integers(8))
        return bytes(changed)
    if kind == 1:
        return data[:place] + bytes(size) + data[place + size :]
    if kind == 2:
        return data[:place] + data[place + size :]
    if kind == 3:
        return data[:place] + generator.bytes(size) + data[place + size :]
    if kind == 4:
        return data[:place] + b"\xff" + bytes([int(generator.integers(256))]) + data[place:]
    return data[:place]


@pytest.mark.parametrize("name", ["baseline", "444", "progressive", "restarts", "noise", "grey"])
def test_the_verdict_is_that_of_the_full_decoders(name):
    """Also the words: what fails the cheap proof is told by them."""
    generator = np.random.default_rng(len(name))
    rejected = 0
    with strict_decoding():
        for _ in range(150):
            data = _damaged(PICTURES[name], generator)
            full = _verdict(check_image, data)
            assert _verdict(prove_image, data) == full
            rejected += " x " not in full
    assert rejected > 10


def test_every_cut_is_noticed():
    """Whatever is missing at the end, up to the marker of the end, is pixels that are missing."""
    data = PICTURES["baseline"]
    for size in range(len(data) - 60, len(data) - 2):
        assert _verdict(prove_image, data[:size]) == _verdict(check_image, data[:size])
    with pytest.raises(BadImageError, match="truncated"):
        prove_image(data[: len(data) // 2])


def test_ordinary_pictures_never_reach_the_full_decoders(monkeypatch):
    def fail(data, reencoding=None):
        raise AssertionError("decoded in full")

    monkeypatch.setattr("tfrecords_tools.proof.check_image", fail)
    for name in ("baseline", "444", "progressive", "restarts", "tiny", "thin", "grey"):
        prove_image(PICTURES[name])
        prove_image(PICTURES[name], Reencoding(200, 90))
    for name in ("cmyk", "png"):
        with pytest.raises(AssertionError, match="decoded in full"):
            prove_image(PICTURES[name])
        with pytest.raises(AssertionError, match="decoded in full"):
            trust_image(PICTURES[name])


def test_a_picture_that_is_written_anew_is_decoded():
    image = prove_image(PICTURES["baseline"], Reencoding(32, 80))
    assert (image.height, image.width) == (32, 48)


def test_trust_does_not_look_past_the_header():
    data = PICTURES["baseline"]
    assert trust_image(data[: len(data) // 2]).height == 64
    with pytest.raises(BadImageError, match="not an image"):
        trust_image(b"<html>404</html>")


def test_a_picture_of_too_many_pixels_is_not_decoded():
    data = bytearray(PICTURES["baseline"])
    place = data.index(b"\xff\xc0")
    data[place + 5 : place + 9] = b"\xff\x00\xff\x00"  # 65,280 x 65,280
    assert read_jpeg_header(bytes(data)).height == 65_280
    with strict_decoding(), pytest.raises(BadImageError, match="too large: more than 100000000"):
        prove_image(bytes(data))
    with strict_decoding(), pytest.raises(BadImageError, match="too large"):
        trust_image(bytes(data))
