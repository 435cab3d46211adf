"""Fill a network with pre-trained weights; errors that a person can act on."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import keras
import numpy as np

from landmarks_tf.models.keras_files import HDF5_START, ZIPPED_WEIGHTS, names_in
from landmarks_tf.models.keras_weights import read_keras_weights
from landmarks_tf.models.known_networks import guess_network
from landmarks_tf.models.pretrained import PRETRAINED, identify, rows_of
from landmarks_tf.models.published_weights import PretrainedWeights
from landmarks_tf.models.torch_files import STREAM_START, is_safetensors, read_state_dict
from landmarks_tf.models.torch_weights import (
    ModuleOf,
    best_module_of,
    match_state_dict,
    same_name,
)
from landmarks_tf.models.weight_downloads import fetch

SUFFIXES = ".h5, .weights.h5, .keras, .pth, .pt, .bin or .safetensors"


@dataclass(frozen=True)
class FoundWeights:
    """A file of weights.

    Attributes:
        path: where it lies.
        row: which of the table's files it is: by its name there, or, for a local file whatever its
            name is, by its hash. None for any other, such as weights of one's own training.
        is_cached: whether it lies in Keras' cache because the row's name was asked for.
    """

    path: Path
    row: PretrainedWeights | None = None
    is_cached: bool = False


def find_weights(name: str, weights: str | None) -> FoundWeights | None:
    """The file that `weights` means, downloaded if it must be; None for None.

    Args:
        name: the backbone, a key of `BACKBONES`.
        weights: None, "imagenet" (the backbone's first row in `PRETRAINED`), the name of one of
            its rows, or the path of a file.

    Raises:
        ValueError: there are no such weights.
        OSError: the download failed.
    """
    if weights is None:
        return None
    row = _row(name, weights)
    if row is not None:
        return FoundWeights(fetch(row), row, is_cached=True)
    path = _existing(name, weights)
    return FoundWeights(path, identify(path))


def check_weights(name: str, weights: str | None) -> None:
    """Refuse what `find_weights` would not find, without a download and without reading a file.

    Raises:
        ValueError: `weights` is neither a row of the backbone's nor the path of a file that may
            be one.
    """
    if weights is not None and _row(name, weights) is None:
        _is_keras(_existing(name, weights))


def load_weights(
    model: keras.Model,
    name: str,
    weights: str | FoundWeights | None,
    torch_modules: Mapping[str, ModuleOf] | None = None,
) -> None:
    """Fill a backbone's model from a file; all of it fits and is finite, or nothing is assigned.

    Args:
        model: the backbone's model, one flat graph.
        name: the backbone, a key of `BACKBONES`.
        weights: as `find_weights` takes them, or what it returned; None leaves the model as it
            is. A file is a Keras .h5, .weights.h5 or .keras of the same network without its top,
            or a PyTorch state dict, with or without its classifier.
        torch_modules: for programs whose names differ from the layers', the name of the program
            and a function of a layer's name that gives the module's. The one that fits best is
            taken.

    Raises:
        ValueError: there are no such weights, or the file does not hold this network's, whole and
            finite.
        OSError: the download failed, or a file cannot be read.
    """
    found = weights if isinstance(weights, FoundWeights) else find_weights(name, weights)
    if found is None:
        return
    try:
        values = _values(model, name, found, torch_modules or {})
    except ValueError as error:
        if not found.is_cached or found.row.expected_digests:
            raise
        found.path.unlink()  # nobody states its hash: it was taken for the right file until now
        raise ValueError(f"{error} It was removed from Keras' cache.") from None
    for weight, array in values:
        weight.assign(array)


def _values(
    model: keras.Model, name: str, found: FoundWeights, torch_modules: Mapping[str, ModuleOf]
) -> list[tuple[keras.Variable, np.ndarray]]:
    """(weight, array) for every weight of `model`, all finite."""
    path, names = found.path, []
    try:
        if _is_keras(path):
            names = names_in(path)
            by_order = any(row.dialect == "keras" for row in rows_of(name))
            values = read_keras_weights(model, path, by_order=by_order)
        else:
            state = read_state_dict(path)
            names = list(state)
            module_of = best_module_of(model, state, [same_name, *torch_modules.values()])
            values = match_state_dict(model, state, module_of)
        for weight, array in values:
            if not np.isfinite(array).all():
                raise ValueError(f"the numbers for {weight.path} are not all finite")
    except ValueError as error:
        if not names:  # it could not even be read
            raise
        raise ValueError(_does_not_fit(found, name, error, names)) from None
    return values


def _is_keras(path: Path) -> bool:
    """Whether a file is Keras'; False for PyTorch's.

    Raises:
        ValueError: it is neither.
    """
    with path.open("rb") as file:
        start = file.read(len(STREAM_START))
    if start.startswith(HDF5_START):
        return True
    if start.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return ZIPPED_WEIGHTS in archive.namelist()
        except zipfile.BadZipFile:
            return path.suffix == ".keras"  # whose reader says that it is cut short
    if start == STREAM_START or is_safetensors(start):
        return False
    raise ValueError(
        f"{path} is no weights file: it "
        + (f"starts with {start!r}" if start else "is empty")
        + f". Expected the contents of a {SUFFIXES} file."
    )


def _row(name: str, weights: str) -> PretrainedWeights | None:
    """The row that `weights` names; None for a path."""
    if weights == "imagenet":
        rows = rows_of(name)
        if not rows:
            known = sorted({row.backbone for row in PRETRAINED.values() if row.url})
            raise ValueError(
                f"No published ImageNet weights are known for {name}; they are for "
                f"{', '.join(known)}. Give weights the path of a local file, or none to train from "
                f"scratch. Received: weights='imagenet'."
            )
        return rows[0]
    row = PRETRAINED.get(weights)
    if row is not None and row.backbone != name:
        own = ", ".join(known.name for known in rows_of(name)) or "none"
        raise ValueError(
            f"The weights {weights!r} belong to {row.backbone}, not to {name}. Its own: {own}."
        )
    return row


def _existing(name: str, weights: str) -> Path:
    path = Path(weights).expanduser()
    if path.is_file():
        return path
    own = [row.name for row in rows_of(name)]
    near = get_close_matches(str(weights), ["imagenet", *PRETRAINED], n=1, cutoff=0.7)
    raise ValueError(
        f"There is no weights file at {str(weights)!r}. "
        + (f"Did you mean {near[0]!r}? " if near else "")
        + "Expected None (random), 'imagenet' (downloaded by Keras), "
        + (f"one of {', '.join(own)} (likewise), " if own else "")
        + f"or the path of a {SUFFIXES} file."
    )


def _does_not_fit(found: FoundWeights, name: str, reason: ValueError, names: list[str]) -> str:
    row = found.row
    guess = f"the weights {row.name} of {row.backbone}" if row else guess_network(set(names))
    return (
        f"{found.path} does not hold the weights of {name} without its classifier: {reason}. "
        + (f"It seems to be {guess}. " if guess else "")
        + f"Expected a {SUFFIXES} file of that very network."
    )
