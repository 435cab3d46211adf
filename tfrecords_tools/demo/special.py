"""Files as they also occur in the real set: grey, CMYK, PNG under .jpg, extreme, unreadable."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from tfrecords_tools.demo.camera.darkroom import encode_jpeg

_PAGE = b"<!DOCTYPE html>\n<html><head><title>429 Too many requests</title></head></html>\n"


def encode(rng: np.random.Generator, image: Image.Image, kind: str | None) -> bytes:
    """The content of a file of this kind (None: an ordinary JPEG); see `plan`.

    Raises:
        ValueError: unknown kind.
    """
    if kind is None:
        return encode_jpeg(rng, image)
    if kind == "grey":
        return encode_jpeg(rng, image.convert("L"))
    if kind == "cmyk":
        return encode_jpeg(rng, image.convert("CMYK"))
    if kind == "png":
        out = io.BytesIO()
        image.save(out, "PNG")
        return out.getvalue()
    if kind == "panorama":
        return encode_jpeg(rng, _middle(image, 9.0).resize((288, 32), Image.BICUBIC))
    if kind == "strip":
        return encode_jpeg(rng, _middle(image, 1 / 24).resize((10, 240), Image.BICUBIC))
    if kind == "truncated":
        content = encode_jpeg(rng, image)
        return content[: len(content) * 2 // 5]
    if kind == "empty":
        return b""
    if kind == "not_an_image":
        return _PAGE
    raise ValueError(f"Unknown kind of file: {kind!r}.")


def _middle(image: Image.Image, aspect: float) -> Image.Image:
    """The largest central part with width / height = aspect."""
    width, height = image.size
    w, h = min(width, max(1, round(height * aspect))), min(height, max(1, round(width / aspect)))
    left, top = (width - w) // 2, (height - h) // 2
    return image.crop((left, top, left + w, top + h))
