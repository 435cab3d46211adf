"""An uploaded file becomes a picture, or an answer that says why not."""

from __future__ import annotations

import io
import warnings

import numpy as np

FORMATS = ("JPEG", "PNG", "WEBP")
# A 40-megapixel camera; as float32 inside the model this is half a gigabyte already.
MAX_PIXELS = 40_000_000


class PictureError(ValueError):
    """An upload that is no picture we can search with.

    Attributes:
        status: the HTTP status that says so: 413 too large, 415 no picture, 422 broken.
    """

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


def decode_upload(content: bytes, *, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """The picture in `content`, upright, as (H, W, 3) uint8 RGB.

    A camera that was held sideways says so in EXIF; GLDv2's pictures stand upright, so the picture
    is turned. Transparent pixels become white.

    Args:
        content: a JPEG, PNG or WebP file; of an animation the first frame.
        max_pixels: largest H x W, read from the header before anything is decoded.

    Raises:
        PictureError: with the status for an upload that is empty, of another kind, cut short, or
            larger than `max_pixels`.
    """
    from PIL import Image, ImageOps

    if not content:
        raise PictureError(415, "The file is empty; send a JPEG, PNG or WebP picture.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # on odd metadata, and on sizes that are refused below
        try:
            image = Image.open(io.BytesIO(content), formats=FORMATS)
        except Image.DecompressionBombError:
            raise _too_large("it", max_pixels) from None
        except (OSError, ValueError, SyntaxError):
            raise PictureError(
                415, "The file is not a JPEG, PNG or WebP picture, or its header is broken."
            ) from None
        with image:
            if image.width * image.height > max_pixels:
                raise _too_large(f"{image.width} x {image.height}", max_pixels)
            try:
                image.load()
                upright = ImageOps.exif_transpose(image)
                return np.asarray(_rgb(upright))
            except (OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
                raise PictureError(
                    422, f"The picture is damaged or was cut short: {error}."
                ) from None


def shrink(content: bytes, size_px: int) -> bytes:
    """A picture file as a JPEG whose longer side is at most `size_px`.

    Raises:
        PictureError: if it cannot be read.
    """
    from PIL import Image

    image = Image.fromarray(decode_upload(content))
    image.thumbnail((size_px, size_px))
    target = io.BytesIO()
    image.save(target, "JPEG", quality=85)
    return target.getvalue()


def _rgb(image):
    from PIL import Image

    if "A" not in image.getbands() and "transparency" not in image.info:
        return image.convert("RGB")
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def _too_large(size: str, max_pixels: int) -> PictureError:
    return PictureError(
        413,
        f"The picture is too large: {size} pixels, at most {max_pixels / 1e6:g} megapixels are "
        "accepted. Send a smaller one.",
    )
