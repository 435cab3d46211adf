"""Proof that image bytes decode, at the least cost; and what it is to go without.

Almost all of GLDv2 is ordinary JPEG: baseline or progressive, 8 bits, YCbCr or grey. What can go
wrong with such a file goes wrong in its headers and in its entropy-coded data. What comes after,
the inverse DCT, upsampling and colour, is arithmetic that any input passes. So the header is read,
and all of the entropy-coded data decoded by libjpeg with an output of an eighth of the size, for
which it transforms one coefficient of 64. Everything else, and everything that fails there, goes
to both full decoders (tfrecords_tools.images), which have the last word and the words for it.
"""

from __future__ import annotations

import io

from PIL import Image

from tfrecords_tools.images import (
    MAX_PIXELS,
    BadImageError,
    EncodedImage,
    Reencoding,
    check_image,
)
from tfrecords_tools.jpeg_header import JpegHeader, has_whole_scans, read_jpeg_header

_EIGHTH = 8


def prove_image(data: bytes, reencoding: Reencoding | None = None) -> EncodedImage:
    """As `images.check_image`, which it calls for whatever is not an ordinary JPEG file.

    Raises:
        BadImageError: the bytes do not decode.
    """
    header = read_jpeg_header(data)
    if (
        header is None
        or not header.is_ordinary
        or header.height * header.width > MAX_PIXELS
        or (reencoding is not None and min(header.height, header.width) > reencoding.short_side)
        or not has_whole_scans(data)
        or not _entropy_decodes(data, header)
    ):
        return check_image(data, reencoding)
    return EncodedImage(data, "JPEG", header.height, header.width)


def trust_image(data: bytes) -> EncodedImage:
    """Takes an ordinary JPEG by its header alone; others, which are rare, are still decoded.

    For images that were all decoded before (`python -m tfrecords_tools check`): a file that was
    cut short or damaged since passes.

    Raises:
        BadImageError: the header is no image's, or the bytes do not decode.
    """
    header = read_jpeg_header(data)
    if header is None or not header.is_ordinary or header.height * header.width > MAX_PIXELS:
        return check_image(data)
    return EncodedImage(data, "JPEG", header.height, header.width)


def _entropy_decodes(data: bytes, header: JpegHeader) -> bool:
    try:
        with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            if image.size != (header.width, header.height) or image.format != "JPEG":
                return False
            small = (max(1, header.width // _EIGHTH), max(1, header.height // _EIGHTH))
            image.draft(None, small)
            image.load()
    except (MemoryError, BadImageError):
        raise
    except Exception:  # whatever it is, the full decoders say it in their words
        return False
    return True
