"""Decoding and resizing: the one definition that training, evaluation and export share.

All functions are made of TensorFlow ops and take any height and width, so the same code runs
eagerly, inside `tf.data` and inside the exported SavedModel. Images are (H, W, 3), RGB, 0..255.

A mode names how a picture of any shape becomes a square (S1: the GE2E and ArcFace retrieval system
of Wang et al.; S2: the Inception recognition system of Samala and Jiang):

=======================  ========================================================================
letterbox                longer side to S, bilinear without antialiasing (as OpenCV does), sizes cut
                         to whole pixels, black bars, odd pixel right or below (S1)
letterbox_opencv         the same in OpenCV's 8-bit arithmetic: S1's picture to the last bit
letterbox_antialiased    the same geometry, antialiased: the better picture when shrinking a lot
squash                   both sides to S, aspect ratio lost, antialiased as in Pillow (S2)
center_crop              shorter side to S, antialiased, the middle S x S cut out (S2)
center_crop_from_8_7     the same from a shorter side of 8/7 S: 256 for 224 (S2's VGG16)
=======================  ========================================================================
"""

from __future__ import annotations

import difflib

import tensorflow as tf

from landmarks_tf.data import opencv

# Pixels to each new one, up to which a picture is turned into floats before it is scaled.
_FEW = 4


def decode(encoded: tf.Tensor) -> tf.Tensor:
    """The picture in an image file's bytes, as (H, W, 3) uint8 RGB.

    Grey and CMYK JPEGs become RGB; PNG, BMP, WebP and the first frame of a GIF are read too,
    whatever the file was called. JPEGs come out equal, to the last bit, to Pillow's
    `Image.open(...).convert("RGB")`: the accurate inverse DCT is asked for, since TensorFlow's own
    choice is the fast one. As in Pillow and in the competition's scoring loop, EXIF orientation is
    not applied.

    Args:
        encoded: () string.

    Raises:
        tf.errors.InvalidArgumentError: the bytes are no such file, or are cut short.
    """
    image = tf.cond(
        tf.io.is_jpeg(encoded),
        lambda: tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
        lambda: tf.io.decode_image(encoded, channels=3, expand_animations=False),
    )
    return tf.ensure_shape(image, (None, None, 3))


def letterbox(image: tf.Tensor, image_size: int, *, antialias: bool = False) -> tf.Tensor:
    """The whole picture, longer side `image_size`, centred on black: (S, S, 3) float32 0..255."""
    return pad_to_square(_fit_longer_side(image, image_size, antialias=antialias), image_size)


def squash(image: tf.Tensor, image_size: int) -> tf.Tensor:
    """The whole picture with both sides scaled to `image_size`: (S, S, 3) float32 0..255."""
    return resample(image, (image_size, image_size), (image_size, image_size), antialias=True)


def center_crop(image: tf.Tensor, image_size: int, *, short_side: int | None = None) -> tf.Tensor:
    """The middle of the picture, its shorter side scaled to `short_side`: (S, S, 3) float32.

    Follows torchvision's Resize and CenterCrop on Pillow images: the longer side is cut to whole
    pixels, the offset rounded half to even. Only the pixels of the crop are computed, so a very
    long picture costs no more than a square one.

    Args:
        image: (H, W, 3), any numeric type, 0..255.
        image_size: side of the crop in pixels.
        short_side: shorter side after scaling; `image_size` if None (S2's VGG: 256 for 224).

    Raises:
        ValueError: `short_side` is smaller than `image_size`.
    """
    short_side = image_size if short_side is None else short_side
    if short_side < image_size:
        raise ValueError(
            f"center_crop: cannot cut {image_size} x {image_size} pixels out of a picture whose "
            f"shorter side is {short_side}; short_side must be at least image_size"
        )
    height, width = _height_width(image)
    shorter = tf.minimum(height, width)
    scaled = (_scaled_side(height, short_side, shorter), _scaled_side(width, short_side, shorter))
    corner = [
        tf.cast(tf.round(tf.cast(side - image_size, tf.float32) / 2), tf.int32) for side in scaled
    ]
    return resample(image, scaled, (image_size, image_size), antialias=True, corner=corner)


def resample(
    image: tf.Tensor,
    scaled: tuple,
    size: tuple,
    *,
    antialias: bool,
    corner: tuple = (0, 0),
) -> tf.Tensor:
    """The window of `size` pixels at `corner` of the image scaled to `scaled` pixels, bilinear.

    Args:
        image: (H, W, 3), any numeric type.
        scaled: (height, width) that the whole image is scaled to; whole numbers or tensors.
        size: (height, width) of the window that is computed.
        antialias: whether to average over all pixels that shrink into one, as Pillow does.
        corner: (row, column) of the window in the scaled image.

    Returns:
        (*size, 3) float32.
    """
    whole = tf.cast(tf.stack(_height_width(image)), tf.float32)
    window = tf.raw_ops.ScaleAndTranslate(
        images=image[tf.newaxis],
        size=tf.stack(size),
        scale=tf.cast(tf.stack(scaled), tf.float32) / whole,
        translation=-tf.cast(tf.stack(corner), tf.float32),
        kernel_type="triangle",
        antialias=antialias,
    )[0]
    static = [side if isinstance(side, int) else None for side in size]
    return tf.ensure_shape(window, (*static, 3))


def pad_to_square(image: tf.Tensor, image_size: int) -> tf.Tensor:
    """Centres an image of at most S x S pixels on black; an odd pixel goes right or below."""
    height, width = _height_width(image)
    top, left = (image_size - height) // 2, (image_size - width) // 2
    padding = [[top, image_size - height - top], [left, image_size - width - left], [0, 0]]
    return tf.ensure_shape(tf.pad(image, padding), (image_size, image_size, 3))


