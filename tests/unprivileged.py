"""Folders that may not be read, also where the tests run as root, whom no mode keeps out."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NOBODY = 65534


@contextmanager
def public_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def locked(folder: Path):
    """A context in which `folder` may not be read by this process."""
    return _with_mode(folder, 0)


def unwritable(folder: Path):
    """A context in which `folder` may be read, and not be written to, by this process."""
    return _with_mode(folder, 0o555)


@contextmanager
def _with_mode(folder: Path, mode: int) -> Iterator[None]:
    as_root = os.geteuid() == 0
    folder.chmod(mode)
    if as_root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if as_root:
            os.seteuid(0)
        folder.chmod(0o755)
