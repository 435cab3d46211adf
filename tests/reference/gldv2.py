"""Tiny folders in GLDv2's layout, made by hand for tests."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image


def image_id(name: str) -> str:
    """16 hexadecimal characters that follow from a name."""
    return hashlib.sha256(name.encode()).hexdigest()[:16]


def picture(name: str, size: tuple[int, int] = (24, 16), mode: str = "RGB", fmt: str = "JPEG"):
    """The bytes of a small picture of noise, `size` = (width, height)."""
    noise = np.random.default_rng(list(name.encode())).integers(
        0, 256, (size[1], size[0], 3), np.uint8
    )
    target = io.BytesIO()
    Image.fromarray(noise).convert(mode).save(target, fmt)
    return target.getvalue()


def image_path(root: Path, split: str, name: str) -> Path:
    return root / split / name[0] / name[1] / name[2] / f"{name}.jpg"


def put(root: Path, split: str, name: str, data: bytes) -> Path:
    path = image_path(root, split, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def write_folder(
    root: Path,
    classes: dict[int, int],
    *,
    unclean: dict[int, int] | None = None,
    num_index: int = 0,
    num_test: int = 0,
) -> dict[str, int]:
    """Writes images and CSVs below `root`.

    Args:
        root: folder to make.
        classes: landmark id -> number of clean train images.
        unclean: landmark id -> train images on top that train_clean.csv does not name.
        num_index, num_test: pictures of these splits.

    Returns:
        train image id -> landmark id, in the order of train.csv.
    """
    root.mkdir(parents=True, exist_ok=True)
    train, clean = {}, []
    for landmark in [*classes, *(set(unclean or {}) - set(classes))]:
        names = [image_id(f"train {landmark} {i}") for i in range(classes.get(landmark, 0))]
        extra = [image_id(f"extra {landmark} {i}") for i in range((unclean or {}).get(landmark, 0))]
        if names:
            clean.append(f"{landmark},{' '.join(names)}\n")
        for name in [*names, *extra]:
            train[name] = landmark
            put(root, "train", name, picture(name))
    rows = "".join(f"{name},http://a.example/{name},{label}\n" for name, label in train.items())
    (root / "train.csv").write_text("id,url,landmark_id\n" + rows)
    if unclean is not None:
        (root / "train_clean.csv").write_text("landmark_id,images\n" + "".join(clean))
    for split, number in (("index", num_index), ("test", num_test)):
        names = [image_id(f"{split} {i}") for i in range(number)]
        for name in names:
            put(root, split, name, picture(name))
        if names:
            (root / f"{split}.csv").write_text("id\n" + "".join(f"{n}\n" for n in names))
    return train
