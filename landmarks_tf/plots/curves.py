"""Curves of a training run from the lines of its metrics.jsonl."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from landmarks_tf.plots.style import drawing, label, new_figure, series_styles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NOT_CURVES = {"step", "images", "epoch", "seconds_left"}


def training_curves(lines: Sequence[Mapping]) -> dict[str, Figure]:
    """One figure for each kind of value that the lines hold.

    Args:
        lines: dicts with a `step` and any of loss, accuracy, learning_rate, images_per_s, val_top1
            and so on. A value may be missing, null or NaN in some lines: the curve has no point
            there. What is no number is passed over.

    Returns:
        title -> figure, of Loss, Accuracy, Retrieval, Learning rate, Speed, Wait for data,
        Other that have a point, in this order. Empty without lines.
    """
    points: dict[str, tuple[list, list]] = {}
    for line in lines:
        step = line.get("step")
        if not _is_number(step):
            continue
        for name, value in line.items():
            if name not in _NOT_CURVES and _is_number(value):
                steps, values = points.setdefault(name, ([], []))
                steps.append(step)
                values.append(value)
    figures = {}
    with drawing():
        for title, unit, belongs in _KINDS:
            names = [name for name in points if belongs(name)]
            if names:
                figures[title] = _figure({name: points.pop(name) for name in names}, title, unit)
    return figures


def _figure(series: Mapping[str, tuple[list, list]], title: str, unit: str) -> Figure:
    figure = new_figure()
    axes = figure.add_subplot()
    for (name, (steps, values)), (colour, marker) in zip(
        series.items(), series_styles(), strict=False
    ):
        # A curve of a few points (validation) shows them; one of hundreds would be a bar of ink.
        shown = marker if len(steps) <= 25 else ""
        axes.plot(steps, values, color=colour, marker=shown, markersize=4, label=label(name))
    axes.set_title(title, loc="left")
    axes.set_xlabel("step")
    axes.set_ylabel(unit)
    axes.margins(x=0.02)
    axes.xaxis.get_major_locator().set_params(integer=True, nbins=7)
    if title == "Learning rate":
        axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=False)
    if title in ("Speed", "Wait for data", "Learning rate"):
        axes.set_ylim(bottom=0)
    if len(series) > 1:
        axes.legend()
    return figure


def _is_number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_KINDS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("Loss", "loss", lambda name: name.endswith("loss")),
    (
        "Accuracy",
        "share right",
        lambda name: "acc" in name or "top1" in name or "top5" in name or "f1" in name,
    ),
    (
        "Retrieval",
        "score",
        lambda name: "map" in name or "gap" in name or "recall" in name or "p@" in name,
    ),
    ("Learning rate", "learning rate", lambda name: "learning_rate" in name),
    ("Speed", "images/s", lambda name: "images_per_s" in name),
    ("Wait for data", "share of time", lambda name: "data_wait" in name),
    ("Other", "value", lambda name: True),
)
