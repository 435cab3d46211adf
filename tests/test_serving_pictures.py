"""What an upload may be, and the answer to everything else."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from landmarks_tf.serving.pictures import PictureError, decode_upload, shrink
from tests.tiny_serving import drawn, encoded


def refusal(content, **options):
    with pytest.raises(PictureError) as caught:
        decode_upload(content, **options)
    return caught.value.status, str(caught.value)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_colours_arrive_as_they_are(kind):
    picture = decode_upload(encoded(Image.new("RGB", (30, 20), (200, 40, 90)), kind))
    assert picture.shape == (20, 30, 3)
    assert picture.dtype == np.uint8
    np.testing.assert_allclose(picture[10, 15], (200, 40, 90), atol=4)


@pytest.mark.parametrize(
    ("mode", "colour", "kind", "expected"),
    [
        ("L", 77, "JPEG", (77, 77, 77)),
        ("CMYK", (0, 255, 255, 0), "JPEG", (255, 0, 0)),
        ("1", 1, "PNG", (255, 255, 255)),
        ("RGBA", (200, 0, 0, 0), "PNG", (255, 255, 255)),  # transparent: the ground shows
        ("RGBA", (200, 0, 0, 255), "WEBP", (200, 0, 0)),
        ("LA", (9, 255), "PNG", (9, 9, 9)),
    ],
)
def test_every_mode_becomes_rgb(mode, colour, kind, expected):
    picture = decode_upload(encoded(Image.new(mode, (12, 8), colour), kind))
    assert picture.shape == (8, 12, 3)
    np.testing.assert_allclose(picture[4, 6], expected, atol=4)


def test_palette_with_transparency():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 200, 30])
    opaque = decode_upload(encoded(image, "PNG", transparency=0))
    clear = decode_upload(encoded(image, "PNG", transparency=b"\xff\x00"))
    assert tuple(opaque[0, 0]) == (10, 200, 30)
    assert tuple(clear[0, 0]) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_camera_held_any_way_gives_an_upright_picture(orientation):
    upright = drawn((200, 40, 30), size=(64, 48))
    # How the sensor saw it: the inverse of what a viewer does for this orientation.
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    seen = upright.transpose(inverse[orientation]) if orientation in inverse else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = decode_upload(encoded(seen, "JPEG", exif=exif, quality=95))
    assert picture.shape == (48, 64, 3)
    difference = np.abs(picture.astype(int) - np.asarray(upright).astype(int))
    assert difference.mean() < 3


def test_no_picture_at_all():
    assert refusal(b"") == (415, "The file is empty; send a JPEG, PNG or WebP picture.")
    for content in (b"hello", b"%PDF-1.7", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"):
        status, message = refusal(content)
        assert status == 415, content
        assert "not a JPEG, PNG or WebP" in message
    assert refusal(encoded(drawn((1, 2, 3)), "GIF"))[0] == 415
    assert refusal(encoded(drawn((1, 2, 3)), "TIFF"))[0] == 415


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_cut_short(kind):
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    status, message = refusal(whole[: len(whole) // 2])
    assert status in (415, 422)
    assert "damaged or was cut short" in message or "header is broken" in message


def png_of_claimed_size(width, height):
    """A few bytes whose header claims a huge picture."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(b"\0" * 100_000)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body)


@pytest.mark.parametrize("side", [7_000, 10_000, 60_000])
def test_a_bomb_is_refused_by_its_header(side):
    """Below Pillow's own warning, above it, and above its error."""
    status, message = refusal(png_of_claimed_size(side, side))
    assert status == 413
    assert "at most 40 megapixels" in message
    assert refusal(encoded(drawn((1, 2, 3))), max_pixels=64 * 48 - 1)[0] == 413
    assert decode_upload(encoded(drawn((1, 2, 3))), max_pixels=64 * 48).shape == (48, 64, 3)


def test_an_animation_gives_its_first_frame():
    frames = [Image.new("RGB", (10, 10), c) for c in ((250, 0, 0), (0, 0, 250))]
    content = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    np.testing.assert_allclose(decode_upload(content)[5, 5], (250, 0, 0), atol=4)


def test_shrink_makes_a_small_jpeg():
    small = Image.open(io.BytesIO(shrink(encoded(Image.new("RGB", (800, 200))), 320)))
    assert (small.format, small.size) == ("JPEG", (320, 80))
    with pytest.raises(PictureError, match="not a JPEG"):
        shrink(b"x", 320)
