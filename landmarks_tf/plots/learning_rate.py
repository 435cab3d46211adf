"""The curve of a learning-rate range test."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from landmarks_tf.plots.style import COLOURS, drawing, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def range_test_figure(found: Mapping) -> Figure:
    """Loss against the learning rate, with the suggested rate and the one that is too high.

    Args:
        found: lr_finder.json's values: "learning_rates", "losses", "smoothed", "suggested" and
            "diverges_at"; a loss may be None where it was no number.
    """
    figure = new_figure(6.4, 3.6)
    with drawing():
        axes = figure.add_subplot()
        rates = found["learning_rates"]
        losses, smoothed = (
            [math.nan if value is None else value for value in found[name]]
            for name in ("losses", "smoothed")
        )
        axes.plot(rates, losses, color=COLOURS[-1], alpha=0.5, linewidth=0.8, label="each step")
        axes.plot(rates, smoothed, color=COLOURS[0], label="smoothed")
        for name, text, colour in (
            ("suggested", "suggested", COLOURS[2]),
            ("diverges_at", "too high", COLOURS[3]),
        ):
            if found[name] is not None:
                axes.axvline(
                    found[name], color=colour, linestyle="--", label=f"{text}: {found[name]:.2g}"
                )
        axes.set_xscale("log")
        low, high = _limits(smoothed)
        axes.set_ylim(low, high)
        axes.set_xlabel("learning rate")
        axes.set_ylabel("loss")
        axes.set_title("Learning-rate range test", loc="left")
        axes.legend()
    return figure


def _limits(smoothed: list[float]) -> tuple[float | None, float | None]:
    """Around the smoothed curve up to a little above its start: what diverges would hide it."""
    finite = [value for value in smoothed if math.isfinite(value)]
    if not finite or min(finite) == max(finite):
        return None, None
    low, start = min(finite), finite[0]
    span = max(start - low, 0.1 * (max(finite) - low))
    return low - 0.3 * span, start + 0.6 * span
