"""The figure of a range test: what is drawn where."""

from __future__ import annotations

import numpy as np

from landmarks_tf.plots.learning_rate import range_test_figure
from landmarks_tf.plots.style import figure_png

FOUND = {
    "learning_rates": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1],
    "losses": [4.0, 3.5, 2.0, 90.0, None],
    "smoothed": [3.9, 3.4, 2.2, 50.0, None],
    "suggested": 1e-4,
    "diverges_at": 1e-2,
}


def test_the_curve_and_its_marks():
    (axes,) = range_test_figure(FOUND).axes
    lines = {line.get_label(): line for line in axes.lines}
    assert list(lines) == ["each step", "smoothed", "suggested: 0.0001", "too high: 0.01"]
    np.testing.assert_array_equal(lines["each step"].get_ydata(), [4.0, 3.5, 2.0, 90.0, np.nan])
    assert lines["suggested: 0.0001"].get_xdata() == [1e-4, 1e-4]
    assert axes.get_xscale() == "log"
    low, high = axes.get_ylim()
    assert low < 2.2 and 3.9 < high < 10  # what diverges does not flatten what is looked for
    assert figure_png(range_test_figure(FOUND)).startswith(b"\x89PNG")


def test_without_marks_or_movement():
    nothing = FOUND | {"suggested": None, "diverges_at": None, "smoothed": [2.0] * 5}
    (axes,) = range_test_figure(nothing).axes
    assert [line.get_label() for line in axes.lines] == ["each step", "smoothed"]
