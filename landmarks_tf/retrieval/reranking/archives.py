"""Several arrays in one .npz file that is whole or absent, without pickle."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np


def write_npz(path: Path, **arrays) -> None:
    """Writes arrays (no Python objects) under a temporary name and renames the file into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def read_npz(path: Path, names: tuple[str, ...], *, what: str) -> list[np.ndarray]:
    """The named arrays of a .npz file; pickled objects are refused.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is not a whole .npz file with these arrays.
    """
    try:
        # Opened here: np.load leaves a file open that turns out to be no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return [arrays[name] for name in names]
    except FileNotFoundError:
        raise FileNotFoundError(f"{what}: {path} is missing") from None
    except Exception as error:  # a damaged archive fails in a dozen ways, of zipfile and NumPy
        raise ValueError(
            f"{what}: {path} is not a whole .npz file with {', '.join(names)} ({error}); "
            "delete it and make it again"
        ) from None
