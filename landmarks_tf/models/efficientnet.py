"""EfficientNet-B0 (Tan and Le, ICML 2019, arXiv 1905.11946), as TensorFlow and torchvision have it.

S2 took it from the PyTorch package efficientnet_pytorch, which follows TensorFlow's program
(reproduction.md section 1.8). That package's paddings are TensorFlow's for 224 px whatever it is
fed; they are TensorFlow's at any side that is a multiple of 32, S2's 64 px among them. At other
sides this network follows TensorFlow, as timm's `tf_efficientnet_b0` does.

`keras.applications.EfficientNetB0` is the same trunk behind a `Rescaling` layer, which (in Keras
3.15) imports TensorFlow on every backend as soon as it meets real pixels: on JAX alone that network
can be built and not run.

Layers are named as timm's modules are; `torchvision_module` and `lukemelas_module` (the author of
efficientnet_pytorch) give the names that the two other programs have for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import keras
from keras import layers

from landmarks_tf.models.blocks import (
    batch_norm,
    he_fan_out,
    torch_default,
    torch_default_bias,
)
from landmarks_tf.models.feature_maps import FeatureMaps

# The paper's table 1: kernel, stride of the first block, expansion, width, blocks.
_STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_STEM_WIDTH, _HEAD_WIDTH = 32, 1280
_SQUEEZE_RATIO = 4


@dataclass(frozen=True)
class EfficientNetConfig:
    """What tells one program's B0 from another's.

    Attributes:
        tensorflow_padding: at stride 2 pad as TensorFlow does, by the size of the map and rather
            below and to the right; otherwise half a kernel on each side.
        epsilon: of the batch norms.
        momentum: of the batch norms, in Keras' meaning.
        drop_connect: how often training drops the last block's residual branch, picture by
            picture, in [0, 1); from 0 at the first block it rises linearly towards this.
        he_init: convolutions start from He's normal over fan-out, biases at 0 (torchvision),
            instead of PyTorch's defaults.
    """

    tensorflow_padding: bool = True
    epsilon: float = 1e-3
    momentum: float = 0.99
    drop_connect: float = 0.2
    he_init: bool = False


EFFICIENTNETS = {
    "efficientnet_b0": EfficientNetConfig(),
    "efficientnet_b0_torchvision": EfficientNetConfig(
        tensorflow_padding=False, epsilon=1e-5, momentum=0.9, he_init=True
    ),
}


def efficientnet_features(config: EfficientNetConfig, x) -> FeatureMaps:
    """The network without its classifier.

    Args:
        config: whose B0.
        x: (B, S, S, 3) standardised pixels.

    Returns:
        The last map (B, ceil(S/32), ceil(S/32), 1280).
    """
    x = _convolution(config, x, _STEM_WIDTH, 3, "conv_stem", stride=2)
    x = _norm_and_swish(config, x, "bn1")
    count, index = sum(stage[-1] for stage in _STAGES), 0
    for stage, (kernel, stride, expansion, width, blocks) in enumerate(_STAGES):
        for block in range(blocks):
            x = _block(
                config,
                x,
                (kernel, stride if block == 0 else 1, expansion, width),
                drop=config.drop_connect * index / count,
                name=f"blocks.{stage}.{block}",
            )
            index += 1
    x = _convolution(config, x, _HEAD_WIDTH, 1, "conv_head")
    return FeatureMaps(_norm_and_swish(config, x, "bn2"))


def _block(config: EfficientNetConfig, x, shape: tuple[int, int, int, int], drop: float, name: str):
    """Widen (but in the first stage), filter each channel, weigh the channels, narrow; add."""
    kernel, stride, expansion, width = shape
    entrance, norm = x, 1
    if expansion > 1:
        x = _convolution(config, x, expansion * x.shape[-1], 1, f"{name}.conv_pw")
        x, norm = _norm_and_swish(config, x, f"{name}.bn1"), 2
    x = _depthwise(config, x, kernel, stride, f"{name}.conv_dw")
    x = _norm_and_swish(config, x, f"{name}.bn{norm}")
    x = _squeeze_excite(config, x, entrance.shape[-1] // _SQUEEZE_RATIO, f"{name}.se")
    narrow = f"{name}.conv_pwl" if expansion > 1 else f"{name}.conv_pw"
    x = _norm(config, _convolution(config, x, width, 1, narrow), f"{name}.bn{norm + 1}")
    if stride > 1 or width != entrance.shape[-1]:
        return x
    if drop:
        x = layers.Dropout(drop, noise_shape=(None, 1, 1, 1), name=f"{name}.drop_path")(x)
    return layers.Add(name=f"{name}.add")([x, entrance])


def _squeeze_excite(config: EfficientNetConfig, x, width: int, name: str):
    """Scale each channel by a sigmoid of all channels' means, through `width` channels."""
    scale = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}.mean")(x)
    scale = _convolution(config, scale, width, 1, f"{name}.conv_reduce", use_bias=True)
    scale = layers.Activation("silu", name=f"{name}.act1")(scale)
    scale = _convolution(config, scale, x.shape[-1], 1, f"{name}.conv_expand", use_bias=True)
    scale = layers.Activation("sigmoid", name=f"{name}.gate")(scale)
    return layers.Multiply(name=f"{name}.scale")([x, scale])


