"""Find the numbers of a PyTorch state dict for each weight of a Keras network of ours.

The layers of our networks are named as PyTorch's modules are, so an entry's layer is the one of its
name, or of the name that a function gives where two programs differ. The layout differs, too:
PyTorch keeps kernels as (out, in, height, width).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import keras
import numpy as np
from keras import layers

# Entries that belong to no layer of a backbone: classifiers, the auxiliary one, batch counters.
CLASSIFIERS = ("fc.", "_fc.", "classifier.", "head.", "last_linear.", "AuxLogits.")
_COUNTER = "num_batches_tracked"

ModuleOf = Callable[[str], str]


def same_name(layer_name: str) -> str:
    """The PyTorch module of a layer that is named as the module."""
    return layer_name


def assign_state_dict(
    model: keras.Model, state: Mapping[str, np.ndarray], module_of: ModuleOf = same_name
) -> None:
    """Assign every weight of `model` from a state dict; all of it fits, or nothing is assigned.

    Args and errors as `match_state_dict`.
    """
    for weight, array in match_state_dict(model, state, module_of):
        weight.assign(array)


def match_state_dict(
    model: keras.Model, state: Mapping[str, np.ndarray], module_of: ModuleOf = same_name
) -> list[tuple[keras.Variable, np.ndarray]]:
    """Each weight of `model` with its numbers in Keras' layout; nothing is assigned.

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
        for weight, (suffix, to_keras) in zip(layer.weights, _entries(layer), strict=True):
            entry = f"{module_of(layer.name)}.{suffix}"
            values.append((weight, _fitting(layer, weight, entry, to_keras, state)))
            taken.add(entry)
    foreign = [entry for entry in state if entry not in taken and not _is_left_out(entry)]
    if foreign:
        raise ValueError(
            f"the file's entry {foreign[0]!r}, of shape {state[foreign[0]].shape}, has no layer in "
            f"the network ({len(foreign)} entries have none)"
        )
    return values


def best_module_of(
    model: keras.Model, state: Mapping[str, np.ndarray], candidates: Iterable[ModuleOf]
) -> ModuleOf:
    """Of several ways to name the layers, the first of those that find the most entries."""

    def found(module_of: ModuleOf) -> int:
        return sum(f"{module_of(y.name)}.weight" in state for y in model.layers if y.weights)

    return max(candidates, key=found)


def _fitting(layer, weight, entry: str, to_keras, state: Mapping[str, np.ndarray]) -> np.ndarray:
    shape = tuple(weight.shape)
    if entry not in state:
        raise ValueError(
            f"layer {layer.name!r} has a {weight.name} of shape {shape}, the file has no entry "
            f"{entry!r}"
        )
    array = np.asarray(state[entry])
    value = to_keras(array)
    if value.shape != shape:
        raise ValueError(
            f"layer {layer.name!r} has a {weight.name} of shape {shape}, the file's entry "
            f"{entry!r} is {array.shape}"
            + (f" in PyTorch's order, {value.shape} in Keras'" if array.ndim > 1 else "")
        )
    return value


def _is_left_out(entry: str) -> bool:
    return entry.startswith(CLASSIFIERS) or entry.endswith(_COUNTER)


def _entries(layer) -> list[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """(suffix of the entry, to Keras' layout) for each weight of a layer, in Keras' order."""
    if not layer.weights:
        return []
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
