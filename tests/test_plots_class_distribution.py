"""The long tail as drawn."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.plots.class_distribution import class_distribution


def test_sizes_fall_and_the_title_counts():
    # Landmark 7 has three images, 5 and 9 one each; -1 is no landmark.
    figure = class_distribution([7, 5, -1, 7, 9, 7])
    axes = figure.axes[0]
    assert list(axes.lines[0].get_ydata()) == [3, 1, 1]
    assert list(axes.lines[0].get_xdata()) == [1, 2, 3]
    assert axes.get_title(loc="left") == "5 images of 3 landmarks, 1 to 3 each"
    assert [text.get_text() for text in axes.texts] == ["median 1"]
    assert axes.get_yscale() == "linear"


def test_a_long_tail_is_drawn_on_a_log_scale():
    labels = np.repeat(np.arange(4), [100, 10, 4, 2])
    axes = class_distribution(labels).axes[0]
    assert axes.get_yscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["median 7"]


@pytest.mark.parametrize("labels", [[], [-1, -1]])
def test_refuses_a_set_without_classes(labels):
    with pytest.raises(ValueError, match="at least one image with a class"):
        class_distribution(labels)
