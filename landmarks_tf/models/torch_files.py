"""Read PyTorch's weight files without PyTorch, and without running what they contain.

A `.pth` file is a zip of one pickle and the raw numbers. Unpickling may call anything, so only the
few names that a dictionary of tensors needs are let through.
"""

from __future__ import annotations

import io
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np

_DTYPES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "BoolStorage": np.bool_,
    "ByteStorage": np.uint8,
}


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read a dictionary of arrays: a `.safetensors` file, or what `torch.save` writes.

    Returns:
        name -> array, in the file's order.

    Raises:
        ValueError: the file is cut short, is of another kind, or holds more than tensors.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(path, archive)
    except zipfile.BadZipFile:
        raise ValueError(
            f"{path} is cut short, or is no file that PyTorch 1.6 or later wrote (a zip). An older "
            f"one is renewed by torch.save(torch.load(FILE), FILE) in PyTorch."
        ) from None


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    try:
        import safetensors
        import safetensors.numpy
    except ImportError:
        raise ImportError(
            f"Reading {path.name} needs the package safetensors: pip install safetensors."
        ) from None
    try:
        return safetensors.numpy.load_file(path)
    except safetensors.SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file: {error}.") from None


def _read_archive(path: Path, archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"{path} is a zip, but not one that torch.save wrote.")
    folder = pickles[0].removesuffix("data.pkl")
    try:
        found = _TensorUnpickler(archive, folder).load()
    except (pickle.UnpicklingError, EOFError, KeyError, AttributeError, TypeError) as error:
        raise ValueError(f"{path} holds more than a dictionary of tensors: {error}.") from None
    found = found.get("state_dict", found) if isinstance(found, dict) else found
    if not isinstance(found, dict) or not all(isinstance(v, np.ndarray) for v in found.values()):
        raise ValueError(f"{path} does not hold a state dict (name -> tensor).")
    return dict(found)


class _TensorUnpickler(pickle.Unpickler):
    """Turns the pickled tensors into arrays; refuses every other object."""

    def __init__(self, archive: zipfile.ZipFile, folder: str):
        super().__init__(io.BytesIO(archive.read(f"{folder}data.pkl")))
        self._archive, self._folder = archive, folder

    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _as_array
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda array, *_: array
        if module == "torch" and name in _DTYPES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, saved_id):
        kind, storage, key, *_ = saved_id
        if kind != "storage" or storage not in _DTYPES:
            raise pickle.UnpicklingError(f"it stores {storage}")
        return np.frombuffer(self._archive.read(f"{self._folder}data/{key}"), _DTYPES[storage])


def _as_array(storage, offset, shape, strides, *_) -> np.ndarray:
    items = [stride * storage.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, items, writeable=False)
    return view.copy()
