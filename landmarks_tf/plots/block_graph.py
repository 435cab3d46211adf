"""A block of a built Keras network, read back as branches of boxes for a drawing.

What is drawn is what the network computes: nothing here knows any architecture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
from keras import layers

_QUIET = {layers.BatchNormalization: "batch norm", layers.ReLU: "ReLU"}
_POOLS = {layers.MaxPooling2D: "max pool", layers.AveragePooling2D: "average pool"}


@dataclass(frozen=True)
class Box:
    """One layer, with the norm and the activation behind it.

    Attributes:
        layer: its name.
        title: what it is, "3x3 conv"; kernels are height by width.
        settings: filters and stride, and whether a layer before it pads its map with zeros.
        shape: (height, width, channels) of its output.
        then: what follows it at once: "batch norm", "ReLU".
    """

    layer: str
    title: str
    settings: str
    shape: tuple[int, int, int]
    then: tuple[str, ...] = ()

    def lines(self) -> tuple[str, ...]:
        """What its box says."""
        return tuple(line for line in (self.title, self.settings, size_text(self.shape)) if line)


@dataclass(frozen=True)
class Fork:
    """Branches that start from one map and are joined again.

    Attributes:
        branches: each a sequence of boxes and forks, in the order of the join; empty for a branch
            that hands its map on as it is.
        join: the layer that joins them.
    """

    branches: tuple[tuple[Box | Fork, ...], ...]
    join: Box


@dataclass(frozen=True)
class BlockGraph:
    """A block from the one map it reads to the one it makes.

    Attributes:
        name: what its layers' names begin with.
        entrance: (height, width, channels) of the map it reads.
        steps: boxes and forks, in order.
        parameters: learnable ones.
    """

    name: str
    entrance: tuple[int, int, int]
    steps: tuple[Box | Fork, ...]
    parameters: int

    @property
    def exit(self) -> tuple[int, int, int]:
        """(height, width, channels) of the map it makes."""
        last = self.steps[-1]
        return last.join.shape if isinstance(last, Fork) else last.shape

    @property
    def branches(self) -> tuple[tuple[Box, ...], ...]:
        """The boxes of each branch of its last fork, or all its boxes as one branch."""
        last = self.steps[-1]
        return tuple(map(boxes_of, last.branches if isinstance(last, Fork) else [self.steps]))


def boxes_of(steps: Sequence[Box | Fork]) -> tuple[Box, ...]:
    """Every box but the joins, branch by branch."""
    found: list[Box] = []
    for step in steps:
        if isinstance(step, Fork):
            found += [box for branch in step.branches for box in boxes_of(branch)]
        else:
            found.append(step)
    return tuple(found)


def size_text(shape: Sequence[int]) -> str:
    """(17, 17, 768) -> "17x17x768"."""
    return "x".join(map(str, shape))


def read_blocks(model: keras.Model, pattern: str) -> tuple[BlockGraph, ...]:
    """The blocks of a network in its layers' order.

    Args:
        model: the network, a flat graph.
        pattern: of a block's name, which its layers' names begin with.
    """
    found = (re.match(rf"({pattern})[_.]", layer.name) for layer in model.layers)
    names = dict.fromkeys(match.group(1) for match in found if match)
    return tuple(read_block(model, name) for name in names)


def read_block(model: keras.Model, block: str) -> BlockGraph:
    """The layers named `<block>_...` or `<block>....` between their entrance and their exit.

    Raises:
        ValueError: no such layers, or they have not one entrance and one exit.
    """
    members = [y for y in model.layers if y.name.startswith((f"{block}_", f"{block}."))]
    if not members:
        raise ValueError(f"{model.name} has no layer whose name begins with {block!r}.")
    read = [tensor for layer in members for tensor in _inputs(layer)]
    made = [layer.output for layer in members]
    entrances = _without(read, made)
    exits = _without(made, read)
    if len(entrances) != 1 or len(exits) != 1:
        raise ValueError(
            f"A block has one entrance and one exit. The layers of {model.name} that begin with "
            f"{block!r} have {len(entrances)} and {len(exits)}."
        )
    walk = _Walk(members)
    return BlockGraph(
        block,
        entrances[0].shape[1:],
        walk.steps(exits[0], entrances[0]),
        sum(math.prod(w.shape) for layer in members for w in layer.trainable_weights),
    )


class _Walk:
    """Backwards through the graph, from a map to one that it was made of."""

    def __init__(self, members: Sequence[keras.Layer]):
        self._makers = {id(layer.output): layer for layer in members}

    def steps(self, tensor, start) -> tuple[Box | Fork, ...]:
        found: list[Box | Fork] = []
        behind: list[str] = []
        while tensor is not start:
            layer = self._makers[id(tensor)]
            tensor = self._before(layer, start)
            if len(_inputs(layer)) > 1:
                branches = tuple(self.steps(end, tensor) for end in _inputs(layer))
                found.append(Fork(branches, _join(layer)))
            elif quiet := [text for kind, text in _QUIET.items() if isinstance(layer, kind)]:
                behind.insert(0, quiet[0])
            elif isinstance(layer, layers.ZeroPadding2D) and found:
                found[-1] = replace(found[-1], settings=f"{found[-1].settings}, zero-padded")
            else:
                found.append(_box(layer, tuple(behind)))
                behind = []
        return tuple(reversed(found))

    def _before(self, layer: keras.Layer, start):
        """The map that a layer reads; of a join, the last one that all its branches come from."""
        first, *others = (self._path(tensor, start) for tensor in _inputs(layer))
        shared = set.intersection(set(map(id, first)), *(set(map(id, path)) for path in others))
        return next(tensor for tensor in first if id(tensor) in shared)

    def _path(self, tensor, start) -> list:
        path = [tensor]
        while tensor is not start:
            tensor = self._before(self._makers[id(tensor)], start)
            path.append(tensor)
        return path


def _inputs(layer: keras.Layer) -> list:
    return layer.input if isinstance(layer.input, list) else [layer.input]


def _without(tensors: list, others: list) -> list:
    """The tensors that are none of the others, each once."""
    excluded = set(map(id, others))
    return list({id(t): t for t in tensors if id(t) not in excluded}.values())


def _box(layer: keras.Layer, then: tuple[str, ...]) -> Box:
    shape = layer.output.shape[1:]
    if isinstance(layer, layers.Conv2D):
        settings = f"{layer.filters} filters, {_stride(layer.strides)}"
        return Box(layer.name, f"{size_text(layer.kernel_size)} conv", settings, shape, then)
    if type(layer) in _POOLS:
        title = f"{size_text(layer.pool_size)} {_POOLS[type(layer)]}"
        return Box(layer.name, title, _stride(layer.strides), shape, then)
    return Box(layer.name, type(layer).__name__, "", shape, then)


def _join(layer: keras.Layer) -> Box:
    """A concatenation says the channels that it puts side by side."""
    shape = layer.output.shape[1:]
    if not isinstance(layer, layers.Concatenate):
        return Box(layer.name, type(layer).__name__, "", shape)
    channels = " + ".join(str(tensor.shape[-1]) for tensor in layer.input)
    return Box(layer.name, "concat", f"{channels} channels", shape)


def _stride(strides: tuple[int, int]) -> str:
    return f"stride {strides[0] if len(set(strides)) == 1 else size_text(strides)}"
