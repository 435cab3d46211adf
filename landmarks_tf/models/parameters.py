"""Parameter counts: what is learned, what is stored, and where."""

from __future__ import annotations

import math
from collections.abc import Iterable

import keras


def _size(variables: Iterable) -> int:
    return sum(math.prod(v.shape) for v in variables)


def count_parameters(model: keras.Model) -> dict:
    """Count a model's parameters.

    Random-seed states are no parameters and are left out.

    Returns:
        {"trainable": int, "total": int, "by_block": {block: trainable int}}. A block is the part
        of a layer's name that it shares with its neighbours: `mixed_6a_1x3_conv` -> `mixed_6a`,
        `layer1.0.conv2` -> `layer1`, `blocks.3.1.conv_pw` -> `blocks.3`.
    """
    by_block: dict[str, int] = {}
    for layer in _leaf_layers(model):
        size = _size(layer.trainable_weights)
        if size:
            block = _block_of(layer.name)
            by_block[block] = by_block.get(block, 0) + size
    return {
        "trainable": _size(model.trainable_weights),
        "total": _size(model.weights),
        "by_block": by_block,
    }


def _leaf_layers(model: keras.Model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaf_layers(layer)
        else:
            yield layer


def _block_of(name: str) -> str:
    if "." in name:
        first, second = name.split(".")[:2]
        numbered = second.isdigit() and not first[-1].isdigit()
        return f"{first}.{second}" if numbered else first
    parts = name.split("_")
    return "_".join(parts[:2]) if parts[0] in ("mixed", "block", "conv") else parts[0]
