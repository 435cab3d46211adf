"""Queries beside their best matches, each marked right or wrong.

What a gallery shows is plain data (`GalleryRow`); a web page sets it with <img> elements made of
`thumbnail`, and `gallery_figure` draws the same rows for a notebook.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.plots.style import COLOURS, drawing, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

THUMBNAIL_PX = 144
_RIGHT, _WRONG = COLOURS[2], COLOURS[3]


@dataclass(frozen=True)
class Match:
    """One found image.

    Attributes:
        image_id: its id.
        score: its cosine with the query.
        right: whether it shows the query's landmark; None where that is not known.
        image: `thumbnail` of it, or None if it could not be read.
        landmark: its landmark's name, or "".
        rank: its place, from 1, where it does not follow from its place in the row.
    """

    image_id: str
    score: float
    right: bool | None
    image: str | None
    landmark: str = ""
    rank: int | None = None


@dataclass(frozen=True)
class GalleryRow:
    """A query and its best matches, best first.

    Attributes:
        query_id: its id.
        image: `thumbnail` of it, or None if it could not be read.
        matches: what was found.
        landmark: the query's landmark's name, or "".
        note: a short remark, for instance "public, AP 0.43".
    """

    query_id: str
    image: str | None
    matches: tuple[Match, ...]
    landmark: str = ""
    note: str = ""


def thumbnail(image, *, size_px: int = THUMBNAIL_PX) -> str | None:
    """A small JPEG of a picture as a data URI; None if it cannot be read.

    Args:
        image: encoded bytes, a path, or an (H, W, 3) or (H, W) uint8 array.
        size_px: the longer side is made at most so long; a smaller picture keeps its size.
    """
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata, very large pictures
            if isinstance(image, np.ndarray):
                picture = Image.fromarray(image)
            else:
                source = io.BytesIO(image) if isinstance(image, bytes) else Path(image)
                picture = Image.open(source)
            with picture:
                picture.draft("RGB", (size_px, size_px))  # decodes a large JPEG small
                small = picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
    small.thumbnail((size_px, size_px))
    target = io.BytesIO()
    small.save(target, "JPEG", quality=82, optimize=True)
    return "data:image/jpeg;base64," + base64.b64encode(target.getvalue()).decode()


def pick_queries(scores, count: int) -> np.ndarray:
    """Queries from the best to the worst, evenly spread: a gallery that hides nothing.

    Args:
        scores: (Q,) a score of each query, for instance its average precision.
        count: how many; all of them where there are fewer.

    Returns:
        (min(count, Q),) int64 positions by falling score; equal scores by position.
    """
    scores = np.asarray(scores, np.float64)
    order = np.argsort(-scores, kind="stable")
    at = np.linspace(0, len(order) - 1, min(count, len(order))).round().astype(np.int64)
    return order[np.unique(at)]


def gallery_figure(rows: Sequence[GalleryRow]) -> Figure:
    """The rows as one figure: the query on the left, matches framed and marked on the right.

    Raises:
        ValueError: without rows.
    """
    if not rows:
        raise ValueError("a gallery needs at least one query")
    columns = 1 + max(len(row.matches) for row in rows)
    with drawing():
        figure = new_figure(1.5 * columns, 1.58 * len(rows))
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for row, cells in zip(rows, grid, strict=True):
            _draw(cells[0], row.image, label(row.landmark or row.query_id, 22), row.note, None)
            for match, axes in zip(row.matches, cells[1:], strict=False):
                mark = {True: "✓ ", False: "✗ ", None: ""}[match.right]
                colour = {True: _RIGHT, False: _WRONG, None: None}[match.right]
                rank = "" if match.rank is None else f"  rank {match.rank:,}"
                below = label(match.landmark, 23) if match.landmark else ""
                _draw(axes, match.image, f"{mark}{match.score:.2f}{rank}", below, colour)
    return figure


def _draw(axes, image: str | None, title: str, below: str, frame: str | None) -> None:
    from matplotlib.patches import Rectangle
    from PIL import Image

    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)
    if image is None:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", fontsize=8)
        left, top, width, height = 0.0, 0.0, 1.0, 1.0
    else:
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(image.split(",")[1]))))
        axes.imshow(picture)
        left, top, (height, width) = -0.5, -0.5, picture.shape[:2]
    # A window of 4 by 3 around every picture keeps titles and captions on one line.
    reach = max(width / 4, height / 3)
    x, y = left + width / 2, top + height / 2
    axes.set(xlim=(x - 2 * reach, x + 2 * reach), ylim=(y + 1.5 * reach, y - 1.5 * reach))
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=8, color=frame or "black")
    axes.set_xlabel(below, fontsize=7.5, color="#555555", labelpad=2)
    if frame:
        style = {"fill": False, "edgecolor": frame, "linewidth": 2.5, "clip_on": False}
        axes.add_patch(Rectangle((left, top), width, height, **style))
