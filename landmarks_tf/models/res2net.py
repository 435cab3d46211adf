"""Res2Net-vd: a ResNet-D whose 3x3 convolutions work on a quarter of the channels, in a chain.

Gao et al., "Res2Net: A New Multi-scale Backbone Architecture" (TPAMI 2019, arXiv 1904.01169), as
PaddleClas' Res2Net_vd has it, whose weights S3 could start from. It differs from the authors'
program, and so from timm's, in the first block of a stage:

- stage 1: its stride is 1, so it is a block like any other: its splits form the chain and the last
  one passes unchanged. (The authors' has no chain there, and averages the last split over 3x3.)
- stages 2 to 4: the 3x3 average of the last split leaves the padding out of the count.
  (The authors' counts the zeros.)

Besides, its convolutions start from He's normal over fan-in, Paddle's default. The stride sits on
the 3x3 convolutions, as theirs. Layers are named as timm's modules.
"""

from __future__ import annotations

from dataclasses import dataclass

import keras
from keras import layers

from landmarks_tf.layers import ChannelSplit
from landmarks_tf.models.blocks import batch_norm, convolution, max_pool_padded
from landmarks_tf.models.feature_maps import FeatureMaps
from landmarks_tf.models.resnet_d import averaging_shortcut, deep_stem

_EXPANSION = 4  # a bottleneck's output channels over its planes
_STEM_WIDTH = 32


@dataclass(frozen=True)
class Res2NetConfig:
    """What tells the members of the family apart.

    Attributes:
        blocks: bottlenecks of each of the four stages.
        width: channels of a split in the first stage ("26w"); doubled with each stage.
        scale: how many splits ("4s"), at least 2.
    """

    blocks: tuple[int, int, int, int]
    width: int = 26
    scale: int = 4


# S3's final entry (reproduction.md section 3). With a 1000-way classifier 76,215,536 learned
# parameters, 76,436,340 with the statistics of its norms: the two figures that PaddleClas states.
RES2NETS = {"res2net200_vd": Res2NetConfig((3, 12, 48, 3))}


def res2net_features(config: Res2NetConfig, x) -> FeatureMaps:
    """The network without its classifier.

    Args:
        config: which member of the family.
        x: (B, S, S, 3) standardised pixels.

    Returns:
        The last map (B, S/32, S/32, 2048), and for a decoder the stem's (before its pool) and
        those of the first three stages. Odd sides are rounded up.
    """
    stem = deep_stem(x, _STEM_WIDTH, _he_fan_in)
    x = max_pool_padded(stem, 3, 2, 1, name="maxpool")
    stages = []
    for stage, count in enumerate(config.blocks, start=1):
        for block in range(count):
            x = _bottleneck(config, x, stage, block == 0, f"layer{stage}.{block}")
        stages.append(x)
    return FeatureMaps(x, skips=(stem, *stages[:3]))


def _bottleneck(config: Res2NetConfig, x, stage: int, first: bool, name: str):
    """1x1 -> splits -> 1x1 beside the identity, or beside the shortcut's 1x1."""
    planes = 64 * 2 ** (stage - 1)
    width = config.width * 2 ** (stage - 1)
    stride = 2 if first and stage > 1 else 1

    shortcut = x
    if first:
        shortcut = averaging_shortcut(x, planes * _EXPANSION, stride, _he_fan_in, name)
    x = convolution(x, width * config.scale, 1, initializer=_he_fan_in(), name=f"{name}.conv1")
    x = layers.ReLU(name=f"{name}.relu1")(batch_norm(x, f"{name}.bn1"))
    *splits, last = ChannelSplit(config.scale, name=f"{name}.split")(x)
    outputs = _convolve_splits(splits, stride, name)
    if stride > 1:
        last = _average_pool_3x3(last, stride, f"{name}.pool")
    x = layers.Concatenate(name=f"{name}.concat")([*outputs, last])
    x = convolution(x, planes * _EXPANSION, 1, initializer=_he_fan_in(), name=f"{name}.conv3")
    # The shortcut first: Keras walks a graph by recursion, first inputs first, and along the
    # other way this one is deeper than Python allows.
    x = layers.Add(name=f"{name}.add")([shortcut, batch_norm(x, f"{name}.bn3")])
    return layers.ReLU(name=f"{name}.relu3")(x)


def _convolve_splits(splits: list, stride: int, name: str) -> list:
    """A 3x3 for each split; at stride 1 each sees the output of the one before as well."""
    outputs = []
    for number, x in enumerate(splits):
        if outputs and stride == 1:
            x = layers.Add(name=f"{name}.adds.{number}")([x, outputs[-1]])
        x = convolution(
            x,
            x.shape[-1],
            3,
            stride=stride,
            padding=1,
            initializer=_he_fan_in(),
            name=f"{name}.convs.{number}",
        )
        outputs.append(
            layers.ReLU(name=f"{name}.relus.{number}")(batch_norm(x, f"{name}.bns.{number}"))
        )
    return outputs


def _average_pool_3x3(x, stride: int, name: str):
    """Average the real pixels of each 3x3 window around every second pixel, from the first on.

    Keras' "same" leaves the padding out of the count, but at stride 2 and an even side it would
    start at the second pixel: so all averages, then every second of them.
    """
    x = layers.AveragePooling2D(3, strides=1, padding="same", name=f"{name}.mean")(x)
    return layers.MaxPooling2D(1, strides=stride, name=name)(x)


def _he_fan_in():
    """He's normal over fan-in, uncut: the default of Paddle's convolutions."""
    return keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal")
