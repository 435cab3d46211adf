"""Where in the picture the positions of a feature map look: the centres of their receptive fields.

Padding shifts them. With TensorFlow's "same" at even sizes each halving looks half a pixel further
to the right and down, with PyTorch's symmetric padding half a pixel less: after five halvings that
is half a position of the map, in opposite directions. The arithmetic is that of Dumoulin and Visin,
"A guide to convolution arithmetic" (arXiv 1603.07285), followed from the map back to the input.
"""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

_WINDOWS = (layers.Conv2D, layers.DepthwiseConv2D, layers.MaxPooling2D, layers.AveragePooling2D)


def position_centres(model: keras.Model, feature_map) -> tuple[np.ndarray, np.ndarray] | None:
    """Pixel coordinates of the middle of what each position sees.

    Args:
        model: a functional model of (B, H, W, 3) pictures of a fixed size.
        feature_map: its symbolic (B, h, w, C) tensor.

    Returns:
        rows (h,) and columns (w,), in pixels from the middle of the first pixel; None where a layer
        on the way changes the size in a way that is not known here.
    """
    makers = {
        id(tensor): operation
        for operation in model.operations
        for tensor in _as_list(operation.output)
    }
    scale, shift = np.ones(2), np.zeros(2)
    tensor = feature_map
    while id(tensor) != id(_as_list(model.input)[0]):
        operation = makers.get(id(tensor))
        if operation is None or None in tensor.shape[1:3]:
            return None
        before = _widest(_as_list(operation.input))
        step = _step(operation, before.shape[1:3], tensor.shape[1:3])
        if step is None:
            return None
        # A position p of this map is at stride * p + offset of the one before it.
        stride, offset = step
        scale, shift = scale * stride, shift * stride + offset
        tensor = before
    rows, columns = (np.arange(size) for size in feature_map.shape[1:3])
    return scale[0] * rows + shift[0], scale[1] * columns + shift[1]


def _as_list(tensors) -> list:
    return list(tensors) if isinstance(tensors, list | tuple) else [tensors]


def _widest(tensors: list):
    """The input that carries positions; gates of squeeze-and-excitation have few or none."""
    maps = [tensor for tensor in tensors if len(tensor.shape) == 4]
    return max(maps or tensors, key=lambda tensor: tensor.shape[1] or 0)


def _step(operation, before, after) -> tuple[np.ndarray, np.ndarray] | None:
    """(stride, offset) by axis from a map to the one that it was made of."""
    nothing = np.ones(2), np.zeros(2)
    if isinstance(operation, layers.ZeroPadding2D):
        return nothing[0], -np.array([sides[0] for sides in operation.padding], float)
    if isinstance(operation, _WINDOWS):
        kernel = np.array(getattr(operation, "kernel_size", None) or operation.pool_size)
        dilation = np.array(getattr(operation, "dilation_rate", (1, 1)))
        strides = np.array(operation.strides)
        reach = (kernel - 1) * dilation
        if operation.padding == "same":
            missing = np.maximum((np.array(after) - 1) * strides + reach + 1 - np.array(before), 0)
        else:
            missing = np.zeros(2, int)
        return strides.astype(float), reach / 2 - missing // 2
    return nothing if tuple(before) == tuple(after) else None
