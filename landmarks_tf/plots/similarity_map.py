"""Pictures beside each other, with what in each matched the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.plots.style import COLOURS, drawing, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Centres = tuple[np.ndarray, np.ndarray] | None
_RIGHT, _WRONG = COLOURS[2], COLOURS[3]


@dataclass(frozen=True)
class MatchedPair:
    """A query and one of its matches, as the network saw them.

    Attributes:
        query: (S, S, 3) uint8.
        match: (S, S, 3) uint8.
        query_map: (h, w) contributions of the query's positions to the cosine.
        match_map: (h, w) contributions of the match's positions.
        cosine: of the two descriptors.
        right: whether the match shows the query's landmark; None where that is not known.
        query_name: the query's landmark, or its id.
        match_name: the match's.
        centres: rows (h,) and columns (w,) of the pixels where the maps' positions look; None for
            the middles of equal tiles.
    """

    query: np.ndarray
    match: np.ndarray
    query_map: np.ndarray
    match_map: np.ndarray
    cosine: float
    right: bool | None
    query_name: str = ""
    match_name: str = ""
    centres: Centres = None


def upsampled(values: np.ndarray, size: int, centres: Centres = None) -> np.ndarray:
    """(h, w) values -> (size, size), bilinear between their places, flat beyond the outermost.

    Hand-derived: (0, 1) over 4 pixels is (0, 0.25, 0.75, 1).

    Args:
        values: (h, w).
        size: in pixels.
        centres: rows (h,) and columns (w,) of the pixels where the values stand, rising; the
            middles of equal tiles if None.
    """
    values = np.asarray(values, np.float64)
    for axis in (0, 1):
        tiles = values.shape[axis]
        middles = (np.arange(tiles) + 0.5) * size / tiles - 0.5
        places = middles if centres is None else centres[axis]
        columns = np.moveaxis(values, axis, -1)
        flat = [np.interp(np.arange(size), places, row) for row in columns.reshape(-1, tiles)]
        values = np.moveaxis(np.reshape(flat, (*columns.shape[:-1], size)), -1, axis)
    return values


def heated(picture: np.ndarray, values: np.ndarray, centres: Centres = None) -> np.ndarray:
    """The picture in grey under a heat map: (S, S, 3) uint8.

    Args:
        picture: (S, S, 3) uint8.
        values: (h, w); what is negative speaks against the match and is drawn as nothing, the
            largest has the brightest colour.
        centres: of the values, as `upsampled` takes them.
    """
    import matplotlib

    values = np.maximum(values, 0.0)
    heat = upsampled(values, len(picture), centres) / (values.max() or 1.0)
    grey = picture.astype(np.float64).mean(axis=-1, keepdims=True).repeat(3, axis=-1)
    # Of one lightness order, and readable with any colour vision.
    colour = 255 * matplotlib.colormaps["inferno"](0.15 + 0.8 * heat)[..., :3]
    weight = (0.8 * heat)[..., None]
    return np.rint((1 - weight) * grey + weight * colour).astype(np.uint8)


def similarity_figure(pairs: Sequence[MatchedPair]) -> Figure:
    """A row for each pair: the query, where it matched, where the match matched, the match.

    Raises:
        ValueError: without pairs.
    """
    if not pairs:
        raise ValueError("a figure of similarity maps needs at least one pair")
    with drawing():
        figure = new_figure(8.2, 2.28 * len(pairs) + 0.3)
        grid = figure.subplots(len(pairs), 4, squeeze=False)
        for pair, cells in zip(pairs, grid, strict=True):
            _row(pair, cells)
        for axes, title in zip(
            grid[0], ("query", "in the query", "in the match", "match"), strict=True
        ):
            axes.set_title(title, loc="center")
    return figure


def _row(pair: MatchedPair, cells) -> None:
    pictures = (
        pair.query,
        heated(pair.query, pair.query_map, pair.centres),
        heated(pair.match, pair.match_map, pair.centres),
        pair.match,
    )
    for axes, picture in zip(cells, pictures, strict=True):
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        axes.grid(visible=False)
        axes.spines[:].set_visible(False)
    mark = {True: "✓ ", False: "✗ ", None: ""}[pair.right]
    colour = {True: _RIGHT, False: _WRONG, None: "black"}[pair.right]
    cells[0].set_xlabel(label(pair.query_name, 26), fontsize=9)
    cells[1].set_xlabel(f"{mark}cosine {pair.cosine:.2f}", fontsize=9, color=colour)
    cells[3].set_xlabel(label(pair.match_name, 26), fontsize=9, color=colour)
    if pair.right is not None:
        cells[3].spines[:].set(visible=True, color=colour, linewidth=2.5)
