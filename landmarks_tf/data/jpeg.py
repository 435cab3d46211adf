"""Decoding less than a whole JPEG: the part that a crop keeps, at the size that is needed.

================  ==============================================================================
whole             every pixel, then the crop: what evaluation and export do
crop              only the crop is decoded: the same pixels, but damage outside it goes unnoticed
scaled            only the crop, and at 1/2, 1/4 or 1/8 of its size where no less than the network's
                  input is left: the JPEG's own cosines shrink it, which averages over blocks
================  ==============================================================================

"scaled" is another picture, if a good one: it is antialiased whatever the resize mode, and the
edges of a box and the picture's proportions are those of the scaled picture's pixels, less than one
of the network's off. Files that are no JPEGs are decoded whole.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable

import tensorflow as tf

from landmarks_tf.data import image_ops, transforms

DECODES = ("whole", "crop", "scaled")
_RATIOS = (1, 2, 4, 8)
_SPREAD = 2  # columns that the colour of a column can depend on


def check(decode: str) -> None:
    """Refuses an unknown way to decode.

    Raises:
        ValueError: it is none of `DECODES`.
    """
    if decode not in DECODES:
        near = difflib.get_close_matches(str(decode), DECODES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"unknown way to decode {decode!r}, expected one of {', '.join(DECODES)}{hint}"
        )


def decode_part(
    encoded: tf.Tensor, box_of: Callable, *, least: Callable | None = None
) -> tf.Tensor:
    """The part of a picture in `box_of(its size)`, (h, w, 3) uint8 RGB.

    Args:
        encoded: () string, an image file's bytes.
        box_of: (height, width) as (2,) int32 -> (top, left, height, width) in whole pixels, or
            None for the whole picture.
        least: (height, width) of the part -> those that it is going to be scaled to. Given, the
            part is decoded at the smallest of 1/8, 1/4, 1/2 and 1 of its size that is no less.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are no picture, or are cut short.
    """

    def jpeg() -> tf.Tensor:
        size = tf.io.extract_jpeg_shape(encoded)[:2]
        box = box_of(size)
        if least is None:
            return image_ops.decode(encoded) if box is None else _decode_box(encoded, box, size)
        part = size if box is None else tf.stack(box[2:])
        needed = tf.stack(least(part))
        fits = [tf.reduce_all(part >= ratio * needed) for ratio in _RATIOS[1:]]
        # The sides shrink with the ratio, so those that fit come first.
        return tf.switch_case(
            tf.reduce_sum(tf.cast(tf.stack(fits), tf.int32)),
            [lambda ratio=ratio: _decode_jpeg(encoded, box, ratio) for ratio in _RATIOS],
        )

    def other() -> tf.Tensor:
        image = image_ops.decode(encoded)
        box = box_of(tf.shape(image)[:2])
        return image if box is None else transforms.crop(image, box)

    return tf.ensure_shape(tf.cond(tf.io.is_jpeg(encoded), jpeg, other), (None, None, 3))


def _decode_box(encoded: tf.Tensor, box: tuple, size: tf.Tensor) -> tf.Tensor:
    """Exactly the box of the whole picture.

    Colour is stored at half the width, and each value of it is spread over its neighbours: at the
    ends of a row libjpeg has only one of them. So two more columns are decoded on either side.
    """
    top, left, height, width = box
    before = tf.minimum(left, _SPREAD)
    wider = tf.minimum(before + width + _SPREAD, size[1] - left + before)
    part = _decode_jpeg(encoded, (top, left - before, height, wider), 1)
    return part[:, before : before + width]


def _decode_jpeg(encoded: tf.Tensor, box: tuple | None, ratio: int) -> tf.Tensor:
    options = {"channels": 3, "dct_method": "INTEGER_ACCURATE", "ratio": ratio}
    if box is None:
        return tf.io.decode_jpeg(encoded, **options)
    # The window is one of the scaled picture: the box' edges to the nearest pixel of that.
    top, left, height, width = box
    edges = tf.stack([top, left, top + height, left + width])
    first, last = tf.split((edges + ratio // 2) // ratio, 2)
    first = tf.minimum(first, (edges[2:] - 1) // ratio)
    window = tf.concat([first, tf.maximum(last - first, 1)], 0)
    return tf.image.decode_and_crop_jpeg(encoded, window, **options)
