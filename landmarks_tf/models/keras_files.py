"""Read Keras' weight files layer by layer: .h5 of Keras 1 and 2, .weights.h5 and .keras of Keras 3.

Keras' own loader goes by the order of the layers, names no layer where a file does not fit, leaves
what it has assigned so far, and only warns where a file leaves layers at random. Here every array
is found by its layer's name and compared before any is read.

Which of the formats a file is shows in its contents; its ending does not matter.
"""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h5py
import ml_dtypes  # comes with Keras
import numpy as np

HDF5_START = b"\x89HDF\r\n\x1a\n"
ZIPPED_WEIGHTS = "model.weights.h5"


@dataclass(frozen=True)
class StoredLayer:
    """A layer's arrays in an open file, in the order of `layer.weights`.

    Attributes:
        name: the layer's name; None in files of Keras 3 before 3.10, which hold none.
        key: its name inside the file: for Keras 3 made of its class, "conv2d_7".
        arrays: unread.
    """

    name: str | None
    key: str
    arrays: tuple[h5py.Dataset, ...]

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        return [tuple(array.shape) for array in self.arrays]


@contextlib.contextmanager
def open_layers(path: str | Path) -> Iterator[list[StoredLayer]]:
    """The layers that a file holds arrays of, in the file's order, while it is open.

    Raises:
        ValueError: the file is cut short, or none that Keras wrote.
        OSError: the file cannot be read.
    """
    with contextlib.ExitStack() as stack:
        try:
            layers = list(_layers(_open(Path(path), stack)))
        # h5py raises whatever a damaged file leads to; what opening a file raises goes on as it is.
        except Exception as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            raise ValueError(
                f"{path} is no Keras weights file that can be read: {_one_line(error)}."
            ) from None
        yield layers


def names_in(path: str | Path) -> list[str]:
    """The names of the layers that a file holds arrays of, or what stands there for them.

    Errors as `open_layers`.
    """
    with open_layers(path) as layers:
        return [layer.name or layer.key for layer in layers]


def numbers_of(array: h5py.Dataset) -> np.ndarray:
    """Read an array; Keras writes bfloat16 as bare bytes, which come as float32.

    Raises:
        ValueError: the file is damaged there, or holds something else than numbers.
    """
    try:
        numbers = np.asarray(array)
        if array.attrs.get("dtype") == "bfloat16":
            numbers = numbers.view(ml_dtypes.bfloat16).astype(np.float32)
    except Exception as error:
        raise ValueError(f"the array {array.name} cannot be read: {_one_line(error)}") from None
    if numbers.dtype.kind not in "fiub":
        raise ValueError(f"the array {array.name} holds {numbers.dtype} and no numbers")
    return numbers


def class_keys(class_names: list[str]) -> list[str]:
    """How Keras 3 names layers in a file: by class, counted, as "conv2d", "conv2d_1", ..."""
    keys, seen = [], {}
    for name in class_names:
        snake = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
        snake = re.sub(r"([a-z])([A-Z])", r"\1_\2", snake).lower()
        seen[snake] = seen.get(snake, -1) + 1
        keys.append(f"{snake}_{seen[snake]}" if seen[snake] else snake)
    return keys


def _open(path: Path, stack: contextlib.ExitStack) -> h5py.File:
    with path.open("rb") as file:
        is_zip = file.read(2) == b"PK"
    if not is_zip:
        return stack.enter_context(h5py.File(path, "r"))
    with zipfile.ZipFile(path) as archive:
        if ZIPPED_WEIGHTS not in archive.namelist():
            raise ValueError(f"it is a zip without {ZIPPED_WEIGHTS!r}")
        data = io.BytesIO(archive.read(ZIPPED_WEIGHTS))
    return stack.enter_context(h5py.File(data, "r"))


def _layers(file: h5py.File) -> Iterator[StoredLayer]:
    if "layer_names" not in file.attrs and "model_weights" in file:
        file = _child(file, "model_weights", h5py.Group)  # a whole model, by Keras 1 or 2
    if "layers" in file:
        yield from _keras3_layers(_child(file, "layers", h5py.Group))
    elif any(name.startswith("layer_names") for name in file.attrs):
        for name in _texts(file, "layer_names"):
            group = _child(file, name, h5py.Group)
            arrays = [_child(group, key, h5py.Dataset) for key in _texts(group, "weight_names")]
            if arrays:
                yield StoredLayer(name, name, tuple(arrays))
    else:
        raise ValueError("it is HDF5, but holds no layers")


def _keras3_layers(group: h5py.Group) -> Iterator[StoredLayer]:
    for key in group:
        layer = _child(group, key, h5py.Group)
        if "vars" in layer:
            stored = _child(layer, "vars", h5py.Group)
            numbers = sorted(stored, key=int)
            if numbers:
                arrays = tuple(_child(stored, number, h5py.Dataset) for number in numbers)
                name = stored.attrs.get("name")
                yield StoredLayer(None if name is None else _text(name), key, arrays)
        if "layers" in layer:  # a model inside the model
            yield from _keras3_layers(_child(layer, "layers", h5py.Group))


def _child(group: h5py.Group, name: str, kind: type) -> h5py.Group | h5py.Dataset:
    """A member that lies in this file itself: a link may lead to any other file."""
    for part in name.split("/"):
        link = group.get(part, getlink=True)
        if not isinstance(link, h5py.HardLink):
            raise ValueError(f"its part {name!r} is missing or only a link")
        group = group[part]
    if not isinstance(group, kind):
        raise ValueError(f"its part {name!r} is no {kind.__name__.lower()}")
    if kind is h5py.Dataset and (group.external or group.is_virtual):
        raise ValueError(f"the numbers of its part {name!r} lie in another file")
    return group


def _texts(group: h5py.Group, name: str) -> list[str]:
    """A list of texts; Keras cuts one that is too long for an attribute into name0, name1, ..."""
    if name in group.attrs:
        return [_text(value) for value in group.attrs[name]]
    texts, part = [], 0
    while f"{name}{part}" in group.attrs:
        texts += [_text(value) for value in group.attrs[f"{name}{part}"]]
        part += 1
    return texts


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__
