"""One image file: read, proven to decode, and written anew only where that is asked for."""

from __future__ import annotations

import dataclasses
import errno
import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

MAX_FILE_BYTES = 256 * 2**20
MAX_PIXELS = 10**8  # decoded, 300 MB; the largest images of GLDv2 have about 2 million
_SIGNATURES = (
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"RIFF", "WebP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
# What the file itself is to blame for; any other error of the system is not its fault.
_FILE_ERRORS = {
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
    errno.ELOOP: "missing",
    errno.EACCES: "unreadable",
    errno.EPERM: "unreadable",
    errno.EIO: "unreadable",
}


class BadImageError(ValueError):
    """An image that cannot become a record; the message is "kind" or "kind: detail"."""


@dataclasses.dataclass(frozen=True)
class EncodedImage:
    """Image bytes that decode: `data`, `format` ("JPEG" or "PNG"), `height`, `width` in pixels."""

    data: bytes
    format: str
    height: int
    width: int


@dataclasses.dataclass(frozen=True)
class Reencoding:
    """Images whose shorter side is above `short_side` pixels are written anew as JPEG."""

    short_side: int
    quality: int


def read_file(path: Path) -> bytes:
    """The bytes of a regular, non-empty file of at most `MAX_FILE_BYTES`.

    Raises:
        BadImageError: the file is missing, unreadable, empty, too large, or no file.
        OSError: reading failed for a reason that has nothing to do with this one file.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
            raise BadImageError("not a file")
        if status.st_size > MAX_FILE_BYTES:
            raise BadImageError(f"too large: {status.st_size} bytes")
        data = path.read_bytes()
    except OSError as error:
        kind = _FILE_ERRORS.get(error.errno)
        if kind is None:
            raise
        raise BadImageError(kind if kind == "missing" else f"{kind}: {error.strerror}") from None
    if not data:
        raise BadImageError("empty file")
    return data


def check_image(data: bytes, reencoding: Reencoding | None = None) -> EncodedImage:
    """Proves that image bytes decode, all of them, in Pillow and in TensorFlow.

    Without `reencoding`, and for images that are small enough already, the bytes stay as they are.
    Written anew are the pixels that readers of the original would see: three channels as
    TensorFlow decodes them, an EXIF orientation not applied.

    Raises:
        BadImageError: too many pixels, truncated, no image, or neither JPEG nor PNG.
    """
    image_format, width, height = _decode_with_pillow(data)
    pixels = _decode_with_tensorflow(data)
    if pixels.shape != (height, width, 3):
        raise BadImageError(
            f"undecodable: Pillow sees {height} x {width} pixels, TensorFlow {pixels.shape}"
        )
    if reencoding is None or min(height, width) <= reencoding.short_side:
        return EncodedImage(data, image_format, height, width)
    return _reencode(pixels.numpy(), reencoding)


@contextmanager
def strict_decoding() -> Iterator[None]:
    """While it lasts, images above `MAX_PIXELS` are errors and Pillow's other warnings are quiet.

    Both settings belong to the whole process: enter it once, around all threads that decode.
    """
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"PIL\.")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _decode_with_pillow(data: bytes) -> tuple[str, int, int]:
    try:
        # Only these two decoders ever see the bytes.
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            size = image.size
            if size[0] * size[1] > MAX_PIXELS:
                raise Image.DecompressionBombError
            image.load()
            # A JPEG with a second picture in it (MPO) is a JPEG to every other reader.
            return "PNG" if image.format == "PNG" else "JPEG", *size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadImageError(f"too large: more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise BadImageError(_not_an_image(data)) from None
    except MemoryError:
        raise
    except Exception as error:  # damaged bytes make decoders fail in any way at all
        kind = "truncated" if "truncated" in str(error).lower() else "undecodable"
        raise BadImageError(f"{kind}: {error}") from None


def _decode_with_tensorflow(data: bytes):
    import tensorflow as tf

    try:
        # The default, try_recover_truncated=False, is what training readers use.
        return tf.io.decode_jpeg(data, channels=3)
    except tf.errors.InvalidArgumentError as error:
        raise BadImageError(f"undecodable: TensorFlow: {tensorflow_words(error)}") from None


def tensorflow_words(error) -> str:
    """The message of a tf.errors.OpError without the names of graph nodes around it."""
    return error.message.split("}} ", 1)[-1].split(" [Op:")[0].strip()


def _not_an_image(data: bytes) -> str:
    for signature, name in _SIGNATURES:
        if data.startswith(signature):
            return f"unsupported format: {name} is neither JPEG nor PNG"
    return "not an image"


def _reencode(pixels, reencoding: Reencoding) -> EncodedImage:
    """Resizes (H, W, 3) uint8 `pixels` so that the shorter side has `short_side`, as JPEG."""
    height, width = pixels.shape[:2]
    scale = reencoding.short_side / min(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS)
    target = io.BytesIO()
    image.save(target, "JPEG", quality=reencoding.quality)
    return EncodedImage(target.getvalue(), "JPEG", size[1], size[0])