def to_uint8(image: tf.Tensor) -> tf.Tensor:
    """Rounds to the nearest whole number and clips to 0..255."""
    levels = tf.round(tf.convert_to_tensor(image))
    low, high = (tf.constant(level, levels.dtype) for level in (0, 255))
    # One pass over the picture, where tf.clip_by_value takes two.
    levels = tf.raw_ops.ClipByValue(t=levels, clip_value_min=low, clip_value_max=high)
    return tf.cast(levels, tf.uint8)


def check(mode: str, image_size: int) -> None:
    """Refuses a mode or an image size that `prepare` cannot work with, before any picture is read.

    Raises:
        ValueError: an unknown mode, or an image size that is no positive whole number.
    """
    if isinstance(image_size, bool) or not isinstance(image_size, int) or image_size < 1:
        raise ValueError(
            f"image_size must be a positive whole number of pixels, got {image_size!r}"
        )
    if mode not in _RESIZERS:
        near = difflib.get_close_matches(str(mode), MODES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown resize mode {mode!r}, expected one of {', '.join(MODES)}{hint}")


def resize(image: tf.Tensor, *, mode: str, image_size: int) -> tf.Tensor:
    """The picture scaled as `mode` says, before any padding: (h, w, 3) float32, h and w at most S.

    Augmentations that must not touch the letterbox' black bars work on this.

    Raises:
        ValueError: an unknown mode, an image size that is no positive whole number, or an image
            that is not (H, W, 3).
    """
    check(mode, image_size)
    image = tf.convert_to_tensor(image)
    _check_image(image)
    return _RESIZERS[mode](image, image_size)


def prepare(image: tf.Tensor, *, mode: str, image_size: int) -> tf.Tensor:
    """The picture as a network of input size S sees it: (S, S, 3) uint8.

    Args:
        image: (H, W, 3), any numeric type, 0..255, H and W at least 1.
        mode: one of `MODES`.
        image_size: S, in pixels.

    Raises:
        ValueError: an unknown mode, an image size that is no positive whole number, or an image
            that is not (H, W, 3).
    """
    return pad_to_square(to_uint8(resize(image, mode=mode, image_size=image_size)), image_size)


def scaled_size(height_width: tf.Tensor, *, mode: str, image_size: int) -> tuple:
    """(height, width) that the whole picture is scaled to before anything is cut off or added.

    Args:
        height_width: (2,) int32, the picture's own.
        mode: one of `MODES`.
        image_size: S, in pixels.
    """
    if mode == "squash":
        return image_size, image_size
    height, width = height_width[0], height_width[1]
    if mode.startswith("center_crop"):
        side = tf.minimum(height, width)
        image_size = _around(image_size) if mode == "center_crop_from_8_7" else image_size
    else:
        side = tf.maximum(height, width)
    return _scaled_side(height, image_size, side), _scaled_side(width, image_size, side)


def _fit_longer_side(image: tf.Tensor, image_size: int, *, antialias: bool) -> tf.Tensor:
    size = scaled_size(tf.shape(image)[:2], mode="letterbox", image_size=image_size)
    if antialias:
        return resample(image, size, size, antialias=True)
    return tf.ensure_shape(_bilinear(image, size), (None, None, 3))


def _bilinear(image: tf.Tensor, size: tuple) -> tf.Tensor:
    """tf.image.resize without antialiasing: (*size, 3) float32.

    TensorFlow's op gives the same numbers from floats as from bytes in half the time. Turning all
    bytes into floats first pays off where there are few to each new pixel.
    """
    few = tf.size(image) <= _FEW * 3 * size[0] * size[1]
    return tf.cond(
        few,
        lambda: tf.image.resize(tf.cast(image, tf.float32), size),
        lambda: tf.image.resize(image, size),
    )


def _scaled_side(side: tf.Tensor, target: int, reference: tf.Tensor) -> tf.Tensor:
    """floor(side * target / reference), at least one pixel.

    In whole numbers: the same in floating point can turn the longer side itself into target - 1.
    The lower bound is ours; S1's program died on a picture 300 times as long as it is wide.
    """
    scaled = tf.cast(side, tf.int64) * target // tf.cast(reference, tf.int64)
    return tf.cast(tf.maximum(scaled, 1), tf.int32)


def _height_width(image: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    shape = tf.shape(image)
    return shape[0], shape[1]


def _check_image(image: tf.Tensor) -> None:
    shape = image.shape
    if not shape.is_compatible_with((None, None, 3)):
        raise ValueError(f"expected one RGB image of shape (H, W, 3), got shape {shape}")


def _letterbox_antialiased(image: tf.Tensor, image_size: int) -> tf.Tensor:
    return _fit_longer_side(image, image_size, antialias=True)


def _letterbox_opencv(image: tf.Tensor, image_size: int) -> tf.Tensor:
    size = scaled_size(tf.shape(image)[:2], mode="letterbox", image_size=image_size)
    return opencv.resize(image, size)


def _letterbox_plain(image: tf.Tensor, image_size: int) -> tf.Tensor:
    return _fit_longer_side(image, image_size, antialias=False)


def _around(image_size: int) -> int:
    """The shorter side that torchvision's usual evaluation cuts S out of: 256 for 224."""
    return image_size * 8 // 7


def _center_crop_from_8_7(image: tf.Tensor, image_size: int) -> tf.Tensor:
    return center_crop(image, image_size, short_side=_around(image_size))


_RESIZERS = {
    "letterbox": _letterbox_plain,
    "letterbox_opencv": _letterbox_opencv,
    "letterbox_antialiased": _letterbox_antialiased,
    "squash": squash,
    "center_crop": center_crop,
    "center_crop_from_8_7": _center_crop_from_8_7,
}
MODES = tuple(_RESIZERS)
