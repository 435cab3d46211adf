"""The Inception family of S2: InceptionV3, InceptionV100, InceptionV200, and its Figures 6 and 7.

One builder with fields (`InceptionConfig`); each network of the source is one value of it. The
blocks follow reproduction.md sections 1.1-1.4. `keras.applications.InceptionV3` is another
network: it has no batch-norm scale, no auxiliary head, and pools that do not count the padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from landmarks_tf.models.blocks import (
    Pair,
    as_pair,
    average_pool_counting_zeros,
    batch_norm,
    convolution,
    torch_default_bias,
)
from landmarks_tf.models.feature_maps import FeatureMaps

MIN_IMAGE_SIZE = 75  # the smallest input whose last grid still has one pixel


@dataclass(frozen=True)
class InceptionConfig:
    """What tells the members of the family apart.

    Args:
        reduction: the first branch of the block that takes 35x35 to 17x17, a key of `REDUCTIONS`.
        middle_channels: (letter, channels c) of each 17x17 block `mixed_6<letter>`, in order. The
            letters are the source's: V200 leaves out 6d and keeps the name of 6e.
    """

    reduction: str
    middle_channels: tuple[tuple[str, int], ...]


# The first branch of the reduction block: (kernel, filters, stride, padding) of each convolution.
# Its output is 384 channels on half the grid, whichever it is.
REDUCTIONS = {
    "plain": ((3, 384, 2, 0),),
    # The code of V100 and V200: two thin convolutions before the old one.
    "factorised": (((1, 3), 288, 1, (0, 1)), ((3, 1), 384, 1, (1, 0)), (3, 384, 2, 0)),
    # Figure 7 draws 1x1 -> 1x3 -> 3x1 and no numbers. Ours: the factorised branch's widths, and
    # each thin convolution halves the side that it sees.
    "figure7": ((1, 288, 1, 0), ((1, 3), 288, (1, 2), 0), ((3, 1), 384, (2, 1), 0)),
}

_FOUR_MIDDLE_BLOCKS = (("b", 128), ("c", 160), ("d", 160), ("e", 192))
_THREE_MIDDLE_BLOCKS = (("b", 128), ("c", 160), ("e", 192))

INCEPTIONS = {
    "inception_v3": InceptionConfig("plain", _FOUR_MIDDLE_BLOCKS),
    "inception_v100": InceptionConfig("factorised", _FOUR_MIDDLE_BLOCKS),
    "inception_v100_figure7": InceptionConfig("figure7", _FOUR_MIDDLE_BLOCKS),
    "inception_v200": InceptionConfig("factorised", _THREE_MIDDLE_BLOCKS),
    "inception_v200_figure6": InceptionConfig("plain", _THREE_MIDDLE_BLOCKS),
}


def _truncated_normal(stddev: float):
    """A normal cut at +-2 sigma whose sigma is that of the *uncut* normal.

    Keras' `TruncatedNormal` means the same by `stddev`; the source draws from scipy's
    truncnorm(-2, 2, scale=sigma), so the values agree in distribution.
    """
    return keras.initializers.TruncatedNormal(stddev=stddev)


def conv_bn_relu(x, filters: int, kernel: Pair, *, stride: Pair = 1, padding: Pair = 0, name: str):
    """Convolution without bias -> batch norm (eps 1e-3, momentum 0.9) -> ReLU.

    Padding is symmetric, as in PyTorch (see `blocks.convolution`).
    """
    x = convolution(
        x,
        filters,
        kernel,
        stride=stride,
        padding=padding,
        initializer=_truncated_normal(0.1),
        name=f"{name}_conv",
    )
    x = batch_norm(x, f"{name}_bn", epsilon=1e-3)
    return layers.ReLU(name=f"{name}_relu")(x)


def _average_pool(x, name: str):
    """3x3 average at stride 1 that keeps the size."""
    return average_pool_counting_zeros(x, 3, 1, 1, name)


def _stem(x):
    x = conv_bn_relu(x, 32, 3, stride=2, name="stem_1a")
    x = conv_bn_relu(x, 32, 3, name="stem_2a")
    x = conv_bn_relu(x, 64, 3, padding=1, name="stem_2b")
    x = layers.MaxPooling2D(3, strides=2, name="stem_pool1")(x)
    x = conv_bn_relu(x, 80, 1, name="stem_3b")
    x = conv_bn_relu(x, 192, 3, name="stem_4a")
    return layers.MaxPooling2D(3, strides=2, name="stem_pool2")(x)


def _block_a(x, pool_channels, name):
    b1 = conv_bn_relu(x, 64, 1, name=f"{name}_1x1")
    b5 = conv_bn_relu(x, 48, 1, name=f"{name}_5x5_1")
    b5 = conv_bn_relu(b5, 64, 5, padding=2, name=f"{name}_5x5_2")
    b3 = conv_bn_relu(x, 64, 1, name=f"{name}_3x3dbl_1")
    b3 = conv_bn_relu(b3, 96, 3, padding=1, name=f"{name}_3x3dbl_2")
    b3 = conv_bn_relu(b3, 96, 3, padding=1, name=f"{name}_3x3dbl_3")
    bp = conv_bn_relu(_average_pool(x, f"{name}_avgpool"), pool_channels, 1, name=f"{name}_pool")
    return layers.Concatenate(name=f"{name}_concat")([b1, b5, b3, bp])


def _block_b(x, reduction, name):
    b3 = x
    for kernel, filters, stride, padding in REDUCTIONS[reduction]:
        height, width = as_pair(kernel)
        b3 = conv_bn_relu(
            b3, filters, kernel, stride=stride, padding=padding, name=f"{name}_{height}x{width}"
        )
    bd = conv_bn_relu(x, 64, 1, name=f"{name}_3x3dbl_1")
    bd = conv_bn_relu(bd, 96, 3, padding=1, name=f"{name}_3x3dbl_2")
    bd = conv_bn_relu(bd, 96, 3, stride=2, name=f"{name}_3x3dbl_3")
    bp = layers.MaxPooling2D(3, strides=2, name=f"{name}_maxpool")(x)
    return layers.Concatenate(name=f"{name}_concat")([b3, bd, bp])


def _block_c(x, c, name):
    b1 = conv_bn_relu(x, 192, 1, name=f"{name}_1x1")
    b7 = conv_bn_relu(x, c, 1, name=f"{name}_7x7_1")
    b7 = conv_bn_relu(b7, c, (1, 7), padding=(0, 3), name=f"{name}_7x7_2")
    b7 = conv_bn_relu(b7, 192, (7, 1), padding=(3, 0), name=f"{name}_7x7_3")
    bd = conv_bn_relu(x, c, 1, name=f"{name}_7x7dbl_1")
    bd = conv_bn_relu(bd, c, (7, 1), padding=(3, 0), name=f"{name}_7x7dbl_2")
    bd = conv_bn_relu(bd, c, (1, 7), padding=(0, 3), name=f"{name}_7x7dbl_3")
    bd = conv_bn_relu(bd, c, (7, 1), padding=(3, 0), name=f"{name}_7x7dbl_4")
    bd = conv_bn_relu(bd, 192, (1, 7), padding=(0, 3), name=f"{name}_7x7dbl_5")
    bp = conv_bn_relu(_average_pool(x, f"{name}_avgpool"), 192, 1, name=f"{name}_pool")
    return layers.Concatenate(name=f"{name}_concat")([b1, b7, bd, bp])


def _block_d(x, name):
    b3 = conv_bn_relu(x, 192, 1, name=f"{name}_3x3_1")
    b3 = conv_bn_relu(b3, 320, 3, stride=2, name=f"{name}_3x3_2")
    b7 = conv_bn_relu(x, 192, 1, name=f"{name}_7x7x3_1")
    b7 = conv_bn_relu(b7, 192, (1, 7), padding=(0, 3), name=f"{name}_7x7x3_2")
    b7 = conv_bn_relu(b7, 192, (7, 1), padding=(3, 0), name=f"{name}_7x7x3_3")
    b7 = conv_bn_relu(b7, 192, 3, stride=2, name=f"{name}_7x7x3_4")
    bp = layers.MaxPooling2D(3, strides=2, name=f"{name}_maxpool")(x)
    return layers.Concatenate(name=f"{name}_concat")([b3, b7, bp])


def _block_e(x, name):
    def split(y, branch):
        wide = conv_bn_relu(y, 384, (1, 3), padding=(0, 1), name=f"{name}_{branch}a")
        tall = conv_bn_relu(y, 384, (3, 1), padding=(1, 0), name=f"{name}_{branch}b")
        return layers.Concatenate(name=f"{name}_{branch}_concat")([wide, tall])

    b1 = conv_bn_relu(x, 320, 1, name=f"{name}_1x1")
    b3 = split(conv_bn_relu(x, 384, 1, name=f"{name}_3x3_1"), "3x3_2")
    bd = conv_bn_relu(x, 448, 1, name=f"{name}_3x3dbl_1")
    bd = split(conv_bn_relu(bd, 384, 3, padding=1, name=f"{name}_3x3dbl_2"), "3x3dbl_3")
    bp = conv_bn_relu(_average_pool(x, f"{name}_avgpool"), 192, 1, name=f"{name}_pool")
    return layers.Concatenate(name=f"{name}_concat")([b1, b3, bd, bp])


def auxiliary_head(feature_map, num_classes):
    """(B, 17, 17, 768) at 299 px -> (B, num_classes) logits (section 1.3).

    At 299 px the 5x5 convolution sees exactly 5x5 pixels. Smaller inputs leave less, so the
    kernel cannot fit: they are refused here rather than silently given another head.
    """
    side = feature_map.shape[1]
    if side is not None and side < 17:
        raise ValueError(
            f"The auxiliary head pools 5x5 at stride 3 and then convolves 5x5, which needs a map "
            f"of at least 17x17 (a 299 px input); this one is {side}x{side}. Use image_size=299 "
            f"or more, or leave the auxiliary head out (auxiliary weight 0)."
        )
    x = layers.AveragePooling2D(5, strides=3, name="aux_avgpool")(feature_map)
    x = conv_bn_relu(x, 128, 1, name="aux_1x1")
    x = conv_bn_relu(x, 768, 5, name="aux_5x5")
    x = layers.GlobalAveragePooling2D(name="aux_pool")(x)
    return layers.Dense(
        num_classes,
        kernel_initializer=_truncated_normal(0.001),
        bias_initializer=torch_default_bias(768),
        dtype="float32",
        name="aux_logits",
    )(x)


def inception_features(config: InceptionConfig, x) -> FeatureMaps:
    """The network without its heads.

    Args:
        config: which member of the family.
        x: (B, S, S, 3) standardised pixels, S at least 75.

    Returns:
        The last map (B, h, w, 2048) and the map (B, h', w', 768) that the auxiliary head reads.

    Raises:
        ValueError: S is below 75.
    """
    if x.shape[1] < MIN_IMAGE_SIZE:
        raise ValueError(
            f"Inception networks need images of at least {MIN_IMAGE_SIZE} px, because their last "
            f"grid has no pixel left below that. Received: image_size={x.shape[1]}."
        )
    x = _stem(x)
    for letter, pool_channels in zip("bcd", (32, 64, 64), strict=True):
        x = _block_a(x, pool_channels, f"mixed_5{letter}")
    x = _block_b(x, config.reduction, "mixed_6a")
    for letter, channels in config.middle_channels:
        x = _block_c(x, channels, f"mixed_6{letter}")
    tap = x
    x = _block_d(x, "mixed_7a")
    x = _block_e(x, "mixed_7b")
    x = _block_e(x, "mixed_7c")
    return FeatureMaps(x, auxiliary=tap)


_TORCHVISION_STEM = {
    "stem_1a": "Conv2d_1a_3x3",
    "stem_2a": "Conv2d_2a_3x3",
    "stem_2b": "Conv2d_2b_3x3",
    "stem_3b": "Conv2d_3b_1x1",
    "stem_4a": "Conv2d_4a_3x3",
    "aux_1x1": "AuxLogits.conv0",
    "aux_5x5": "AuxLogits.conv1",
}


def torchvision_module(layer_name: str) -> str:
    """The module of torchvision's `Inception3` that a layer of ours is.

    "mixed_6a_3x3_conv" -> "Mixed_6a.branch3x3.conv"; likewise the stem, the auxiliary head and the
    classifier. The factorised reduction, which torchvision has not, follows the same rule:
    "mixed_6a_1x3_bn" -> "Mixed_6a.branch1x3.bn". Any other name comes back as it is.
    """
    if layer_name in ("logits", "aux_logits"):
        return "fc" if layer_name == "logits" else "AuxLogits.fc"
    unit, _, part = layer_name.rpartition("_")
    if unit in _TORCHVISION_STEM:
        return f"{_TORCHVISION_STEM[unit]}.{part}"
    if not unit.startswith("mixed_"):
        return layer_name
    _, block, branch = unit.split("_", 2)
    branch = "_pool" if branch == "pool" else branch
    return f"Mixed_{block}.branch{branch}.{part}"
