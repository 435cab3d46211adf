"""Unpickle PyTorch's dictionaries of tensors without running what the pickle asks for.

A pickle may call any function of any module. Only the few names that a dictionary of tensors needs
are let through here, and they do not build tensors: they note where each one lies (`StoredTensor`),
so that a lie about sizes or strides is found before any number is read (`numbers_of`). A pickle may
also change the objects that it has been given: these are tuples, which nothing changes.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from typing import BinaryIO, NamedTuple

import ml_dtypes  # comes with Keras
import numpy as np

# All little-endian: files of big-endian machines are refused by the readers.
STORAGE_DTYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}


class Storage(NamedTuple):
    """A run of numbers in the file.

    Attributes:
        kind: a key of `STORAGE_DTYPES`.
        key: its name in the file.
        count: how many numbers.
        first: the first of them, where this is a part of a longer run.
        length: how many numbers that run has.
    """

    kind: str
    key: str
    count: int
    first: int
    length: int

    @property
    def dtype(self) -> np.dtype:
        return STORAGE_DTYPES[self.kind]


class StoredTensor(NamedTuple):
    """A tensor as its pickle describes it; nothing of it is checked before `numbers_of`."""

    storage: object
    offset: object
    shape: object
    strides: object


def unpickle(stream: BinaryIO) -> tuple[object, dict[str, Storage]]:
    """The next object of a stream, and every storage that it names, by key.

    The object is made of dictionaries, lists, plain values and `StoredTensor`s.

    Raises:
        ValueError: the pickle is damaged, or asks for more than tensors.
    """
    try:
        unpickler = _TensorUnpickler(stream)
        return unpickler.load(), unpickler.storages
    # A damaged pickle raises whatever its accidental opcodes lead to.
    except Exception as error:
        raise ValueError(_one_line(error)) from None


def numbers_of(tensor: StoredTensor, run: np.ndarray) -> np.ndarray:
    """The tensor's numbers: a read-only view of `run`, the whole run that its storage names.

    Raises:
        ValueError: its description leads outside the storage.
    """
    storage = tensor.storage
    sizes = (tensor.shape, tensor.strides)
    if not all(isinstance(part, tuple) and all(map(_is_size, part)) for part in sizes):
        raise ValueError(f"a tensor of shape {tensor.shape!r} and strides {tensor.strides!r}")
    if not _is_size(tensor.offset) or len(tensor.shape) != len(tensor.strides):
        raise ValueError(f"a tensor of shape {tensor.shape!r} at {tensor.offset!r}")
    run = run[storage.first : storage.first + storage.count]
    if 0 in tensor.shape:
        return np.zeros(tensor.shape, storage.dtype)
    last = tensor.offset + sum(
        (n - 1) * stride for n, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    if last >= len(run) or math.prod(tensor.shape) > len(run):
        raise ValueError(
            f"a tensor of shape {tensor.shape} and strides {tensor.strides} at {tensor.offset} "
            f"reaches outside its storage of {len(run)} numbers"
        )
    strides = [stride * run.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(
        run[tensor.offset :], tensor.shape, strides, writeable=False
    )


class _TensorUnpickler(pickle.Unpickler):
    """Notes storages and tensors; refuses every other object."""

    def __init__(self, stream: BinaryIO):
        super().__init__(stream)
        self.storages: dict[str, Storage] = {}

    def find_class(self, module: str, name: str):
        # A pickle may set attributes of what it is given, so each gets functions of its own.
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda *given: StoredTensor(*given[:4])
        if (module, name) == ("torch._utils", "_rebuild_parameter"):
            return lambda tensor, *_: tensor
        if module == "torch" and name in STORAGE_DTYPES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, saved_id):
        kind, storage, key, _, count, *view = saved_id
        if kind != "storage" or storage not in STORAGE_DTYPES or not _is_size(count):
            raise pickle.UnpicklingError(f"it stores {saved_id!r}")
        if not isinstance(key, str):
            raise pickle.UnpicklingError(f"it stores {saved_id!r}")
        first, length = 0, count
        if view and view[0] is not None:  # files of before 2018: a part of a longer storage
            _, first, count = view[0]
            if not (_is_size(first) and _is_size(count) and first + count <= length):
                raise pickle.UnpicklingError(f"it stores {saved_id!r}")
        self.storages[key] = Storage(storage, key, count, first, length)
        return self.storages[key]


def _is_size(value: object) -> bool:
    return type(value) is int and 0 <= value < 2**48


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:300] + "..."
