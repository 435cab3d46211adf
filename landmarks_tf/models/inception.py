"""The Inception family of S2: vanilla InceptionV3, InceptionV100, InceptionV200 and Figure 6.

One builder with fields (`InceptionConfig`); each network of the source is one value of it. The
blocks follow reproduction.md sections 1.1-1.4. `keras.applications.InceptionV3` is another
network: it has no batch-norm scale, no auxiliary head, and pools that do not count the padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

MIN_IMAGE_SIZE = 75  # the smallest input whose last grid still has one pixel
_TRUNCATED_SIGMA = 0.1


@dataclass(frozen=True)
class InceptionConfig:
    """What tells the members of the family apart.

    Args:
        factorised_reduction: the 35 -> 17 block's first branch is 1x3 -> 3x1 -> 3x3 stride 2
            (the code of V100 and V200) instead of one 3x3 stride 2 (vanilla, and Figure 6).
        middle_channels: (letter, channels c) of each 17x17 block `mixed_6<letter>`, in order. The
            letters are the source's: V200 leaves out 6d and keeps the name of 6e.
    """

    factorised_reduction: bool
    middle_channels: tuple[tuple[str, int], ...]


_FOUR_MIDDLE_BLOCKS = (("b", 128), ("c", 160), ("d", 160), ("e", 192))
_THREE_MIDDLE_BLOCKS = (("b", 128), ("c", 160), ("e", 192))

INCEPTIONS = {
    "inception_v3": InceptionConfig(False, _FOUR_MIDDLE_BLOCKS),
    "inception_v100": InceptionConfig(True, _FOUR_MIDDLE_BLOCKS),
    "inception_v200": InceptionConfig(True, _THREE_MIDDLE_BLOCKS),
    "inception_v200_figure6": InceptionConfig(False, _THREE_MIDDLE_BLOCKS),
}


def _truncated_normal(stddev: float):
    """A normal cut at +-2 sigma whose sigma is that of the *uncut* normal.

    Keras' `TruncatedNormal` means the same by `stddev`; the source draws from scipy's
    truncnorm(-2, 2, scale=sigma), so the values agree in distribution.
    """
    return keras.initializers.TruncatedNormal(stddev=stddev)


def conv_bn_relu(x, filters, kernel, *, stride=1, padding=0, name):
    """Convolution without bias -> batch norm (eps 1e-3, momentum 0.9) -> ReLU.

    `padding` is an int or (vertical, horizontal), symmetric as in PyTorch. At stride 1 a padding
    of half the kernel is what Keras calls "same"; anything else is padded explicitly.
    """
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    padding = (padding, padding) if isinstance(padding, int) else padding
    keeps_size = stride == 1 and padding == tuple(k // 2 for k in kernel)
    if not keeps_size and any(padding):
        x = layers.ZeroPadding2D(padding, name=f"{name}_pad")(x)
    x = layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding="same" if keeps_size else "valid",
        use_bias=False,
        kernel_initializer=_truncated_normal(_TRUNCATED_SIGMA),
        name=f"{name}_conv",
    )(x)
    x = layers.BatchNormalization(epsilon=1e-3, momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x)


def _average_pool_same(x, name):
    """3x3 average at stride 1 whose padding counts as zeros, as PyTorch's default does."""
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    return layers.AveragePooling2D(3, strides=1, name=name)(x)


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
    bp = conv_bn_relu(
        _average_pool_same(x, f"{name}_avgpool"), pool_channels, 1, name=f"{name}_pool"
    )
    return layers.Concatenate(name=f"{name}_concat")([b1, b5, b3, bp])


def _block_b(x, factorised, name):
    if factorised:
        b3 = conv_bn_relu(x, 288, (1, 3), padding=(0, 1), name=f"{name}_1x3")
        b3 = conv_bn_relu(b3, 384, (3, 1), padding=(1, 0), name=f"{name}_3x1")
        b3 = conv_bn_relu(b3, 384, 3, stride=2, name=f"{name}_3x3")
    else:
        b3 = conv_bn_relu(x, 384, 3, stride=2, name=f"{name}_3x3")
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
    bp = conv_bn_relu(_average_pool_same(x, f"{name}_avgpool"), 192, 1, name=f"{name}_pool")
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
        wide = conv_bn_relu(y, 384, (1, 3), padding=(0, 1), name=f"{name}_{branch}_a")
        tall = conv_bn_relu(y, 384, (3, 1), padding=(1, 0), name=f"{name}_{branch}_b")
        return layers.Concatenate(name=f"{name}_{branch}_concat")([wide, tall])

    b1 = conv_bn_relu(x, 320, 1, name=f"{name}_1x1")
    b3 = split(conv_bn_relu(x, 384, 1, name=f"{name}_3x3_1"), "3x3_2")
    bd = conv_bn_relu(x, 448, 1, name=f"{name}_3x3dbl_1")
    bd = split(conv_bn_relu(bd, 384, 3, padding=1, name=f"{name}_3x3dbl_2"), "3x3dbl_3")
    bp = conv_bn_relu(_average_pool_same(x, f"{name}_avgpool"), 192, 1, name=f"{name}_pool")
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
        bias_initializer=torch_linear_bias(768),
        dtype="float32",
        name="aux_logits",
    )(x)


def torch_linear_bias(fan_in: int):
    """PyTorch's default for a dense bias: uniform within +-1/sqrt(fan_in)."""
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound)


def inception_trunk(config: InceptionConfig, image_size: int, name: str) -> keras.Model:
    """The network without its heads.

    Args:
        config: which member of the family.
        image_size: height and width of the input in pixels, at least 75.
        name: the model's name.

    Returns:
        A model (B, S, S, 3), normalised pixels -> [(B, h, w, 2048) last map, (B, h', w', 768) the
        map the auxiliary head taps].

    Raises:
        ValueError: `image_size` is below 75.
    """
    if image_size < MIN_IMAGE_SIZE:
        raise ValueError(
            f"Inception networks need images of at least {MIN_IMAGE_SIZE} px, because their last "
            f"grid has no pixel left below that. Received: image_size={image_size}."
        )
    inputs = keras.Input((image_size, image_size, 3), name="pixels")
    x = _stem(inputs)
    for letter, pool_channels in zip("bcd", (32, 64, 64), strict=True):
        x = _block_a(x, pool_channels, f"mixed_5{letter}")
    x = _block_b(x, config.factorised_reduction, "mixed_6a")
    for letter, channels in config.middle_channels:
        x = _block_c(x, channels, f"mixed_6{letter}")
    tap = x
    x = _block_d(x, "mixed_7a")
    x = _block_e(x, "mixed_7b")
    x = _block_e(x, "mixed_7c")
    return keras.Model(inputs, [x, tap], name=name)
