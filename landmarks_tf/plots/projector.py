"""Embeddings for the TensorFlow Embedding Projector: TSV files, thumbnails, configuration.

The folder opens in TensorBoard (`tensorboard --logdir FOLDER`, tab Projector); vectors.tsv and
metadata.tsv can also be loaded by hand at projector.tensorflow.org. S1 exports 50 landmarks of 51
images each (reproduction.md section 2.8).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

NUM_LANDMARKS = 50
_SPRITE_SIDE_PX = 8192  # what the projector takes at most


def write_projector(
    folder: str | Path,
    vectors,
    metadata: Mapping[str, Sequence],
    pictures: Iterable[np.ndarray] | None = None,
    *,
    thumbnail_px: int = 64,
) -> list[Path]:
    """Write vectors.tsv, metadata.tsv, sprite.png and projector_config.pbtxt; the last one last.

    Args:
        folder: where; made if need be.
        vectors: (N, D) rows.
        metadata: column -> N values, at least two columns (the projector takes a header line with
            several columns only). Tabs and line ends in a value become blanks.
        pictures: N pictures (h, w, 3) uint8 in the order of the rows, or None for points without.
        thumbnail_px: side of a thumbnail; smaller where N of them would not fit into a sprite.

    Raises:
        ValueError: no rows, values that are not finite, fewer than two columns, or columns or
            pictures that are not N.
    """
    vectors = np.asarray(vectors)
    if vectors.ndim != 2 or not len(vectors) or not np.isfinite(vectors).all():
        raise ValueError(
            f"the projector needs (N, D) finite numbers, received an array of {vectors.shape}"
        )
    sizes = {name: len(values) for name, values in metadata.items()}
    if len(sizes) < 2 or set(sizes.values()) != {len(vectors)}:
        raise ValueError(
            f"expected at least two columns of {len(vectors)} values each, received {sizes}"
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    rows = zip(*metadata.values(), strict=True)
    texts = {
        "vectors.tsv": _lines("\t".join(f"{v:.6g}" for v in row) for row in vectors.tolist()),
        "metadata.tsv": _lines("\t".join(map(_one_line, row)) for row in [tuple(metadata), *rows]),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    config = ['  tensor_name: "embeddings"', '  tensor_path: "vectors.tsv"']
    config.append('  metadata_path: "metadata.tsv"')
    names = [*texts]
    if pictures is not None:
        side = _write_sprite(folder / "sprite.png", pictures, len(vectors), thumbnail_px)
        config.append(
            f'  sprite {{\n    image_path: "sprite.png"\n    single_image_dim: {side}\n'
            f"    single_image_dim: {side}\n  }}"
        )
        names.append("sprite.png")
    text = "\n".join(["embeddings {", *config, "}"])
    (folder / "projector_config.pbtxt").write_text(text + "\n", encoding="utf-8")
    return [folder / name for name in (*names, "projector_config.pbtxt")]


def _lines(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _one_line(value: object) -> str:
    return " ".join(str(value).split()) or "-"


def _write_sprite(path: Path, pictures: Iterable, count: int, side: int) -> int:
    """A square of thumbnails, row by row, black around what is not square; returns their side."""
    from PIL import Image

    columns = math.ceil(math.sqrt(count))
    side = min(side, _SPRITE_SIDE_PX // columns)
    sprite = Image.new("RGB", (columns * side, columns * side))
    number = 0
    for number, picture in enumerate(pictures, start=1):
        small = Image.fromarray(np.asarray(picture))
        small.thumbnail((side, side))
        row, column = divmod(number - 1, columns)
        left, top = column * side + (side - small.width) // 2, row * side
        sprite.paste(small, (left, top + (side - small.height) // 2))
    if number != count:
        raise ValueError(f"expected {count} pictures, one for each row, received {number}")
    sprite.save(path, "PNG")
    return side
