"""Files that are whole or absent: what this room writes, another process may read at any moment."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

_CHUNK = 1 << 20


def write_json(path: Path, value: Mapping) -> None:
    """Writes `value` as JSON under a temporary name and renames it into place."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_json(path: Path, *, what: str) -> dict:
    """The JSON object in `path`.

    Raises:
        FileNotFoundError: if there is no such file, saying what it is a mark of.
        ValueError: if it does not hold a JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FileNotFoundError(f"{what}: {path} is missing, so it was never finished") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{what}: {path} is not readable as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{what}: {path} must hold a JSON object, found {type(value).__name__}")
    return value


def write_npy(path: Path, array: np.ndarray) -> None:
    """Writes an array (no Python objects) under a temporary name and renames it into place."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_npy(path: Path, *, what: str, mmap: bool = False) -> np.ndarray:
    """The array in `path`; pickled objects are refused, a file cut short is named.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole .npy file.
    """
    try:
        array = np.load(path, mmap_mode="r" if mmap else None, allow_pickle=False)
    except FileNotFoundError:
        raise FileNotFoundError(f"{what}: {path} is missing") from None
    except (ValueError, EOFError) as error:
        # NumPy takes whatever it does not know for a pickle, and advises to load it all the same.
        reason = "it holds no array of numbers or text" if "pickle" in str(error) else error
        raise ValueError(f"{what}: {path} is not a whole .npy file: {reason}") from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{what}: {path} holds several arrays (.npz), expected one .npy array")
    return array


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def ids_digest(ids: np.ndarray) -> str:
    """Hexadecimal SHA-256 of a sequence of ids and their order."""
    return hashlib.sha256("\n".join(ids.tolist()).encode()).hexdigest()