def _norm(config: EfficientNetConfig, x, name: str):
    return batch_norm(x, name, epsilon=config.epsilon, momentum=config.momentum)


def _norm_and_swish(config: EfficientNetConfig, x, name: str):
    return layers.Activation("silu", name=f"{name}.act")(_norm(config, x, name))


def _convolution(
    config: EfficientNetConfig,
    x,
    filters: int,
    kernel: int,
    name: str,
    *,
    stride: int = 1,
    use_bias: bool = False,
):
    fan_in = kernel * kernel * x.shape[-1]
    x, padding = _pad(config, x, kernel, stride, name)
    return layers.Conv2D(
        filters,
        kernel,
        strides=stride,
        padding=padding,
        use_bias=use_bias,
        kernel_initializer=he_fan_out() if config.he_init else torch_default(),
        bias_initializer="zeros" if config.he_init else torch_default_bias(fan_in),
        name=name,
    )(x)


def _depthwise(config: EfficientNetConfig, x, kernel: int, stride: int, name: str):
    x, padding = _pad(config, x, kernel, stride, name)
    # What PyTorch counts as a depthwise kernel's fan-in, Keras counts as its fan-out, and the
    # reverse: these are He's normal over PyTorch's fan-out and PyTorch's default.
    scaling = keras.initializers.VarianceScaling
    he, default = scaling(2.0, "fan_in", "untruncated_normal"), scaling(1 / 3, "fan_out", "uniform")
    return layers.DepthwiseConv2D(
        kernel,
        strides=stride,
        padding=padding,
        use_bias=False,
        depthwise_initializer=he if config.he_init else default,
        name=name,
    )(x)


def _pad(config: EfficientNetConfig, x, kernel: int, stride: int, name: str):
    """The map and the padding that is left to the convolution itself."""
    if stride == 1 or config.tensorflow_padding:
        return x, "same"
    return layers.ZeroPadding2D(kernel // 2, name=f"{name}.pad")(x), "valid"


# timm's name: torchvision's, efficientnet_pytorch's.
_OUTSIDE_BLOCKS = {
    "conv_stem": ("features.0.0", "_conv_stem"),
    "bn1": ("features.0.1", "_bn0"),
    "conv_head": ("features.8.0", "_conv_head"),
    "bn2": ("features.8.1", "_bn1"),
}
_FIRST_STAGE = {
    "conv_dw": ("0.0", "_depthwise_conv"),
    "bn1": ("0.1", "_bn1"),
    "se.conv_reduce": ("1.fc1", "_se_reduce"),
    "se.conv_expand": ("1.fc2", "_se_expand"),
    "conv_pw": ("2.0", "_project_conv"),
    "bn2": ("2.1", "_bn2"),
}
_LATER_STAGES = {
    "conv_pw": ("0.0", "_expand_conv"),
    "bn1": ("0.1", "_bn0"),
    "conv_dw": ("1.0", "_depthwise_conv"),
    "bn2": ("1.1", "_bn1"),
    "se.conv_reduce": ("2.fc1", "_se_reduce"),
    "se.conv_expand": ("2.fc2", "_se_expand"),
    "conv_pwl": ("3.0", "_project_conv"),
    "bn3": ("3.1", "_bn2"),
}


def torchvision_module(layer_name: str) -> str:
    """The module of torchvision's `efficientnet_b0` for a layer of this network.

    "blocks.1.0.conv_dw" -> "features.2.0.block.1.0". A name that is no layer's stays as it is.
    """
    if layer_name in _OUTSIDE_BLOCKS:
        return _OUTSIDE_BLOCKS[layer_name][0]
    found = _block_part(layer_name)
    if found is None:
        return layer_name
    stage, block, (part, _) = found
    return f"features.{stage + 1}.{block}.block.{part}"


def lukemelas_module(layer_name: str) -> str:
    """The module of efficientnet_pytorch's "efficientnet-b0" for a layer of this network.

    "blocks.1.0.conv_dw" -> "_blocks.1._depthwise_conv": it counts the blocks of all stages in one
    row. A name that is no layer's stays as it is.
    """
    if layer_name in _OUTSIDE_BLOCKS:
        return _OUTSIDE_BLOCKS[layer_name][1]
    found = _block_part(layer_name)
    if found is None:
        return layer_name
    stage, block, (_, part) = found
    before = sum(row[-1] for row in _STAGES[:stage])
    return f"_blocks.{before + block}.{part}"


def _block_part(layer_name: str) -> tuple[int, int, tuple[str, str]] | None:
    """Stage, block and the two other names of a block's layer; None where it is none of ours."""
    found = re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(.+)", layer_name)
    if found is None:
        return None
    stage, block, part = int(found[1]), int(found[2]), found[3]
    parts = _FIRST_STAGE if stage == 0 else _LATER_STAGES
    return (stage, block, parts[part]) if part in parts else None
