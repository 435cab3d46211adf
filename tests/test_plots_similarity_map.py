"""Heat where it belongs, in the right picture, with the right mark."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from landmarks_tf.plots.similarity_map import MatchedPair, heated, similarity_figure, upsampled
from landmarks_tf.plots.style import figure_png


def test_upsampling_by_hand_and_as_pillow_has_it():
    np.testing.assert_allclose(upsampled(np.array([[0.0, 1.0]]), 4), [[0, 0.25, 0.75, 1]] * 4)
    at = np.array([1.0, 3.0])
    np.testing.assert_allclose(upsampled(np.eye(2), 5, (at, at))[:, 1], [1, 1, 0.5, 0, 0])
    values = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    expected = Image.fromarray(values).resize((35, 35), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(upsampled(values, 35), np.asarray(expected), atol=1e-5)


def test_heat_stands_where_the_value_does():
    picture = np.full((40, 40, 3), 100, np.uint8)
    values = np.zeros((4, 4))
    values[0, 3] = 2.0
    values[3, 0] = -5.0
    shown = heated(picture, values).astype(int)
    assert shown.dtype == np.int64
    assert (shown[30:, :10] == 100).all()  # negative: grey as it was
    assert shown[4, 35, 0] > 200  # bright, warm
    assert shown[4, 35, 0] > shown[4, 35, 2] + 80
    np.testing.assert_array_equal(heated(picture, np.zeros((2, 2))), picture)


def pair(right, **other):
    grey = np.full((20, 20, 3), 90, np.uint8)
    first, second = np.eye(2), np.fliplr(np.eye(2))
    return MatchedPair(grey, grey + 50, first, second, 0.7123, right, "Big_$tower", **other)


def test_four_pictures_a_row_and_marks():
    figure = similarity_figure([pair(True, match_name="_A"), pair(False), pair(None)])
    assert len(figure.axes) == 12
    assert [axes.get_title() for axes in figure.axes[:4]] == [
        *("query", "in the query", "in the match", "match")
    ]
    captions = [axes.get_xlabel() for axes in figure.axes]
    assert captions[:4] == [r"Big_\$tower", "✓ cosine 0.71", "", "\u200b_A"]
    assert (captions[5], captions[9]) == ("✗ cosine 0.71", "cosine 0.71")
    query, match = (figure.axes[at].images[0].get_array() for at in (1, 2))
    assert query[0, 0, 0] > query[0, 19, 0]  # the query's own map, not the match's
    assert match[0, 0, 0] < match[0, 19, 0]
    colours = [figure.axes[at].spines["left"].get_edgecolor() for at in (3, 7)]
    assert colours[0] != colours[1]
    assert not figure.axes[11].spines["left"].get_visible()
    figure_png(figure, dpi=40)
    with pytest.raises(ValueError, match="at least one pair"):
        similarity_figure([])
