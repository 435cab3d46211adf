"""Which images a UMAP picture shows, and that the picture is UMAP's and repeatable."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.plots.umap_plot import (
    choose_images,
    project,
    published_sizes,
    scatter,
    umap_figure,
)


def test_largest_landmarks_first_and_so_many_images_of_each():
    labels = np.array([4, 9, 9, -1, 4, 9, 2, 2, 2, 7, -1])  # sizes: 9 and 2 three, 4 two, 7 one
    rows = choose_images(labels, num_landmarks=3, images_per_landmark=2)
    assert rows.tolist() == [6, 7, 1, 2, 0, 4]
    assert choose_images(labels, sizes=(3, 3)).tolist() == [6, 7, 8, 1, 2, 5]
    assert choose_images(labels, sizes=(350, 900)).tolist() == []
    assert choose_images(np.full(5, -1)).tolist() == []


def three_groups():
    rng = np.random.default_rng(0)
    centres = np.eye(8)[:3]
    rows = np.repeat(centres, 12, axis=0) + 0.05 * rng.normal(size=(36, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows.astype(np.float32), np.repeat([5, 1, 3], 12)


def test_three_groups_stay_three_groups_and_the_seed_decides():
    rows, labels = three_groups()
    points = project(rows, seed=1)
    np.testing.assert_array_equal(points, project(rows, seed=1))
    assert points.shape == (36, 2)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    # The nearest neighbour of almost every point is of its own group.
    assert (labels[distance.argmin(axis=1)] == labels).mean() > 0.9

    figure = umap_figure(rows, labels, {5: "Tower_$5", 1: "_Bridge"}, seed=1)
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["\u200b_Bridge (12)", "3 (12)", r"Tower_\$5 (12)"]
    drawn = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    assert drawn.shape == (36, 2)
    assert figure.axes[0].get_aspect() == 1.0
    assert list(figure.axes[0].get_xticks()) == []


def test_each_label_keeps_its_own_points():
    points = np.array([[0, 0], [1, 1], [2, 2]], float)
    figure = scatter(points, np.array([8, 3, 8]), {8: "A", 3: "B"})
    drawn = [c.get_offsets().tolist() for c in figure.axes[0].collections]
    assert drawn == [[[0, 0], [2, 2]], [[1, 1]]]


def test_refusals():
    rows, labels = three_groups()
    with pytest.raises(ValueError, match=r"needs at least 8 embeddings .* received 7"):
        project(rows[:7])
    with pytest.raises(ValueError, match="received 0"):
        umap_figure(rows, labels, sizes=(350, 900))
    with pytest.raises(ValueError, match="expected 36 labels, received"):
        umap_figure(rows, labels[:5])


def test_the_papers_sizes_where_there_are_enough_such_landmarks():
    labels = np.repeat(np.arange(5), [349, 350, 900, 901, 3])
    assert published_sizes(labels, 2) == (350, 900)
    assert published_sizes(labels, 3) == (2, np.inf)
    chosen = labels[choose_images(labels, num_landmarks=2, sizes=published_sizes(labels, 2))]
    assert np.unique(chosen, return_counts=True)[1].tolist() == [51, 51]
    assert sorted(set(chosen.tolist())) == [1, 2]
    assert published_sizes(np.full(9, -1)) == (2, np.inf)
