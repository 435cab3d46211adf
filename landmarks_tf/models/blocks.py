"""Building blocks with PyTorch's conventions, which most sources' programs follow.

Keras differs from PyTorch in silent ways (reproduction.md section 6): "same" padding at stride 2
pads below and to the right only, batch norm's defaults are others, and so are the initial values
of dense layers. These blocks say each of them explicitly.

Layers are named as the modules of the PyTorch networks are, dots included ("layer1.0.conv1"), so
that a state dict's entry belongs to the layer of the same name and Keras weights can be read
beside the original program.
"""

from __future__ import annotations

import keras
from keras import layers

from landmarks_tf.layers import BatchNorm, GroupedConv2D

Pair = int | tuple[int, int]


def as_pair(value: Pair) -> tuple[int, int]:
    """3 -> (3, 3); (1, 7) stays (1, 7)."""
    return (value, value) if isinstance(value, int) else value


def torch_default():
    """PyTorch's initial kernel of `Conv2d` and `Linear`: uniform within +-1/sqrt(fan_in)."""
    return keras.initializers.VarianceScaling(1 / 3, "fan_in", "uniform")


def torch_default_bias(fan_in: int):
    """PyTorch's initial bias of `Conv2d` and `Linear`: uniform within +-1/sqrt(fan_in)."""
    bound = fan_in**-0.5
    return keras.initializers.RandomUniform(-bound, bound)


def he_fan_out():
    """He's normal over fan-out, uncut: torchvision's ResNets (He et al., ICCV 2015)."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")


# How a source starts its dense layers: name -> function of fan-in -> (kernel, bias) initialisers.
DENSE_INITS = {
    "keras": lambda fan_in: ("glorot_uniform", "zeros"),
    "torch": lambda fan_in: (torch_default(), torch_default_bias(fan_in)),
    # S2's Inception: a normal of sigma 0.1 cut at two sigma; biases as PyTorch has them.
    "inception": lambda fan_in: (
        keras.initializers.TruncatedNormal(stddev=0.1),
        torch_default_bias(fan_in),
    ),
}


def dense(x, width: int, *, init: str, name: str, **options):
    """A dense layer whose initial values are the source's.

    Args:
        x: (B, D).
        width: units.
        init: a key of `DENSE_INITS`.
        name: the layer's name.
        options: what else `keras.layers.Dense` takes.
    """
    kernel, bias = DENSE_INITS[init](x.shape[-1])
    return layers.Dense(
        width, kernel_initializer=kernel, bias_initializer=bias, name=name, **options
    )(x)


def convolution(
    x,
    filters: int,
    kernel: Pair,
    *,
    name: str,
    stride: Pair = 1,
    padding: Pair = 0,
    groups: int = 1,
    use_bias: bool = False,
    initializer=None,
):
    """A convolution whose padding is symmetric, as PyTorch's is.

    At stride 1 a padding of half an odd kernel is what Keras calls "same"; any other is made by a
    layer of its own, `<name>.pad`.

    Args:
        x: (B, h, w, C).
        filters: channels of the output.
        kernel: height and width.
        name: the module's name in the source's PyTorch program.
        stride: vertical and horizontal.
        padding: rows above and below, columns left and right.
        groups: into how many the channels are split.
        use_bias: add a bias, PyTorch's default at the start.
        initializer: of the kernel; None for PyTorch's default.

    Returns:
        (B, h', w', filters).
    """
    kernel, padding, stride = as_pair(kernel), as_pair(padding), as_pair(stride)
    keeps_size = stride == (1, 1) and padding == tuple((k - 1) / 2 for k in kernel)
    fan_in = kernel[0] * kernel[1] * x.shape[-1] // groups
    if not keeps_size and any(padding):
        x = layers.ZeroPadding2D(padding, name=f"{name}.pad")(x)
    make = layers.Conv2D if groups == 1 else GroupedConv2D
    return make(
        filters,
        kernel,
        strides=stride,
        padding="same" if keeps_size else "valid",
        groups=groups,
        use_bias=use_bias,
        kernel_initializer=torch_default() if initializer is None else initializer,
        bias_initializer=torch_default_bias(fan_in) if use_bias else None,
        name=name,
    )(x)


def batch_norm(x, name: str, *, epsilon: float = 1e-5, momentum: float = 0.9, gamma: str = "ones"):
    """Batch norm with PyTorch's defaults: its momentum 0.1 is Keras' 0.9.

    One difference stays: Keras' moving variance takes in the biased variance of a batch, PyTorch's
    the unbiased one, n / (n - 1) times larger for n values a channel.
    """
    return BatchNorm(epsilon=epsilon, momentum=momentum, gamma_initializer=gamma, name=name)(x)


def max_pool_padded(x, size: int, stride: int, padding: int, name: str):
    """Maximum pooling of maps that are nowhere negative, padded symmetrically.

    PyTorch pads with minus infinity. After a ReLU a zero never exceeds the maximum of a window
    that holds at least one real value, so zeros do the same.
    """
    x = layers.ZeroPadding2D(padding, name=f"{name}.pad")(x)
    return layers.MaxPooling2D(size, strides=stride, name=name)(x)


def average_pool_counting_zeros(x, size: int, stride: int, padding: int, name: str):
    """Average pooling whose padding counts as zeros, PyTorch's default."""
    x = layers.ZeroPadding2D(padding, name=f"{name}.pad")(x)
    return layers.AveragePooling2D(size, strides=stride, name=name)(x)
