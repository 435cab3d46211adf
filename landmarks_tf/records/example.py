"""One record: the tf.train.Example that DELF's `build_image_dataset.py` writes and its reader.

Written strictly (exactly DELF's eight keys, `image/class/label` only where there is a label), read
liberally: of these only `image/encoded` must be there. A missing label reads as -1, never as
class 0. Writing needs no TensorFlow; reading imports it when it is first called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from landmarks_tf.records.wire import encode_parts

if TYPE_CHECKING:
    import tensorflow as tf

IMAGE_FORMATS = ("JPEG", "PNG")
MISSING_LABEL = -1


def encode_example(
    image_bytes: bytes,
    *,
    image_id: str | bytes,
    height: int,
    width: int,
    label: int | None = None,
    image_format: str = "JPEG",
) -> bytes:
    """Serialises one image as DELF's tf.train.Example.

    The same arguments always give the same bytes. `image/colorspace` and `image/channels` say what
    a reader gets (RGB, 3), whatever the file holds: every reader decodes to three channels.

    Args:
        image_bytes: the image file's bytes, stored untouched.
        image_id: ASCII id of the image, 16 hexadecimal characters in GLDv2.
        height: rows of the decoded image, in pixels.
        width: columns of the decoded image, in pixels.
        label: class 0..C-1, or None for a record without one (index and test).
        image_format: "JPEG" or "PNG", what `image_bytes` holds.

    Raises:
        ValueError: empty bytes, a negative label, a size below one pixel, an id that is not ASCII
            or an unknown format.
    """
    return b"".join(
        encode_example_parts(
            image_bytes,
            image_id=image_id,
            height=height,
            width=width,
            label=label,
            image_format=image_format,
        )
    )


def encode_example_parts(
    image_bytes: bytes,
    *,
    image_id: str | bytes,
    height: int,
    width: int,
    label: int | None = None,
    image_format: str = "JPEG",
) -> list[bytes]:
    """As `encode_example`, in pieces: end to end they are its bytes. The image is not copied.

    Args, Raises:
        as `encode_example`.
    """
    image_id = _ascii(image_id)
    if not image_bytes:
        raise ValueError(f"image {image_id.decode()}: the image has no bytes")
    if height < 1 or width < 1:
        raise ValueError(
            f"image {image_id.decode()}: height and width must be at least 1 pixel, "
            f"got {height} x {width}"
        )
    if label is not None and label < 0:
        raise ValueError(
            f"image {image_id.decode()}: a label is 0 or more (None means no label), got {label}"
        )
    if image_format not in IMAGE_FORMATS:
        raise ValueError(
            f"image {image_id.decode()}: image_format must be one of {', '.join(IMAGE_FORMATS)}, "
            f"got {image_format!r}"
        )

    features: dict[str, bytes | int] = {
        "image/encoded": bytes(image_bytes),
        "image/height": int(height),
        "image/width": int(width),
        "image/colorspace": b"RGB",
        "image/channels": 3,
        "image/format": image_format.encode(),
        "image/id": image_id,
    }
    if label is not None:
        features["image/class/label"] = int(label)
    return encode_parts(features)


def parse_features(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads a record without decoding its image; runs eagerly and in graphs.

    Args:
        serialized: () string, one serialised tf.train.Example.

    Returns:
        `encoded` () string, `id` () string ("" when missing), `label` () int64 (-1 when missing),
        `height` and `width` () int64 (0 when missing).

    Raises:
        tf.errors.InvalidArgumentError: not an Example, no `image/encoded`, or another type than
            DELF's under one of its keys.
    """
    import tensorflow as tf

    features = {
        "image/encoded": tf.io.FixedLenFeature([], tf.string),
        "image/id": tf.io.FixedLenFeature([], tf.string, default_value=""),
        "image/class/label": tf.io.FixedLenFeature([], tf.int64, default_value=MISSING_LABEL),
        "image/height": tf.io.FixedLenFeature([], tf.int64, default_value=0),
        "image/width": tf.io.FixedLenFeature([], tf.int64, default_value=0),
    }
    parsed = tf.io.parse_single_example(serialized, features)
    return {key.rsplit("/", 1)[1]: parsed[key] for key in features}


def parse_example(serialized: tf.Tensor) -> dict[str, tf.Tensor]:
    """Reads a record and decodes its image; runs eagerly and in graphs.

    Grey, CMYK and palette pictures come out with three channels; PNG data is decoded as well.

    Args:
        serialized: () string, one serialised tf.train.Example.

    Returns:
        `image` (H, W, 3) uint8, `id` () string, `label` () int64 (-1 when missing).

    Raises:
        tf.errors.InvalidArgumentError: as `parse_features`, or the image does not decode.
    """
    import tensorflow as tf

    parsed = parse_features(serialized)
    image = tf.io.decode_jpeg(parsed["encoded"], channels=3)  # reads PNG data too
    return {"image": image, "id": parsed["id"], "label": parsed["label"]}


def _ascii(image_id: str | bytes) -> bytes:
    try:
        if isinstance(image_id, str):
            return image_id.encode("ascii")
        image_id.decode("ascii")
    except UnicodeError:
        raise ValueError(f"an image id must be ASCII, got {image_id!r}") from None
    return bytes(image_id)
