"""How many images each landmark has: the long tail, in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.plots.style import COLOURS, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def class_distribution(labels) -> Figure:
    """Class sizes from the largest to the smallest, with the median marked.

    Args:
        labels: (N,) the class of each image; negative ones (no class) are left out.

    Raises:
        ValueError: if no image has a class.
    """
    labels = np.asarray(labels)
    labels = labels[labels >= 0]
    if labels.ndim != 1 or not labels.size:
        raise ValueError("a class distribution needs at least one image with a class")
    sizes = np.sort(np.unique(labels, return_counts=True)[1])[::-1]
    median = float(np.median(sizes))
    with drawing():
        figure = new_figure()
        axes = figure.add_subplot()
        ranks = np.arange(1, len(sizes) + 1)
        axes.fill_between(ranks, sizes, step="mid", color=COLOURS[0], alpha=0.25, linewidth=0)
        axes.step(ranks, sizes, where="mid", color=COLOURS[0])
        axes.axhline(median, color=COLOURS[3], linewidth=1, linestyle="--")
        axes.annotate(
            f"median {median:g}",
            (1, median),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            color=COLOURS[3],
        )
        if sizes[0] > 20 * sizes[-1]:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.12 * sizes[0])
        axes.set_title(
            f"{len(labels):,} images of {len(sizes):,} landmarks, {sizes[-1]:,} to {sizes[0]:,} "
            "each",
            loc="left",
        )
        axes.set_xlabel("landmark, by number of images")
        axes.set_ylabel("images")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.margins(x=0.01)
    return figure
