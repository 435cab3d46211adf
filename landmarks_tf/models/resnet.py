"""ResNets with bottlenecks: v1, v1.5 (torchvision's), and SE-ResNeXt, as one builder with fields.

He et al., "Deep Residual Learning" (CVPR 2016); Xie et al., "Aggregated Residual Transformations"
(CVPR 2017); Hu et al., "Squeeze-and-Excitation Networks" (CVPR 2018). `keras.applications` has
ResNets with biased convolutions and the stride on the first 1x1: other networks than the ones the
sources trained.
"""

from __future__ import annotations

from dataclasses import dataclass

from keras import layers

from landmarks_tf.models.blocks import (
    batch_norm,
    convolution,
    he_fan_out,
    max_pool_padded,
    torch_default,
)
from landmarks_tf.models.feature_maps import FeatureMaps

_EXPANSION = 4  # a bottleneck's output channels over its planes


@dataclass(frozen=True)
class ResNetConfig:
    """What tells the members of the family apart.

    Attributes:
        blocks: bottlenecks of each of the four stages.
        stride_on_3x3: the stage's stride sits on the 3x3 convolution (torchvision, "v1.5")
            instead of the first 1x1 (the paper's and S2's).
        groups: of the 3x3 convolution; 32 for ResNeXt 32x4d.
        width_per_group: of the 3x3 convolution, at 64 planes.
        squeeze_ratio: channels of a block over those of its squeeze; None without one.
        he_init: convolutions start from He's normal over fan-out (torchvision) instead of
            PyTorch's default.
    """

    blocks: tuple[int, int, int, int]
    stride_on_3x3: bool = True
    groups: int = 1
    width_per_group: int = 64
    squeeze_ratio: int | None = None
    he_init: bool = True


RESNETS = {
    "resnet50": ResNetConfig((3, 4, 6, 3)),
    # S2's: from scratch, the stride on the first 1x1 (reproduction.md section 1.7).
    "resnet50_v1": ResNetConfig((3, 4, 6, 3), stride_on_3x3=False, he_init=False),
    "resnet101": ResNetConfig((3, 4, 23, 3)),
    "se_resnext101": ResNetConfig((3, 4, 23, 3), groups=32, width_per_group=4, squeeze_ratio=16),
}


def resnet_features(config: ResNetConfig, x) -> FeatureMaps:
    """The network without its classifier.

    Args:
        config: which member of the family.
        x: (B, S, S, 3) standardised pixels.

    Returns:
        The last map (B, S/32, S/32, 2048), and for a decoder the stem's (before its pool) and
        those of the first three stages.
    """
    init = he_fan_out if config.he_init else torch_default
    x = convolution(x, 64, 7, stride=2, padding=3, initializer=init(), name="conv1")
    stem = layers.ReLU(name="relu")(batch_norm(x, "bn1"))
    x = max_pool_padded(stem, 3, 2, 1, name="maxpool")
    stages = []
    for stage, (count, planes) in enumerate(
        zip(config.blocks, (64, 128, 256, 512), strict=True), start=1
    ):
        for block in range(count):
            stride = 2 if block == 0 and stage > 1 else 1
            x = _bottleneck(config, x, planes, stride, block == 0, f"layer{stage}.{block}")
        stages.append(x)
    return FeatureMaps(x, skips=(stem, *stages[:3]))


def _bottleneck(config: ResNetConfig, x, planes: int, stride: int, first: bool, name: str):
    """1x1 -> 3x3 -> 1x1 beside the identity, or beside a 1x1 where a stage starts."""
    init = he_fan_out if config.he_init else torch_default
    width = planes * config.width_per_group // 64 * config.groups
    strides = (1, stride) if config.stride_on_3x3 else (stride, 1)

    shortcut = x
    if first:
        shortcut = convolution(
            x,
            planes * _EXPANSION,
            1,
            stride=stride,
            initializer=init(),
            name=f"{name}.downsample.0",
        )
        shortcut = batch_norm(shortcut, f"{name}.downsample.1")

    x = convolution(x, width, 1, stride=strides[0], initializer=init(), name=f"{name}.conv1")
    x = layers.ReLU(name=f"{name}.relu1")(batch_norm(x, f"{name}.bn1"))
    x = convolution(
        x,
        width,
        3,
        stride=strides[1],
        padding=1,
        groups=config.groups,
        initializer=init(),
        name=f"{name}.conv2",
    )
    x = layers.ReLU(name=f"{name}.relu2")(batch_norm(x, f"{name}.bn2"))
    x = convolution(x, planes * _EXPANSION, 1, initializer=init(), name=f"{name}.conv3")
    x = batch_norm(x, f"{name}.bn3")
    if config.squeeze_ratio:
        x = squeeze_excite(x, planes * _EXPANSION // config.squeeze_ratio, f"{name}.se")
    x = layers.Add(name=f"{name}.add")([x, shortcut])
    return layers.ReLU(name=f"{name}.relu3")(x)


def squeeze_excite(x, width: int, name: str):
    """Scale each channel by a sigmoid of all channels' means (Hu et al., section 3).

    Args:
        x: (B, h, w, C).
        width: channels of the squeeze.
        name: the module's name.
    """
    channels = x.shape[-1]
    scale = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}.mean")(x)
    scale = convolution(scale, width, 1, use_bias=True, name=f"{name}.fc1")
    scale = layers.ReLU(name=f"{name}.relu")(scale)
    scale = convolution(scale, channels, 1, use_bias=True, name=f"{name}.fc2")
    scale = layers.Activation("sigmoid", name=f"{name}.gate")(scale)
    return layers.Multiply(name=f"{name}.scale")([x, scale])
