"""Which tars have images that are no longer on disk."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from tfrecords_tools.download.extract import IMAGE_DTYPE

_NAME = re.compile(r"([0-9a-f]{16})\.jpg")
_DIGITS = "0123456789abcdef"


def images_on_disk(folder: Path, *, sizes: bool) -> np.ndarray:
    """The images of a split that lie in their places.

    Args:
        folder: of the split.
        sizes: whether to ask for the size of each, which takes about as long again on a warm disk
            and far longer on a cold one; without, sizes are 0.

    Returns:
        (K,) IMAGE_DTYPE, by ascending id.

    Raises:
        OSError: a folder cannot be read.
    """
    found: list[np.ndarray] = []
    for first in _DIGITS:
        for second in _DIGITS:
            for third in _DIGITS:
                leaf = folder / first / second / third
                found.append(_images_in(leaf, first + second + third, sizes))
    images = np.concatenate(found)
    return images[np.argsort(images["id"])]


def missing_images(wanted: np.ndarray, there: np.ndarray, *, sizes: bool) -> int:
    """How many of the images of a tar are not there, or (`sizes`) not of their size.

    Args:
        wanted: (N,) IMAGE_DTYPE of the tar.
        there: (K,) IMAGE_DTYPE, by ascending id, as `images_on_disk` gives them.
    """
    if not len(there):
        return len(wanted)
    places = np.minimum(np.searchsorted(there["id"], wanted["id"]), len(there) - 1)
    well = there["id"][places] == wanted["id"]
    if sizes:
        well &= there["bytes"][places] == wanted["bytes"]
    return int((~well).sum())


def _images_in(leaf: Path, prefix: str, sizes: bool) -> np.ndarray:
    rows = []
    try:
        with os.scandir(leaf) as entries:
            for entry in entries:
                name = _NAME.fullmatch(entry.name)
                if name and entry.name.startswith(prefix):
                    size = min(entry.stat().st_size, 2**32 - 1) if sizes else 0
                    rows.append((int(name[1], 16), size))
    except (FileNotFoundError, NotADirectoryError):
        pass
    return np.array(rows, IMAGE_DTYPE)
