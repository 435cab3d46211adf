"""What the benchmark of the ingestion reads: GLDv2-like JPEG files in GLDv2's layout, and a made-up
data set of GLDv2's real size, whose pictures are a few hundred tiny ones under many names."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

LONG_SIDE, TARGET_BYTES = 1024, 120_000
_QUALITIES = range(50, 97)
_LINKS_PER_FILE = 30_000  # file systems allow about 65,000 names of one file
_TINY_PICTURES = 300
_CLEAN_IMAGES, _CLEAN_CLASSES, _CLASSES = 1_580_470, 81_313, 203_094
_IMAGES = 4_132_914


def image_id(number: int) -> str:
    """16 hexadecimal characters that follow from a number."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def image_path(folder: Path, name: str) -> Path:
    """As GLDv2 lays its train images out."""
    return folder / "train" / name[0] / name[1] / name[2] / f"{name}.jpg"


def make_corpus(folder: Path, *, files: int, names: int, pictures: Path | None) -> dict:
    """Makes `files` JPEG files, 1024 px on the long side and as near to 120 kB as the quality goes.

    Args:
        folder: where; what is there already is kept.
        files: different files.
        names: images in train.csv; beyond `files` they are further names (hard links) of the same
            files, so that a run can be long on a small disk.
        pictures: photographs to encode anew, any folder of *.jpg; None for made-up ones.

    Returns:
        {"files", "names", "bytes" of all names, "pictures": what they are of}.
    """
    source = _photographs(pictures) if pictures is not None else _made_up()
    first: list[Path] = []
    for number in tqdm(range(files), desc="pictures", disable=None):
        path = image_path(folder, image_id(number))
        first.append(path)
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode(next(source)))
    for number in range(files, names):
        path = image_path(folder, image_id(number))
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            os.link(first[number % files], path)
    rows = "".join(f"{image_id(n)},http://a.example/{n}.jpg,{n % 500}\n" for n in range(names))
    (folder / "train.csv").write_text("id,url,landmark_id\n" + rows)
    sizes = np.array([path.stat().st_size for path in first])
    total = int(sizes.sum() * (names // files) + sizes[: names % files].sum())
    kind = "made up" if pictures is None else "photographs, encoded anew"
    return {"files": files, "names": names, "bytes": total, "pictures": kind}


def encode(picture: Image.Image) -> bytes:
    """The JPEG, of all qualities from 50 to 96, that comes nearest to 120 kB from below."""
    scale = LONG_SIDE / max(picture.size)
    picture = picture.resize([max(1, round(side * scale)) for side in picture.size])
    low, high = _QUALITIES[0], _QUALITIES[-1]
    best = _jpeg(picture, low)
    while low < high:
        middle = (low + high + 1) // 2
        data = _jpeg(picture, middle)
        if len(data) <= TARGET_BYTES:
            low, best = middle, data
        else:
            high = middle - 1
    return best


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=quality)
    return target.getvalue()


def _photographs(folder: Path) -> Iterator[Image.Image]:
    """Every photograph, and when there are no more, each mirrored, and then with less contrast."""
    paths = sorted(folder.rglob("*.jpg"))
    changes = (lambda p: p, ImageOps.mirror, ImageOps.flip, ImageOps.autocontrast)
    used = 0
    for change in changes:
        for path in paths:
            try:
                with Image.open(path) as picture:
                    yield change(picture.convert("RGB"))
            except OSError:
                continue
            used += 1
    raise ValueError(f"{folder} holds too few photographs: {used} pictures could be made")


def _made_up() -> Iterator[Image.Image]:
    """Noise in octaves, of equal strength but for the finest, which photographs have less of."""
    generator = np.random.default_rng(0)
    while True:
        canvas = np.zeros((768, 1024, 3), np.float32)
        for side in (4, 8, 16, 32, 64, 128, 256, 512):
            strength = 24 * min(1, (100 / side) ** 0.7)
            noise = generator.standard_normal((side * 3 // 4, side, 3)).astype(np.float32)
            planes = [
                Image.fromarray(noise[..., plane]).resize((1024, 768), Image.Resampling.BICUBIC)
                for plane in range(3)
            ]
            canvas += strength * np.stack(planes, -1)
        yield Image.fromarray((127 + canvas).clip(0, 255).astype(np.uint8))


def _tiny_pictures(rows: int, generator: np.random.Generator) -> list[bytes]:
    """JPEG files of 12 to 24 pixels a side, about 700 bytes, enough of them that no file gets more
    than `_LINKS_PER_FILE` of `rows` names."""
    pictures = []
    for _ in range(max(_TINY_PICTURES, -(-rows // _LINKS_PER_FILE))):
        size = generator.integers(12, 25, 2).tolist()
        colours = Image.fromarray(generator.integers(0, 256, (2, 2, 3), dtype=np.uint8))
        pictures.append(_jpeg(colours.resize(size, Image.Resampling.BICUBIC), 75))
    return pictures


def make_rows(folder: Path, rows: int) -> None:
    """train.csv with `rows` rows, train_clean.csv and a file for each image: names (hard links) of
    a few hundred tiny pictures.

    Classes have a long tail, as many of them and as large a clean part as GLDv2 has for its
    4,132,914 rows.
    """
    generator = np.random.default_rng(0)
    clean_classes = max(1, rows * _CLEAN_CLASSES // _IMAGES)
    classes = max(clean_classes + 1, rows * _CLASSES // _IMAGES)
    weights = 1 / np.arange(1, classes + 1)
    labels = generator.permutation(classes)[
        generator.choice(classes, rows, p=weights / weights.sum())
    ]
    clean: dict[int, list[str]] = {}
    wanted = rows * _CLEAN_IMAGES // _IMAGES
    pictures, made, taken = _tiny_pictures(rows, generator), set(), 0
    targets = [image_path(folder, image_id(number)) for number in range(len(pictures))]
    with (folder / "train.csv").open("w") as table:
        table.write("id,url,landmark_id\n")
        for number, label in enumerate(tqdm(labels.tolist(), desc="rows", disable=None)):
            name = image_id(number)
            path = image_path(folder, name)
            if name[:3] not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(name[:3])
            if number < len(pictures):
                path.write_bytes(pictures[number])
            else:
                os.link(targets[number % len(pictures)], path)
            table.write(
                f"{name},https://upload.example.org/wikipedia/commons/{name[:2]}/{name}_a_name_as_"
                f"long_as_they_are.jpg,{label}\n"
            )
            if label < clean_classes and taken < wanted:
                clean.setdefault(label, []).append(name)
                taken += 1
    with (folder / "train_clean.csv").open("w") as table:
        table.write("landmark_id,images\n")
        for label in sorted(clean):
            table.write(f"{label},{' '.join(clean[label])}\n")
