"""From the last feature map to one vector a picture."""

from __future__ import annotations

from keras import layers

from landmarks_tf.layers import GeMPooling2D
from landmarks_tf.models.blocks import average_pool_counting_zeros

POOLINGS = ("avg", "max", "gem", "gem_fixed", "flatten", "padded_avg_flatten")


def pool(feature_map, pooling: str):
    """(B, h, w, C) -> (B, D), in float32.

    "avg", "max", "gem" (learned exponent) and "gem_fixed" give D = C whatever the size of the map.
    GeM's exponent is 3, or starts there; "gem:P" and "gem_fixed:P" say another. "flatten" keeps
    every position, D = h * w * C: VGG16's head. "padded_avg_flatten" is the head of S2's ResNet50
    (reproduction.md section 1.7): averages of 2x2 at stride 2 over the map padded by one row of
    zeros, flattened. D = 4 * C, which a map of 2x2 or 3x3 gives, and no other.

    Raises:
        ValueError: an unknown pooling, an exponent that is none, or a map that
            "padded_avg_flatten" does not take.
    """
    pooling, exponent = _split(pooling)
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="pool", dtype="float32")(feature_map)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name="pool", dtype="float32")(feature_map)
    if pooling in ("gem", "gem_fixed"):
        return GeMPooling2D(exponent, trainable_p=pooling == "gem", name="pool")(feature_map)
    if pooling == "flatten":
        return layers.Flatten(name="pool", dtype="float32")(feature_map)
    if pooling == "padded_avg_flatten":
        return _padded_avg_flatten(feature_map)
    raise ValueError(f"Expected a pooling among {', '.join(POOLINGS)}. Received: {pooling!r}.")


def _split(pooling: str) -> tuple[str, float]:
    """The name and the exponent: "gem:2.5" is ("gem", 2.5), "gem" is ("gem", 3)."""
    name, colon, number = pooling.partition(":")
    if not colon or name not in ("gem", "gem_fixed"):
        return pooling, 3.0
    try:
        return name, float(number)
    except ValueError:
        raise ValueError(
            f"Expected {name}:P with a number P of at least 1. Received: {pooling!r}."
        ) from None


def _padded_avg_flatten(feature_map):
    height, width = feature_map.shape[1:3]
    if not (2 <= height <= 3 and 2 <= width <= 3):
        raise ValueError(
            f"The pooling 'padded_avg_flatten' makes 2x2 positions of a map of 2x2 or 3x3, which "
            f"ResNet50 has at 64 to 96 px (S2's program crashes at any other size). Use another "
            f"image size, or the pooling 'avg'. Received: a map of {height}x{width}."
        )
    x = average_pool_counting_zeros(feature_map, 2, 2, 1, "pool.average")
    return layers.Flatten(name="pool", dtype="float32")(x)
