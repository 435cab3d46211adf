"""Files that are whole or absent."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def scratch_path(path: Path) -> Path:
    """A hidden name beside `path` that nothing else uses, on the same file system."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.partial")


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a scratch path to write to; on a clean exit the file takes the place of `path`.

    The folder is made if need be. On an error or an interrupt the scratch file is removed and what
    stood at `path` before stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = scratch_path(path)
    try:
        yield scratch
        with scratch.open("rb+") as file:
            os.fsync(file.fileno())
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
