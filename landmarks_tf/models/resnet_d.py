"""What ResNeSt and Res2Net-vd took from ResNet-D: the deep stem and the averaging shortcut.

He et al., "Bag of Tricks for Image Classification with Convolutional Neural Networks" (CVPR 2019,
arXiv 1812.01187, section 4.2). "vd" is PaddlePaddle's word for it.
"""

from __future__ import annotations

from collections.abc import Callable

from keras import layers

from landmarks_tf.models.blocks import batch_norm, convolution


def deep_stem(x, width: int, init: Callable):
    """Three 3x3 convolutions where ResNet has one of 7x7.

    Args:
        x: (B, S, S, 3) pixels.
        width: channels of the first two; the third has twice as many.
        init: returns a new initialiser.

    Returns:
        (B, S/2, S/2, 2 * width) after the last ReLU; the maximum pool comes next.
    """
    x = convolution(x, width, 3, stride=2, padding=1, initializer=init(), name="conv1.0")
    x = layers.ReLU(name="conv1.2")(batch_norm(x, "conv1.1"))
    x = convolution(x, width, 3, padding=1, initializer=init(), name="conv1.3")
    x = layers.ReLU(name="conv1.5")(batch_norm(x, "conv1.4"))
    x = convolution(x, 2 * width, 3, padding=1, initializer=init(), name="conv1.6")
    return layers.ReLU(name="act1")(batch_norm(x, "bn1"))


def averaging_shortcut(x, filters: int, stride: int, init: Callable, name: str):
    """A stage's first shortcut: average instead of skipping pixels, then a 1x1.

    At an odd side the last window reaches over the edge and averages the pixels that are there
    (PyTorch's `ceil_mode` with `count_include_pad=False`): what Keras' "same" does at 2x2.

    Args:
        x: (B, h, w, C).
        filters: channels of the output.
        stride: 2, or 1 for no averaging.
        init: returns a new initialiser.
        name: the block's name.

    Returns:
        (B, ceil(h / stride), ceil(w / stride), filters).
    """
    if stride > 1:
        x = layers.AveragePooling2D(
            stride, strides=stride, padding="same", name=f"{name}.downsample.0"
        )(x)
    x = convolution(x, filters, 1, initializer=init(), name=f"{name}.downsample.1")
    return batch_norm(x, f"{name}.downsample.2")
