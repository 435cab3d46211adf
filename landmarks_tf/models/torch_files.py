"""Read PyTorch's weight files without PyTorch, and without running what they contain.

Three formats: the zip that `torch.save` writes since 1.6 (one pickle and the raw numbers), the
stream that it wrote before (torchvision's VGG16 and timm's first files still are such), and
safetensors. What a file is shows in its first bytes; its ending does not matter.
"""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from landmarks_tf.models.torch_pickles import (
    Storage,
    StoredTensor,
    numbers_of,
    unpickle,
)

# The pickled magic number that files of before PyTorch 1.6 start with.
STREAM_START = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_STREAM_VERSION = 1001

# Where a training program keeps the state dict beside its other state.
_NESTED_UNDER = ("state_dict", "model_state_dict", "model", "net", "state_dict_ema")
# What wrappers put before every name: DataParallel, torch.compile.
_WRAPPERS = ("module.", "_orig_mod.")


def read_state_dict(path: str | Path) -> dict[str, np.ndarray]:
    """Read a state dict: entry -> array, in the file's order.

    A dictionary inside a checkpoint ("state_dict", "model", ...) is found, and a wrapper's prefix
    before every name ("module.") taken off. bfloat16 comes as float32. The arrays are read-only.

    Raises:
        ValueError: the file is cut short, is of another kind, holds more than tensors, or was
            written on a big-endian machine.
        OSError: the file cannot be read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(len(STREAM_START))
            file.seek(0)
            if start.startswith(b"PK"):
                entries = _read_zip(file)
            elif start == STREAM_START:
                entries = _read_stream(file, path.stat().st_size)
            elif is_safetensors(start):
                entries = _read_safetensors(path)
            else:
                raise ValueError(
                    f"it starts with {start!r}, which neither torch.save nor safetensors writes"
                )
            return {name: _plain(array) for name, array in _unwrapped(entries).items()}
    except ValueError as error:
        raise ValueError(f"{path} is no PyTorch weights file that can be read: {error}.") from None


def is_safetensors(start: bytes) -> bool:
    """Whether a file's first bytes are a safetensors header's: its length, then JSON."""
    return start[8:9] == b"{" and int.from_bytes(start[:8], "little") <= 100_000_000


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    import safetensors
    import safetensors.numpy

    try:
        return safetensors.numpy.load_file(str(path))
    except (safetensors.SafetensorError, AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"safetensors says: {' '.join(str(error).split())}") from None


# --- the zip --------------------------------------------------------------------------------------


def _read_zip(file: BinaryIO) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(file) as archive:
            return _read_archive(archive)
    except (zipfile.BadZipFile, EOFError, struct.error, RuntimeError) as error:
        raise ValueError(f"it is cut short or damaged ({error})") from None


def _read_archive(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise ValueError("it is a zip, but not one that torch.save wrote")
    folder = pickles[0].removesuffix("data.pkl")
    byte_order = f"{folder}byteorder"
    if byte_order in archive.namelist() and _member(archive, byte_order) != b"little":
        raise ValueError("a big-endian machine wrote it; save it again on another")
    found, _ = unpickle(io.BytesIO(_member(archive, f"{folder}data.pkl")))
    tensors = _find_state_dict(found)
    runs: dict[tuple[str, str], np.ndarray] = {}

    def run_of(storage: Storage) -> np.ndarray:
        where = (storage.key, storage.kind)
        if where not in runs:
            runs[where] = _as_numbers(_member(archive, f"{folder}data/{storage.key}"), storage)
        return runs[where]

    return _read_tensors(tensors, run_of)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    try:
        info = archive.getinfo(name)
    except KeyError:
        raise ValueError(f"it lacks its part {name!r}") from None
    # torch.save never compresses: what is compressed may unfold to any size.
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"its part {name!r} is compressed, which torch.save never does")
    return archive.read(info)


# --- the stream of before 1.6 ---------------------------------------------------------------------


def _read_stream(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    _, version, system = (unpickle(file)[0] for _ in range(3))
    if version != _STREAM_VERSION or not isinstance(system, dict):
        raise ValueError(f"it is of the unknown version {version!r}")
    if system.get("little_endian") is not True:
        raise ValueError("a big-endian machine wrote it; save it again on another")
    found, storages = unpickle(file)
    tensors, (keys, _) = _find_state_dict(found), unpickle(file)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(storages):
        raise ValueError("the list of its storages is damaged")
    runs = {}
    for key in keys:
        file.read(8)  # how many numbers follow, which the pickle has said already
        length = storages[key].length * storages[key].dtype.itemsize
        if length > size - file.tell():
            raise ValueError(f"it is cut short: its storage {key!r} has {length} bytes")
        runs[key] = _as_numbers(file.read(length), storages[key])
    return _read_tensors(tensors, lambda storage: runs[storage.key])


# --- what both share ------------------------------------------------------------------------------


def _as_numbers(data: bytes, storage: Storage) -> np.ndarray:
    if len(data) != storage.length * storage.dtype.itemsize:
        raise ValueError(
            f"its storage {storage.key!r} has {len(data)} bytes where {storage.length} numbers of "
            f"{storage.dtype.itemsize} bytes are named"
        )
    return np.frombuffer(data, storage.dtype)


def _read_tensors(tensors: dict[str, StoredTensor], run_of) -> dict[str, np.ndarray]:
    arrays = {}
    for name, tensor in tensors.items():
        try:
            arrays[name] = numbers_of(tensor, run_of(tensor.storage))
        except (ValueError, OverflowError) as error:
            raise ValueError(f"its entry {name!r}: {error}") from None
    return arrays


def _find_state_dict(found: object) -> dict[str, StoredTensor]:
    """The dictionary of tensors in what a file held."""
    if isinstance(found, dict):
        for key in _NESTED_UNDER:
            if isinstance(dict.get(found, key), dict):
                found = dict.get(found, key)
                break
    if not isinstance(found, dict) or not found:
        raise ValueError(f"it holds a {type(found).__name__} and no state dict (name -> tensor)")
    for name, value in dict.items(found):
        if not (isinstance(name, str) and isinstance(value, StoredTensor)):
            raise ValueError(
                f"its entry {name!r} is a {type(value).__name__} and no tensor; save the network's "
                f"state dict alone: torch.save(network.state_dict(), FILE)"
            )
        if not isinstance(value.storage, Storage):
            raise ValueError(f"its entry {name!r} names no storage")
    return dict(dict.items(found))


def _unwrapped(entries: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    for prefix in _WRAPPERS:
        if entries and all(name.startswith(prefix) for name in entries):
            entries = {name.removeprefix(prefix): array for name, array in entries.items()}
    return entries


def _plain(array: np.ndarray) -> np.ndarray:
    """bfloat16, which few NumPy functions know, as float32; other strange numbers are refused."""
    if array.dtype.kind in "fiub":
        return array
    if array.dtype.name == "bfloat16":
        return array.astype(np.float32)
    raise ValueError(f"it holds numbers of the type {array.dtype}; save it as float32")
