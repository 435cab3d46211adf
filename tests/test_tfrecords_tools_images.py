from __future__ import annotations

import errno
import io
import os
import struct
import warnings

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.reference.gldv2 import picture
from tfrecords_tools import images
from tfrecords_tools.images import (
    BadImageError,
    Reencoding,
    check_image,
    read_file,
    strict_decoding,
)


@pytest.fixture
def put(tmp_path):
    """Writes bytes to a file and returns its path."""

    def write(data: bytes):
        path = tmp_path / "image.jpg"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.parametrize(
    ("mode", "fmt"),
    [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG")]
    + [(mode, "PNG") for mode in ("RGB", "L", "P", "1", "RGBA", "LA")],
)
def test_every_kind_of_picture_is_kept_byte_for_byte(put, mode, fmt):
    data = picture("a", mode=mode, fmt=fmt)
    loaded = check_image(read_file(put(data)))
    assert loaded.data == data
    assert (loaded.format, loaded.height, loaded.width) == (fmt, 16, 24)


@pytest.mark.parametrize("size", [(1, 1), (3000, 1), (1, 3000)])
def test_extreme_aspect_ratios_are_kept(put, size):
    loaded = check_image(read_file(put(picture("a", size=size))))
    assert (loaded.width, loaded.height) == size


def _header(data: bytes, height: int, width: int) -> bytes:
    """A JPEG whose header claims another size."""
    place = data.index(b"\xff\xc0")  # start of frame, baseline
    return data[: place + 5] + struct.pack(">HH", height, width) + data[place + 9 :]


JPEG, PNG = picture("a"), picture("a", fmt="PNG")


def _encoded(fmt: str) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (8, 8)).save(target, fmt)
    return target.getvalue()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (JPEG[: len(JPEG) // 2], "truncated: "),
        (JPEG[:-20], "truncated: "),
        (JPEG[:30], "truncated: "),
        (PNG[: len(PNG) // 2], "truncated: "),
        # Pillow accepts a PNG without its end, TensorFlow does not.
        (PNG[:-12], "undecodable: TensorFlow: Invalid PNG data"),
        (b"<html>404</html>", "not an image"),
        (bytes(500), "not an image"),
        (_encoded("GIF"), "unsupported format: GIF is neither JPEG nor PNG"),
        (_encoded("BMP"), "unsupported format: BMP"),
        (_encoded("WEBP"), "unsupported format: WebP"),
        (_encoded("TIFF"), "unsupported format: TIFF"),
        (_header(JPEG, 60_000, 60_000), "too large: more than 100000000 pixels"),
        (_header(JPEG, 11_000, 11_000), "too large: more than 100000000 pixels"),
        (_header(JPEG, 0, 24), "not an image"),
    ],
)
def test_bad_bytes_have_a_reason(put, data, reason):
    with strict_decoding(), pytest.raises(BadImageError) as caught:
        check_image(read_file(put(data)))
    assert str(caught.value).startswith(reason)
    assert "\n" not in str(caught.value)


def test_the_limit_of_size_holds_without_strict_decoding():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(BadImageError, match="too large"):
            check_image(_header(JPEG, 11_000, 11_000))


def test_strict_decoding_gives_the_settings_back():
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    with strict_decoding():
        assert Image.MAX_IMAGE_PIXELS == images.MAX_PIXELS
    assert limit == Image.MAX_IMAGE_PIXELS
    assert warnings.filters == filters


def test_damage_anywhere_is_found_or_harmless():
    """Whatever is done to the bytes: an image that TensorFlow decodes, or a BadImageError."""
    generator = np.random.default_rng(0)
    kept = 0
    with strict_decoding():
        for original in (JPEG, PNG):
            for _ in range(100):
                data = bytearray(original)
                for place in generator.integers(0, len(data), 3):
                    data[place] = generator.integers(0, 256)
                try:
                    loaded = check_image(bytes(data[: generator.integers(1, 2 * len(data))]))
                except BadImageError:
                    continue
                kept += 1
                decoded = tf.io.decode_jpeg(loaded.data, channels=3)
                assert decoded.shape == (loaded.height, loaded.width, 3)
    assert 10 < kept < 150  # neither everything nor nothing passed


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadImageError, match=r"^missing$"):
        read_file(tmp_path / "none.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(BadImageError, match=r"^missing$"):
        read_file(tmp_path / "file" / "a.jpg")


def test_a_folder_and_a_pipe_are_not_files(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    os.mkfifo(tmp_path / "b.jpg")  # opening it would wait for ever
    for name in ("a.jpg", "b.jpg"):
        with pytest.raises(BadImageError, match=r"^not a file$"):
            read_file(tmp_path / name)


def test_a_symbolic_link_is_followed(tmp_path, put):
    (tmp_path / "link.jpg").symlink_to(put(JPEG))
    assert read_file(tmp_path / "link.jpg") == JPEG
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "none")
    with pytest.raises(BadImageError, match=r"^missing$"):
        read_file(tmp_path / "dangling.jpg")


def test_a_file_that_is_far_too_long(tmp_path):
    with (tmp_path / "a.jpg").open("wb") as stream:
        stream.truncate(images.MAX_FILE_BYTES + 1)  # sparse: takes no room
    with pytest.raises(BadImageError, match="too large: 268435457 bytes"):
        read_file(tmp_path / "a.jpg")


class _FailingPath:
    """A path on a disk in trouble: `error` is what reading it ends in."""

    def __init__(self, path, error):
        self._path, self._error = path, error

    def stat(self):
        return self._path.stat()

    def read_bytes(self):
        raise OSError(self._error, os.strerror(self._error))


def test_which_errors_are_the_files_own(put):
    path = put(JPEG)
    with pytest.raises(BadImageError, match="unreadable: Permission denied"):
        read_file(_FailingPath(path, errno.EACCES))
    with pytest.raises(BadImageError, match="unreadable: Input/output error"):
        read_file(_FailingPath(path, errno.EIO))
    # Not the file's fault: leaving out all that follow would be silent loss.
    with pytest.raises(OSError, match="Too many open files"):
        read_file(_FailingPath(path, errno.EMFILE))


def test_reencoding_shrinks_to_the_short_side():
    loaded = check_image(picture("a", size=(90, 60)), Reencoding(short_side=20, quality=90))
    assert (loaded.format, loaded.height, loaded.width) == ("JPEG", 20, 30)
    assert Image.open(io.BytesIO(loaded.data)).size == (30, 20)


def test_reencoding_never_enlarges_and_keeps_small_files_as_they_are():
    for data in (picture("a", size=(90, 20)), picture("a", size=(10, 10), fmt="PNG")):
        assert check_image(data, Reencoding(short_side=20, quality=10)).data == data


@pytest.mark.parametrize(("mode", "fmt"), [("RGB", "PNG"), ("CMYK", "JPEG"), ("L", "JPEG")])
def test_reencoding_keeps_the_colours(mode, fmt):
    target = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 40, 90)).convert(mode).save(target, fmt)
    expected = tf.io.decode_jpeg(target.getvalue(), channels=3).numpy()[0, 0].astype(int)
    loaded = check_image(target.getvalue(), Reencoding(short_side=16, quality=95))
    decoded = tf.io.decode_jpeg(loaded.data, channels=3).numpy().astype(int)
    assert decoded.shape == (16, 16, 3)
    assert np.abs(decoded - expected).max() <= 3


def test_reencoding_a_16_bit_png_scales_rather_than_clips():
    """Pillow's own conversion to 8 bits would make this picture white."""
    target = io.BytesIO()
    Image.fromarray(np.full((64, 64), 128 * 257, np.uint16)).save(target, "PNG")
    loaded = check_image(target.getvalue(), Reencoding(short_side=16, quality=95))
    assert abs(int(tf.io.decode_jpeg(loaded.data, channels=3)[8, 8, 0]) - 128) <= 1


def test_quality_decides_the_size():
    data = picture("a", size=(200, 200))
    sizes = [len(check_image(data, Reencoding(100, quality)).data) for quality in (30, 90)]
    assert sizes[0] < sizes[1]
