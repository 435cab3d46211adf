"""Which landmarks are mixed up: shares worked out by hand, and against a plain loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.plots.confusion import confusion_figure, count_confusions
from landmarks_tf.plots.style import figure_png


def test_by_hand():
    """Landmark 7 has two queries: of m = 2 and 3 places one each goes to 9, one to none."""
    found = [[9, 7, 9, 9], [7, 9, -1, 7], [9, 9, 7, 7]]
    counted = count_confusions([7, 7, 9], found, [2, 3, 1])
    assert counted.landmarks.tolist() == [7, 9]
    assert counted.found.tolist() == [7, 9]
    np.testing.assert_allclose(counted.share, [[(1 / 2 + 1 / 3) / 2] * 2, [0, 1]])
    assert counted.queries.tolist() == [2, 1]
    assert counted.pairs() == [(7, 9, pytest.approx(5 / 12))]


def test_a_perfect_search_confuses_nothing_however_small_the_landmark():
    counted = count_confusions([3, 5], [[3, 8, 8], [5, 5, 8]], [1, 2])
    assert counted.pairs() == []
    with pytest.raises(ValueError, match="no landmark is mixed up"):
        confusion_figure(counted, {})


def loop(asked, found, relevant, depth):
    sums, counts = {}, {}
    for landmark, ranking, m in zip(asked, found, relevant, strict=True):
        places = min(m, depth, len(ranking))
        counts[landmark] = counts.get(landmark, 0) + 1
        for other in ranking[:places]:
            if other >= 0:
                sums[landmark, other] = sums.get((landmark, other), 0) + 1 / places
    wrong = {k: v / counts[k[0]] for k, v in sums.items() if k[0] != k[1]}
    return sorted(wrong.items(), key=lambda item: (-round(item[1], 9), item[0]))


@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 12))
@settings(max_examples=50, deadline=None)
def test_against_a_plain_loop(seed, width, depth):
    rng = np.random.default_rng(seed)
    asked = rng.integers(0, 5, 9)
    found, relevant = rng.integers(-1, 6, (9, width)), rng.integers(1, 15, 9)
    counted = count_confusions(asked, found, relevant, depth)
    expected = loop(asked.tolist(), found.tolist(), relevant.tolist(), depth)
    assert {(a, f): pytest.approx(s) for a, f, s in counted.pairs()} == dict(expected)
    shares = [share for _, _, share in counted.pairs()]
    assert shares == sorted(shares, reverse=True)
    assert (counted.share.sum(axis=1) <= 1 + 1e-9).all()


def test_mixed_up_landmarks_stand_beside_each_other():
    asked = np.array([1, 2, 3, 4, 5, 6])
    found = np.array([[4, 1], [5, 2], [6, 3], [1, 4], [2, 5], [3, 6]])  # 1-4, 2-5, 3-6
    counted = count_confusions(asked, found, np.full(6, 2))
    figure = confusion_figure(counted, {1: "_Tower $1$", 4: "Gate"})
    rows = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    shown = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert rows == [f"{text} (1)" for text in shown]
    at = {text: place for place, text in enumerate(shown)}
    assert len(shown) == 6
    for one, other in (("\u200b_Tower \\$1\\$", "Gate"), ("2", "5"), ("3", "6")):
        assert abs(at[one] - at[other]) == 1
    matrix = figure.axes[0].images[0].get_array()
    assert matrix[at["Gate"], at["\u200b_Tower \\$1\\$"]] == 0.5
    assert matrix[at["2"], at["2"]] == 0.5
    figure_png(figure, dpi=40)


def test_at_most_so_many_landmarks_and_nobody_asked_is_empty():
    asked = np.arange(40)
    found = (asked[:, None] + 100).repeat(2, axis=1)
    figure = confusion_figure(count_confusions(asked, found, np.full(40, 2)), {})
    matrix = figure.axes[0].images[0].get_array()
    assert matrix.shape == (16, 16)
    assert np.ma.is_masked(matrix)  # a row of NaN: 100 and above were asked for by nobody
    assert (np.ma.getmaskarray(matrix).all(axis=1)).sum() == 8


def test_refusals():
    with pytest.raises(ValueError, match=r"received \(2,\), \(1, 2\), \(2,\)"):
        count_confusions([1, 2], [[1, 2]], [1, 1])
    with pytest.raises(ValueError, match="needs an image of its landmark"):
        count_confusions([1], [[1, 2]], [0])
