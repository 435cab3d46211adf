"""What changes over a training: learning rate, margin and resolution, stage by stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from landmarks_tf.plots.style import COLOURS, drawing, label, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class StageSchedule:
    """One stage of a training.

    Attributes:
        name: of the stage; "" for a training in one piece.
        steps: how many optimizer steps it takes.
        at: (n,) steps of the stage, rising from 0, at which the rest is given.
        learning_rate: (n,) rates.
        margin: (n, 2) least and largest margin of a class, or None for a loss without one.
        image_size: side of the input in pixels.
        margin_unit: "radians", "cosine" or "distance".
    """

    name: str
    steps: int
    at: np.ndarray
    learning_rate: np.ndarray
    margin: np.ndarray | None
    image_size: int
    margin_unit: str = ""


def schedule_figure(stages: Sequence[StageSchedule]) -> Figure:
    """Three panels over one axis of steps: learning rate, margin, resolution.

    A panel of margins is left out where no stage has one. Margins that differ by class are a band.

    Raises:
        ValueError: without stages.
    """
    if not stages:
        raise ValueError("a picture of schedules needs at least one stage")
    kinds = ["learning rate", *(["margin"] if any(s.margin is not None for s in stages) else [])]
    kinds.append("resolution")
    with drawing():
        figure = new_figure(5.8, 1.4 * len(kinds) + 0.7)
        panels = figure.subplots(len(kinds), 1, sharex=True, squeeze=False)[:, 0]
        for axes, kind in zip(panels, kinds, strict=True):
            {"learning rate": _rates, "margin": _margins, "resolution": _sizes}[kind](axes, stages)
            axes.margins(x=0.01)
        _stage_names(panels, stages)
        panels[-1].set_xlabel("step")
        panels[-1].xaxis.get_major_locator().set_params(integer=True)
        figure.align_ylabels(panels)
    return figure


def _starts(stages: Sequence[StageSchedule]) -> list[int]:
    return [0, *np.cumsum([stage.steps for stage in stages]).tolist()]


def _rates(axes, stages) -> None:
    for start, stage in zip(_starts(stages), stages, strict=False):
        axes.plot(start + stage.at, stage.learning_rate, color=COLOURS[0])
    axes.set_ylabel("learning rate")
    axes.set_ylim(bottom=0)
    axes.ticklabel_format(axis="y", style="sci", scilimits=(-2, 3), useMathText=False)


def _margins(axes, stages) -> None:
    for start, stage in zip(_starts(stages), stages, strict=False):
        if stage.margin is None:
            continue
        low, high = np.asarray(stage.margin, np.float64).T
        axes.fill_between(start + stage.at, low, high, color=COLOURS[3], alpha=0.25, linewidth=0)
        axes.plot(start + stage.at, high, color=COLOURS[3])
        axes.plot(start + stage.at, low, color=COLOURS[3])
    units = {stage.margin_unit for stage in stages if stage.margin is not None} - {""}
    axes.set_ylabel(f"margin, {units.pop()}" if len(units) == 1 else "margin")
    highest = max(np.max(stage.margin) for stage in stages if stage.margin is not None)
    axes.set_ylim(0, 1.15 * highest or 1.0)


def _sizes(axes, stages) -> None:
    for start, stage in zip(_starts(stages), stages, strict=False):
        axes.plot([start, start + stage.steps], [stage.image_size] * 2, color=COLOURS[2])
    axes.set_ylabel("input, px")
    axes.set_yticks([0, *sorted({stage.image_size for stage in stages})])
    axes.set_ylim(0, 1.2 * max(stage.image_size for stage in stages))


def _stage_names(panels, stages) -> None:
    starts = _starts(stages)
    for axes in panels:
        for start in starts[1:-1]:
            axes.axvline(start, color="#8a8a8a", linewidth=0.9, linestyle=":")
    for start, stage in zip(starts, stages, strict=False):
        if stage.name:
            panels[0].annotate(
                label(stage.name, 20),
                (start + stage.steps / 2, 1.0),
                xycoords=("data", "axes fraction"),
                xytext=(0, 3),
                textcoords="offset points",
                ha="center",
                fontsize=9,
            )
