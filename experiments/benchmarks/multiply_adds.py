"""What one forward pass of a network computes, counted layer by layer."""

from __future__ import annotations

import math

import keras
from keras import layers


def count_multiply_adds(model: keras.Model) -> int:
    """Multiply-adds of the convolutions and dense layers for one picture.

    One multiply-add is two floating-point operations (FLOPs), though much of the field's writing
    calls it one. Norms, activations, poolings and sums are left out, as is usual: together they
    are about one hundredth. Where a kernel reaches over the edge, its zeros are counted.

    Args:
        model: a functional model that calls each of its layers once, for one size of input.

    Raises:
        ValueError: a layer has a kernel and is of a kind that this function does not know.
    """
    return sum(_of_layer(layer) for layer in model.layers)


def _of_layer(layer) -> int:
    if isinstance(layer, keras.Model):
        return count_multiply_adds(layer)
    if isinstance(layer, layers.Conv2D):
        # (height, width, channels of one group, filters): every output sees the first three.
        return _outputs(layer) * math.prod(layer.kernel.shape[:-1])
    if isinstance(layer, layers.DepthwiseConv2D):
        return _outputs(layer) * math.prod(layer.kernel_size)
    if isinstance(layer, layers.Dense):
        return _outputs(layer) * layer.kernel.shape[0]
    if any(len(weight.shape) > 1 for weight in layer.weights):
        raise ValueError(
            f"The multiply-adds of a {type(layer).__name__} (layer {layer.name!r}) are not known. "
            f"Add its formula to {__name__}."
        )
    return 0


def _outputs(layer) -> int:
    """Numbers that the layer makes of one picture."""
    return math.prod(layer.output.shape[1:])
