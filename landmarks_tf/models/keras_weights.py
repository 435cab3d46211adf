"""Find the arrays of a Keras weights file for each weight of a network, by the layers' names."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np

from landmarks_tf.models.keras_files import (
    StoredLayer,
    class_keys,
    numbers_of,
    open_layers,
)


def read_keras_weights(
    model: keras.Model, path: str | Path, *, by_order: bool = False
) -> list[tuple[keras.Variable, np.ndarray]]:
    """Each weight of `model` with its array from a file; nothing is assigned.

    Args:
        model: one flat graph.
        path: a .h5, .weights.h5 or .keras file.
        by_order: where the names of an .h5 file differ, take its layers in their order if every
            shape agrees, as Keras itself does. Only for networks that `keras.applications` builds,
            whose published files may use names of older versions.

    Raises:
        ValueError: the file cannot be read, or a layer does not fit; the first is named, with the
            shapes of both sides.
        OSError: the file cannot be read.
    """
    ours = [layer for layer in model.layers if layer.weights]
    with open_layers(path) as stored:
        try:
            layers = _by_name(model, ours, stored)
        except ValueError:
            # The files of Keras 3 hold their layers in no order: there name and key differ.
            has_order = all(layer.name == layer.key for layer in stored)
            fits = [_shapes(layer) for layer in ours] == [layer.shapes for layer in stored]
            if not (by_order and has_order and fits):
                raise
            layers = stored
        return [
            (weight, numbers_of(array))
            for layer, found in zip(ours, layers, strict=True)
            for weight, array in zip(layer.weights, found.arrays, strict=True)
        ]


def _by_name(model: keras.Model, ours: list, stored: list[StoredLayer]) -> list[StoredLayer]:
    """The stored layer of each of ours; all are found, and none is left over."""
    left = _named(model, stored)
    counts = f"expected {len(ours)} layers, found {len(stored)}"
    found = []
    for layer in ours:
        if layer.name not in left:
            raise ValueError(
                f"layer {layer.name!r} has weights of shapes {_listed(_shapes(layer))}, the file "
                f"has no layer of that name ({counts})"
            )
        found.append(left.pop(layer.name))
        if found[-1].shapes != _shapes(layer):
            raise ValueError(
                f"layer {layer.name!r} has weights of shapes {_listed(_shapes(layer))}, the file's "
                f"are {_listed(found[-1].shapes)} ({counts})"
            )
    for name, layer in left.items():
        raise ValueError(
            f"the file's layer {name!r} has weights of shapes {_listed(layer.shapes)}, the network "
            f"has no layer of that name ({counts})"
        )
    return found


def _named(model: keras.Model, stored: list[StoredLayer]) -> dict[str, StoredLayer]:
    """The stored layers by name; where a file holds no names, by counting the model's classes."""
    keys = class_keys([type(layer).__name__ for layer in model.layers])
    names = dict(zip(keys, (layer.name for layer in model.layers), strict=True))
    by_name = {}
    for layer in stored:
        name = names.get(layer.key, layer.key) if layer.name is None else layer.name
        if name in by_name:
            raise ValueError(f"the file holds two layers {name!r}")
        by_name[name] = layer
    return by_name


def _shapes(layer: keras.layers.Layer) -> list[tuple[int, ...]]:
    return [tuple(weight.shape) for weight in layer.weights]


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes))
