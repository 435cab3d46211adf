"""Weights from one network into another that shares its layers: the next stage of a training."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import keras
import numpy as np


@dataclass(frozen=True)
class WarmStart:
    """Which layers with weights began where another network ended.

    Attributes:
        carried: names of the layers whose weights were taken over.
        new: name -> why the layer keeps its own initial weights.
    """

    carried: tuple[str, ...]
    new: dict[str, str]

    def __str__(self) -> str:
        reasons = [f"{name} ({reason})" for name, reason in self.new.items()]
        return f"{len(self.carried)} layers carried over; new: {', '.join(reasons) or 'none'}"


def carry_weights(
    source: keras.Model,
    target: keras.Model,
    *,
    fresh: Mapping[str, str] | None = None,
    required: Collection[str] = (),
) -> WarmStart:
    """Set each layer of `target` to the weights of the layer of the same name in `source`.

    A layer is carried whole or not at all: all its weights must agree in number and shape. Moving
    statistics are weights; the states of random seeds are not.

    Args:
        source: the network that was trained.
        target: the network that is about to be. Changed in place.
        fresh: layers that start anew whatever their shapes, such as the centres of other classes:
            name -> why.
        required: names of layers that must be carried, the backbone's for instance.

    Raises:
        ValueError: a required layer that `source` does not have, or has in another shape; nothing
            is changed.
    """
    found = {layer.name: layer for layer in source.layers if layer.weights}
    carried, new = {}, {}
    for layer in target.layers:
        if not layer.weights:
            continue
        reason = (fresh or {}).get(layer.name) or _why_not(layer, found.get(layer.name))
        if reason is None:
            carried[layer.name] = layer
        else:
            new[layer.name] = reason
    missing = [name for name in new if name in set(required)]
    if missing:
        raise ValueError(
            f"{missing[0]!r} of the new network and {len(missing) - 1} more of its layers cannot "
            f"start from the one before: {new[missing[0]]}. The networks must have one backbone."
        )
    for name, layer in carried.items():
        layer.set_weights([np.asarray(weight) for weight in found[name].weights])
    return WarmStart(tuple(carried), new)


def _why_not(layer, old) -> str | None:
    if old is None:
        return "not in the network before"
    shapes = [tuple(weight.shape) for weight in layer.weights]
    before = [tuple(weight.shape) for weight in old.weights]
    if shapes != before:
        return f"shapes {before} before, {shapes} now"
    return None
