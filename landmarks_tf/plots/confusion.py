"""Which landmarks a search mixes up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.plots.style import drawing, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DEEPEST = 10
_MOST_SHOWN = 16


@dataclass(frozen=True)
class Confusions:
    """How a search fills the places that belong to a landmark's own images.

    Attributes:
        landmarks: (L,) those with queries, rising.
        found: (F,) those that were found, rising.
        share: (L, F) float64, the mean over a landmark's queries of the share of the first places
            that images of another (or the same) landmark take.
        queries: (L,) how many queries each has.
    """

    landmarks: np.ndarray
    found: np.ndarray
    share: np.ndarray
    queries: np.ndarray

    def pairs(self) -> list[tuple[int, int, float]]:
        """(asked, found, share) of each confused pair, the most confused first."""
        wrong = self.share * (self.landmarks[:, None] != self.found[None, :])
        asked, found = np.nonzero(wrong)
        order = np.lexsort((self.found[found], self.landmarks[asked], -wrong[asked, found]))
        return [
            (int(self.landmarks[a]), int(self.found[f]), float(wrong[a, f]))
            for a, f in zip(asked[order], found[order], strict=True)
        ]


def count_confusions(asked, found, num_relevant, depth: int = _DEEPEST) -> Confusions:
    """What stands in the places that a landmark's own images could fill.

    A query with m images of its landmark in the index has its first min(m, depth) places looked
    at: a perfect search has every one of them right, however small the landmark.

    Args:
        asked: (Q,) the landmark of each query.
        found: (Q, K) the landmark of each ranked image, best first; negative for none.
        num_relevant: (Q,) images of the query's landmark in the index, at least 1.
        depth: the most places to look at.

    Raises:
        ValueError: shapes that do not fit, or a query without images of its landmark.
    """
    asked, found, relevant = (np.asarray(a) for a in (asked, found, num_relevant))
    if found.ndim != 2 or asked.shape != relevant.shape or len(asked) != len(found):
        raise ValueError(
            f"expected (Q,) landmarks, (Q, K) found ones and (Q,) counts, received "
            f"{asked.shape}, {found.shape}, {relevant.shape}"
        )
    if (relevant < 1).any():
        raise ValueError("every query needs an image of its landmark in the index")
    places = np.minimum(np.minimum(relevant, depth), found.shape[1])
    looked_at = (np.arange(found.shape[1]) < places[:, None]) & (found >= 0)
    landmarks, row = np.unique(asked, return_inverse=True)
    columns, column = np.unique(found[looked_at], return_inverse=True)
    share = np.zeros((len(landmarks), len(columns)))
    weight = (1 / places)[:, None].repeat(found.shape[1], axis=1)[looked_at]
    np.add.at(share, (row[:, None].repeat(found.shape[1], axis=1)[looked_at], column), weight)
    queries = np.bincount(row, minlength=len(landmarks))
    return Confusions(landmarks, columns, share / queries[:, None], queries)


def confusion_figure(confusions: Confusions, names: Mapping[int, str]) -> Figure:
    """The most confused landmarks as a matrix, those that are mixed up beside each other.

    Raises:
        ValueError: if nothing is confused.
    """
    pairs = confusions.pairs()
    if not pairs:
        raise ValueError("no landmark is mixed up with another")
    shown = _near_ones_together(confusions, _involved(pairs))
    matrix = _square(confusions, shown)
    texts = [label(names.get(landmark, landmark), 24) for landmark in shown]
    queries = dict(zip(confusions.landmarks.tolist(), confusions.queries.tolist(), strict=True))
    counted = [f"{text} ({queries.get(one, 0)})" for text, one in zip(texts, shown, strict=True)]
    with drawing():
        figure = new_figure(3.8 + 0.36 * len(shown), 2.1 + 0.34 * len(shown))
        axes = figure.add_subplot()
        image = axes.imshow(matrix, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_xticks(range(len(shown)), texts, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(len(shown)), counted)
        axes.tick_params(length=0, labelsize=8)
        axes.grid(visible=False)
        axes.set_xlabel("found")
        axes.set_ylabel("asked for (queries)")
        for (row, column), value in np.ndenumerate(matrix):
            if value >= 0.045:
                colour = "white" if value > 0.6 else "black"
                text = f"{value:.2f}".removeprefix("0") if value < 0.995 else "1"
                axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
        bar.outline.set_visible(False)
        bar.set_label("share of the places", fontsize=8)
        bar.ax.tick_params(labelsize=8)
    return figure


def _involved(pairs: Sequence[tuple[int, int, float]]) -> list[int]:
    """Landmarks of the most confused pairs, at most `_MOST_SHOWN`."""
    chosen: dict[int, None] = {}
    for asked, found, _ in pairs:
        new = {asked, found} - chosen.keys()
        if len(chosen) + len(new) > _MOST_SHOWN:
            break
        chosen |= dict.fromkeys((asked, found))
    return list(chosen)


def _square(confusions: Confusions, shown: Sequence[int]) -> np.ndarray:
    """(n, n) shares among the shown landmarks; a row of NaN for one that nobody asked for."""
    row = {int(landmark): at for at, landmark in enumerate(confusions.landmarks)}
    column = {int(landmark): at for at, landmark in enumerate(confusions.found)}
    matrix = np.full((len(shown), len(shown)), np.nan)
    for at, asked in enumerate(shown):
        if asked in row:
            shares = confusions.share[row[asked]]
            matrix[at] = [shares[column[one]] if one in column else 0.0 for one in shown]
    return matrix


def _near_ones_together(confusions: Confusions, shown: list[int]) -> list[int]:
    """An order in which landmarks that are mixed up are neighbours."""
    if len(shown) < 3:
        return shown
    from scipy.cluster.hierarchy import leaves_list, linkage

    matrix = np.nan_to_num(_square(confusions, shown))
    mixed = matrix + matrix.T
    np.fill_diagonal(mixed, 0)
    distance = mixed.max() - mixed
    condensed = distance[np.triu_indices(len(shown), 1)]
    return [shown[at] for at in leaves_list(linkage(condensed, "average"))]
