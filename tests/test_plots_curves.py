"""Which curves come out of which lines."""

from __future__ import annotations

import numpy as np

from landmarks_tf.plots.curves import training_curves


def series(figure):
    """name -> (steps, values) as drawn."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in figure.axes[0].lines
    }


def test_each_kind_of_value_has_its_figure():
    lines = [
        {"step": 10, "images": 640, "loss": 2.5, "accuracy": 0.25, "learning_rate": 0.1},
        {"step": 20, "loss": 1.5, "accuracy": 0.5, "learning_rate": 0.05, "val_top1": 0.4},
        {"step": 30, "loss": 1.25, "val_map@100": 0.3, "images_per_s": 40, "gradient_norm": 2.0},
        {"step": 40, "data_wait": 0.25, "seconds_left": 60},
    ]
    figures = training_curves(lines)
    assert list(figures) == [
        *("Loss", "Accuracy", "Retrieval", "Learning rate", "Speed", "Wait for data", "Other")
    ]
    assert series(figures["Wait for data"]) == {"data_wait": ([40], [0.25])}
    assert series(figures["Loss"]) == {"loss": ([10, 20, 30], [2.5, 1.5, 1.25])}
    assert series(figures["Accuracy"]) == {
        "accuracy": ([10, 20], [0.25, 0.5]),
        "val_top1": ([20], [0.4]),
    }
    assert series(figures["Retrieval"]) == {"val_map@100": ([30], [0.3])}
    assert series(figures["Other"]) == {"gradient_norm": ([30], [2.0])}
    assert figures["Accuracy"].axes[0].get_legend() is not None
    assert figures["Loss"].axes[0].get_legend() is None
    assert figures["Speed"].axes[0].get_xlabel() == "step"
    assert figures["Speed"].axes[0].get_ylabel() == "images/s"


def test_what_is_no_number_has_no_point():
    lines = [
        {"step": 1, "loss": float("nan")},
        {"step": 2, "loss": None},
        {"step": 3, "loss": "high"},
        {"step": 4, "loss": True},
        {"loss": 9.0},
        {"step": 5, "loss": float("inf"), "accuracy": 0.5},
        {"step": 6, "loss": 1},
    ]
    figures = training_curves(lines)
    assert series(figures["Loss"]) == {"loss": ([6], [1])}
    assert series(figures["Accuracy"]) == {"accuracy": ([5], [0.5])}


def test_no_lines_no_figures():
    assert training_curves([]) == {}
    assert training_curves([{"step": 1}]) == {}


def test_long_curves_have_no_markers():
    few, many = ([{"step": step, "loss": np.pi / (step + 1)} for step in range(n)] for n in (5, 90))
    assert training_curves(few)["Loss"].axes[0].lines[0].get_marker() == "o"
    assert training_curves(many)["Loss"].axes[0].lines[0].get_marker() == ""
