"""UMAP picture of some landmarks' embeddings, as S1 draws it (reproduction.md section 2.8).

S1's figure 4: landmarks that have 350 to 900 index images, by falling size, the first ten, the
first 51 images of each; UMAP with cosine distance and otherwise default settings; points of size
10, no ticks, equal aspect.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.plots.style import drawing, label, new_figure, series_styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_LANDMARKS = 10
IMAGES_PER_LANDMARK = 51
PUBLISHED_SIZES = (350, 900)
_NEIGHBOURS = 15  # UMAP's default
_FEWEST_POINTS = 8


def choose_images(
    labels,
    *,
    num_landmarks: int = NUM_LANDMARKS,
    images_per_landmark: int = IMAGES_PER_LANDMARK,
    sizes: tuple[int, float] = (2, np.inf),
) -> np.ndarray:
    """Rows of the landmarks that a UMAP picture shows.

    Args:
        labels: (N,) the landmark of each row; negative means none.
        num_landmarks: how many of the largest to show.
        images_per_landmark: the first so many rows of each.
        sizes: least and largest number of rows of a landmark to show; S1 takes (350, 900).

    Returns:
        (M,) int64 rows, landmark by landmark, the largest first, equal sizes by rising label.
    """
    labels = np.asarray(labels)
    values, counts = np.unique(labels[labels >= 0], return_counts=True)
    fits = (counts >= sizes[0]) & (counts <= sizes[1])
    by_size = np.lexsort((values[fits], -counts[fits]))
    chosen = values[fits][by_size][:num_landmarks]
    rows = [np.flatnonzero(labels == value)[:images_per_landmark] for value in chosen]
    return np.concatenate([np.zeros(0, np.int64), *rows])


def published_sizes(labels, num_landmarks: int = NUM_LANDMARKS) -> tuple[int, float]:
    """`sizes` for `choose_images`: S1's where so many landmarks have them, else all from 2 on.

    Args:
        labels: (N,) the landmark of each row; negative means none.
        num_landmarks: how many are wanted.
    """
    labels = np.asarray(labels)
    counts = np.unique(labels[labels >= 0], return_counts=True)[1]
    fits = (counts >= PUBLISHED_SIZES[0]) & (counts <= PUBLISHED_SIZES[1])
    return PUBLISHED_SIZES if fits.sum() >= num_landmarks else (2, np.inf)


def project(embeddings, *, seed: int = 0) -> np.ndarray:
    """UMAP of (M, D) rows to (M, 2) under cosine distance, the same at every run.

    Args:
        embeddings: (M, D), at least 8 rows.
        seed: UMAP's random state; UMAP then uses one thread.

    Raises:
        ValueError: for fewer rows.
    """
    embeddings = np.asarray(embeddings, np.float32)
    if len(embeddings) < _FEWEST_POINTS:
        raise ValueError(
            f"UMAP needs at least {_FEWEST_POINTS} embeddings of landmarks with two images or "
            f"more, received {len(embeddings)}"
        )
    with warnings.catch_warnings():
        # numba's and scikit-learn's notes on UMAP's own code, and "n_jobs overridden by seed".
        warnings.simplefilter("ignore")
        import umap

        reducer = umap.UMAP(
            metric="cosine",
            n_neighbors=min(_NEIGHBOURS, len(embeddings) - 1),
            random_state=seed,
            n_jobs=1,
        )
        return np.asarray(reducer.fit_transform(embeddings), np.float32)


def umap_figure(
    embeddings, labels, names: Mapping[int, str] | None = None, *, seed: int = 0, **choice
) -> Figure:
    """UMAP picture of the largest landmarks, one colour and marker each, named in a legend.

    Args:
        embeddings: (N, D) unit rows; may be memory-mapped, only shown rows are read.
        labels: (N,) the landmark of each row.
        names: landmark -> name; the number where there is none.
        seed: UMAP's random state.
        **choice: `num_landmarks`, `images_per_landmark`, `sizes` of `choose_images`.

    Raises:
        ValueError: if the chosen landmarks have fewer than 8 images between them.
    """
    labels = np.asarray(labels)
    if labels.shape != (len(embeddings),):
        raise ValueError(f"expected {len(embeddings)} labels, received {labels.shape}")
    rows = choose_images(labels, **choice)
    points = project(embeddings[rows], seed=seed)
    return scatter(points, labels[rows], names or {})


def scatter(points: np.ndarray, labels: np.ndarray, names: Mapping[int, str]) -> Figure:
    """(M, 2) points in one colour and marker for each label, in the order of first appearance."""
    with drawing():
        shown = list(dict.fromkeys(labels.tolist()))
        # Wide enough for two columns of names at their longest.
        figure = new_figure(6.4, 4.6 + 0.2 * ((len(shown) + 1) // 2))
        axes = figure.add_subplot()
        for value, (colour, marker) in zip(shown, series_styles(), strict=False):
            mine = points[labels == value]
            text = f"{label(names.get(value, value), 26)} ({len(mine)})"
            axes.scatter(
                mine[:, 0], mine[:, 1], s=14, color=colour, marker=marker, alpha=0.8, label=text
            )
        axes.set_aspect("equal", adjustable="datalim")
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
        figure.legend(loc="outside lower center", ncols=2, markerscale=1.4, handletextpad=0.2)
    return figure
