"""How mAP@100 falls as the index grows, as the report of S1 draws it (reproduction.md 2.8, 2.10).

Two panels, public and private; mAP relative to the smallest index against the index size; ArcFace
red squares, GE2E blue circles, the U-Net orange triangles.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from landmarks_tf.plots.style import COLOURS, drawing, label, new_figure, series_styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PARTS = ("public", "private")
_BLUE, _ORANGE, _, _RED = COLOURS[:4]
# The report's, by the method's loss, in the shades of this project.
_REPORTS = {
    "arcface": (_RED, "s"),
    "ge2e": (_BLUE, "o"),
    "mean_squared_error": (_ORANGE, "^"),
}
_MOST_TICKS = 8


def scalability_figure(series: Sequence[Mapping]) -> Figure:
    """Relative mAP against index size, a line for each run, public and private apart.

    Args:
        series: runs, each with "label"; "method", the name of its loss, which gives the report's
            marker where the report has one (the first run of a method gets it); "sizes", the number
            of images in each index; "public" and "private", as many relative mAPs (1 for the
            smallest index), None where there is none; and, if it likes, "dashed": true for numbers
            that are a source's, not ours.

    Raises:
        ValueError: without runs, or with other than one value for each size.
    """
    if not series:
        raise ValueError("a scalability figure needs at least one run")
    for one in series:
        lengths = {part: len(one[part]) for part in PARTS}
        if set(lengths.values()) != {len(one["sizes"])}:
            raise ValueError(
                f"{one['label']!r}: expected one value for each of {len(one['sizes'])} index "
                f"sizes, received {lengths}"
            )
    with drawing():
        # A legend of several runs stands below, and wants its own lines.
        figure = new_figure(8.4, 3.3 + 0.22 * ((len(series) + 2) // 3))
        panels = figure.subplots(1, 2, sharey=True)
        for part, axes in zip(PARTS, panels, strict=True):
            for one, (colour, marker) in zip(series, _styles(series), strict=True):
                _line(axes, one, part, colour, marker)
            axes.set_title(part, loc="left")
            axes.set_xlabel("images in the index")
            _index_axis(axes, [size for one in series for size in one["sizes"]])
        panels[0].set_ylabel("mAP@100, % of that with\nthe smallest index")
        panels[0].set_ylim(bottom=min(0.0, panels[0].get_ylim()[0]))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=min(3, len(series)))
    return figure


def _line(axes, one: Mapping, part: str, colour: str, marker: str) -> None:
    at = [(size, 100 * v) for size, v in zip(one["sizes"], one[part], strict=True) if v is not None]
    axes.plot(
        [size for size, _ in at],
        [value for _, value in at],
        color=colour,
        marker=marker,
        markersize=5,
        linestyle="--" if one.get("dashed") else "-",
        markerfacecolor="none" if one.get("dashed") else colour,
        label=label(one["label"], 48),
        zorder=2 if one.get("dashed") or not one.get("method") else 3,
    )


def _styles(series: Sequence[Mapping]) -> list[tuple[str, str]]:
    styles, free = [], series_styles()
    taken = {_REPORTS[one["method"]] for one in series if one.get("method") in _REPORTS}
    given = set()
    for one in series:
        style = _REPORTS.get(one.get("method"))
        # Dashed and hollow is enough of a difference from the run of the same method.
        key = (style, bool(one.get("dashed")))
        if style is None or key in given:
            style = next(style for style in free if style not in taken)
        given.add(key)
        styles.append(style)
    return styles


def _index_axis(axes, sizes: Sequence[int]) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    distinct = sorted(set(sizes))
    places = distinct
    if distinct[-1] > 3 * distinct[0]:
        axes.set_xscale("log")
        places = [math.log(size) for size in distinct]
    least = (places[-1] - places[0]) / _MOST_TICKS / 1.5
    # A tick at each size, where its label has room.
    if all(right - left > least for left, right in itertools.pairwise(places)):
        axes.set_xticks(distinct)
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda size, _: compact(size)))


def compact(size: float) -> str:
    """A number of images in a few letters: 758, 12.6k, 762k, 1.58M."""
    for unit, name in ((1e6, "M"), (1e3, "k")):
        if size >= 0.9995 * unit:
            return f"{size / unit:.3g}{name}"
    return f"{size:g}"
