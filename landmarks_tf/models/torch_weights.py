"""Put the numbers of a PyTorch state dict into a Keras network of ours.

The layers of our networks are named as PyTorch's modules are, so an entry's layer is the one of its
name. What differs is the layout: PyTorch keeps kernels as (out, in, height, width).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras
import numpy as np
from keras import layers

# Entries that belong to no layer of a backbone: classifiers, counters of batches.
_LEFT_OUT = ("fc.", "classifier.", "head.", "last_linear.", "AuxLogits.")


def assign_state_dict(
    model: keras.Model,
    state: Mapping[str, np.ndarray],
    module_of: Callable[[str], str] = lambda name: name,
) -> None:
    """Assign every weight of `model` from a state dict; all of it fits, or nothing is assigned.

    Args:
        model: a backbone's model, or any model whose layers are named as PyTorch's modules.
        state: entry -> array, in PyTorch's layout.
        module_of: the PyTorch module of a layer's name, where the two differ.

    Raises:
        ValueError: a layer without its entry or with one of another shape (the first is named,
            with both shapes), or an entry that no layer takes: then it is another network's.
    """
    taken, values = set(), []
    for layer in model.layers:
        if not layer.weights:
            continue
        module = module_of(layer.name)
        for weight, (suffix, to_keras) in zip(layer.weights, _entries(layer), strict=True):
            entry = f"{module}.{suffix}"
            if entry not in state:
                raise ValueError(f"layer {layer.name!r} needs the entry {entry!r}, which it lacks")
            value = to_keras(np.asarray(state[entry]))
            if value.shape != tuple(weight.shape):
                raise ValueError(
                    f"layer {layer.name!r} has {weight.name} of shape {tuple(weight.shape)}, the "
                    f"entry {entry!r} gives {value.shape}"
                )
            taken.add(entry)
            values.append((weight, value))
    foreign = [
        entry
        for entry in state
        if entry not in taken
        and not entry.startswith(_LEFT_OUT)
        and not entry.endswith("num_batches_tracked")
    ]
    if foreign:
        raise ValueError(
            f"it holds {len(foreign)} entries that no layer takes, the first is {foreign[0]!r}"
        )
    for weight, value in values:
        weight.assign(value)


def _entries(layer) -> list[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """(suffix of the entry, to Keras' layout) for each weight of a layer, in Keras' order."""
    if isinstance(layer, layers.BatchNormalization):
        suffixes = ("weight", "bias", "running_mean", "running_var")
        return [(suffix, _as_is) for suffix in suffixes]
    if isinstance(layer, layers.DepthwiseConv2D):
        kernel = _depthwise_kernel
    elif isinstance(layer, layers.Conv2D):
        kernel = _convolution_kernel
    elif isinstance(layer, layers.Dense):
        kernel = np.transpose
    else:
        raise ValueError(f"layer {layer.name!r}, a {type(layer).__name__}, has no PyTorch twin")
    return [("weight", kernel), ("bias", _as_is)][: len(layer.weights)]


def _as_is(array: np.ndarray) -> np.ndarray:
    return array


def _convolution_kernel(array: np.ndarray) -> np.ndarray:
    """(out, in / groups, h, w) -> (h, w, in / groups, out)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def _depthwise_kernel(array: np.ndarray) -> np.ndarray:
    """(channels, 1, h, w) -> (h, w, channels, 1)."""
    return array.transpose(2, 3, 0, 1) if array.ndim == 4 else array
