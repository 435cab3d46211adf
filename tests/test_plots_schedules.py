"""Stages drawn one after the other on one axis of steps."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.plots.schedules import StageSchedule, schedule_figure
from landmarks_tf.plots.style import figure_png


def stage(name, steps, margin, size, unit="radians"):
    at = np.array([0, steps // 2, steps - 1])
    margins = None if margin is None else np.array([margin] * 3, float)
    rates = np.array([0.1, 0.05, 0.01])
    return StageSchedule(name, steps, at, rates, margins, size, unit)


def test_three_panels_one_after_the_other():
    figure = schedule_figure(
        [stage("low", 100, (0.1, 0.1), 224), stage("high", 50, (0.2, 0.4), 448)]
    )
    rates, margins, sizes = figure.axes
    assert [axes.get_ylabel() for axes in figure.axes] == [
        *("learning rate", "margin, radians", "input, px")
    ]
    (first, second), border = rates.get_lines()[:2], rates.get_lines()[2]
    assert first.get_xdata().tolist() == [0, 50, 99]
    assert second.get_xdata().tolist() == [100, 125, 149]
    assert border.get_xdata() == [100, 100]
    highs = [line.get_ydata()[0] for line in margins.get_lines()[:4]]
    assert highs == [0.1, 0.1, 0.4, 0.2]
    assert [line.get_xydata().tolist() for line in sizes.get_lines()[:2]] == [
        [[0, 224], [100, 224]],
        [[100, 448], [150, 448]],
    ]
    assert sizes.get_yticks().tolist() == [0, 224, 448]
    assert [text.get_text() for text in rates.texts] == ["low", "high"]
    figure_png(figure, dpi=40)


def test_a_loss_without_a_margin_has_no_panel_of_margins():
    figure = schedule_figure([stage("", 100, None, 64)])
    assert [axes.get_ylabel() for axes in figure.axes] == ["learning rate", "input, px"]
    assert not figure.axes[0].texts
    mixed = schedule_figure([stage("a", 10, None, 64), stage("b", 10, (1, 1), 64, "distance")])
    assert mixed.axes[1].get_ylabel() == "margin, distance"
    with pytest.raises(ValueError, match="at least one stage"):
        schedule_figure([])
