"""Write files as `torch.save` does, or as somebody hostile might, without PyTorch.

Real files of PyTorch's own are read in the tests marked `peers`; here every part of a file can be
made wrong on purpose.
"""

from __future__ import annotations

import contextlib
import io
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass
class FakeStorage:
    """What a pickle's persistent id names."""

    kind: str
    key: str
    count: object
    data: bytes = b""


@dataclass
class FakeTensor:
    """What a pickle rebuilds with `torch._utils._rebuild_tensor_v2`."""

    storage: object
    offset: object
    shape: object
    strides: object


def tensor(array: np.ndarray, key: str) -> FakeTensor:
    """A float32 tensor with a storage of its own."""
    array = np.ascontiguousarray(array, "<f4")
    storage = FakeStorage("FloatStorage", key, array.size, array.tobytes())
    strides = tuple(stride // 4 for stride in array.strides)
    return FakeTensor(storage, 0, array.shape, strides)


def state_dict(arrays: dict[str, np.ndarray]) -> OrderedDict:
    """The arrays as tensors, in a dictionary as a network's `state_dict()` returns it."""
    return OrderedDict((k, tensor(a, str(i))) for i, (k, a) in enumerate(arrays.items()))


def write_zip(
    path: Path,
    found: object,
    *,
    byte_order: bytes = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """A file as PyTorch writes it since 1.6."""
    pickled, storages = pickle_as_torch(found)
    return write_zip_of(path, pickled, storages, byte_order=byte_order, compression=compression)


def write_zip_of(
    path: Path,
    pickled: bytes,
    storages: dict[str, FakeStorage] | None = None,
    *,
    byte_order: bytes = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """The same around any pickle."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", byte_order)
        for storage in (storages or {}).values():
            archive.writestr(f"archive/data/{storage.key}", storage.data)
    return path


def write_stream(path: Path, found: object, *, little_endian: bool = True, version=1001) -> Path:
    """A file as PyTorch wrote it before 1.6."""
    pickled, storages = pickle_as_torch(found)
    system = {"protocol_version": 1001, "little_endian": little_endian, "type_sizes": {"int": 4}}
    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, version, system):
            pickle.dump(part, file, protocol=2)
        file.write(pickled)
        pickle.dump(sorted(storages), file, protocol=2)
        for key in sorted(storages):
            file.write(storages[key].count.to_bytes(8, "little") + storages[key].data)
    return path


def pickle_as_torch(found: object) -> tuple[bytes, dict[str, FakeStorage]]:
    """The pickle of nested dictionaries and `FakeTensor`s, and the storages that it names."""
    buffer = io.BytesIO()
    with _fake_torch() as (module, rebuild):
        storages: dict[str, FakeStorage] = {}

        class Pickler(pickle.Pickler):
            def persistent_id(self, value):
                if not isinstance(value, FakeStorage):
                    return None
                storages[value.key] = value
                kind = getattr(module, value.kind, value.kind)
                return ("storage", kind, value.key, "cpu", value.count)

            def reducer_override(self, value):
                if not isinstance(value, FakeTensor):
                    return NotImplemented
                parts = (value.storage, value.offset, value.shape, value.strides)
                return rebuild, (*parts, False, OrderedDict())

        Pickler(buffer, protocol=2).dump(found)
    return buffer.getvalue(), storages


@contextlib.contextmanager
def _fake_torch() -> Iterator[tuple[types.ModuleType, object]]:
    """Modules of PyTorch's names for the time of pickling: a pickle holds only their names."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")

    def rebuild(*_): ...

    rebuild.__module__, rebuild.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch._utils = rebuild, utils
    for kind in ("FloatStorage", "LongStorage", "ComplexFloatStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    sys.modules.update({"torch": torch, "torch._utils": utils})
    try:
        yield torch, rebuild
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module
