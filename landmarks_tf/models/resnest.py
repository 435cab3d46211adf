"""ResNeSt: a ResNet-D whose 3x3 convolutions attend over two splits.

Zhang et al., "ResNeSt: Split-Attention Networks" (arXiv 2004.08955), with the settings of all its
published networks: radix 2, cardinality 1, width 64. timm's programs differ from the authors' in
one initial value, the zero scale of each block's last norm; here it is one, as the authors have it.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from landmarks_tf.layers import SplitAttention2D, SplitPooling2D
from landmarks_tf.models.blocks import (
    average_pool_counting_zeros,
    batch_norm,
    convolution,
    he_fan_out,
    max_pool_padded,
)
from landmarks_tf.models.feature_maps import FeatureMaps
from landmarks_tf.models.resnet_d import averaging_shortcut, deep_stem

_EXPANSION = 4  # a bottleneck's output channels over its planes
_RADIX = 2
_NARROWEST_ATTENTION = 32  # channels


@dataclass(frozen=True)
class ResNeStConfig:
    """What tells the members of the family apart.

    Attributes:
        blocks: bottlenecks of each of the four stages.
        stem_width: channels of the stem's first two convolutions; 32 in the smaller members.
    """

    blocks: tuple[int, int, int, int]
    stem_width: int = 64


# S3's final entry (reproduction.md section 3): 110,929,480 parameters with a 1000-way classifier.
RESNESTS = {"resnest269": ResNeStConfig((3, 30, 48, 8))}


def resnest_features(config: ResNeStConfig, x) -> FeatureMaps:
    """The network without its classifier.

    Args:
        config: which member of the family.
        x: (B, S, S, 3) standardised pixels.

    Returns:
        The last map (B, S/32, S/32, 2048), and for a decoder the stem's (before its pool) and
        those of the first three stages. Odd sides are rounded up.
    """
    stem = deep_stem(x, config.stem_width, he_fan_out)
    x = max_pool_padded(stem, 3, 2, 1, name="maxpool")
    stages = []
    for stage, (count, planes) in enumerate(
        zip(config.blocks, (64, 128, 256, 512), strict=True), start=1
    ):
        for block in range(count):
            stride = 2 if block == 0 and stage > 1 else 1
            x = _bottleneck(x, planes, stride, block == 0, f"layer{stage}.{block}")
        stages.append(x)
    return FeatureMaps(x, skips=(stem, *stages[:3]))


def _bottleneck(x, planes: int, stride: int, first: bool, name: str):
    """1x1 -> 3x3 with split attention -> 1x1 beside the identity, or beside the shortcut's 1x1.

    Where the stride is 2, an average pool behind the attention does it, its padding counted.
    """
    shortcut = x
    if first:
        shortcut = averaging_shortcut(x, planes * _EXPANSION, stride, he_fan_out, name)
    x = convolution(x, planes, 1, initializer=he_fan_out(), name=f"{name}.conv1")
    x = layers.ReLU(name=f"{name}.act1")(batch_norm(x, f"{name}.bn1"))
    x = _split_attention(x, f"{name}.conv2")
    if stride > 1:
        x = average_pool_counting_zeros(x, 3, stride, 1, f"{name}.avd_last")
    x = convolution(x, planes * _EXPANSION, 1, initializer=he_fan_out(), name=f"{name}.conv3")
    # The shortcut first: Keras walks a graph by recursion, first inputs first, and along the
    # other way this one is deeper than Python allows.
    x = layers.Add(name=f"{name}.add")([shortcut, batch_norm(x, f"{name}.bn3")])
    return layers.ReLU(name=f"{name}.act3")(x)


def _split_attention(x, name: str):
    """(B, h, w, C) -> (B, h, w, C): two 3x3 convolutions, each of half the channels, mixed."""
    channels = x.shape[-1]
    width = max(channels * _RADIX // 4, _NARROWEST_ATTENTION)
    x = convolution(
        x,
        channels * _RADIX,
        3,
        padding=1,
        groups=_RADIX,
        initializer=he_fan_out(),
        name=f"{name}.conv",
    )
    x = layers.ReLU(name=f"{name}.act0")(batch_norm(x, f"{name}.bn0"))
    logits = SplitPooling2D(name=f"{name}.gap")(x)
    logits = convolution(
        logits, width, 1, use_bias=True, initializer=he_fan_out(), name=f"{name}.fc1"
    )
    logits = layers.ReLU(name=f"{name}.act1")(batch_norm(logits, f"{name}.bn1"))
    logits = convolution(
        logits,
        channels * _RADIX,
        1,
        use_bias=True,
        initializer=he_fan_out(),
        name=f"{name}.fc2",
    )
    return SplitAttention2D(name=f"{name}.rsoftmax")([x, logits])
