"""Matches and inliers of pictures that were bent on purpose; the order that they make."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval.reranking.geometric import count_inliers, geometric_rerank, match
from landmarks_tf.retrieval.reranking.local_features import LocalFeatures, describe
from tests.test_retrieval_reranking_local_features import picture


def random_features(count, seed):
    rng = np.random.default_rng(seed)
    return LocalFeatures(
        rng.uniform(0, 300, (count, 2)).astype(np.float32),
        rng.integers(0, 120, (count, 128), np.uint8),
    )


def test_matches_are_one_to_one_and_pass_the_ratio_test():
    reference = random_features(40, seed=0)
    noise = np.random.default_rng(1).integers(0, 4, (40, 128), np.uint8)
    order = np.random.default_rng(2).permutation(40)
    query = LocalFeatures(reference.xy[order], reference.descriptors[order] + noise)
    pairs = match(query, reference)
    assert pairs[:, 0].tolist() == list(range(40))
    assert pairs[:, 1].tolist() == order.tolist()
    # A second copy of feature 5 among the references makes it ambiguous, whichever it is.
    twice = LocalFeatures(
        np.concatenate([reference.xy, reference.xy[5:6]]),
        np.concatenate([reference.descriptors, reference.descriptors[5:6]]),
    )
    assert sorted(match(query, twice)[:, 1].tolist()) == [i for i in range(40) if i != 5]
    # Two queries want feature 5: the exact one has it.
    both = LocalFeatures(
        np.concatenate([query.xy, reference.xy[5:6]]),
        np.concatenate([query.descriptors, reference.descriptors[5:6]]),
    )
    assert [40, 5] in match(both, reference).tolist()
    assert len(match(both, reference)) == 40


def test_too_few_features_are_no_match():
    few, none = random_features(1, seed=0), random_features(0, seed=0)
    for query, reference in ((none, random_features(9, 1)), (random_features(9, 1), few)):
        assert match(query, reference).shape == (0, 2)


def test_inliers_are_those_that_one_homography_moves():
    pytest.importorskip("cv2")
    query = random_features(60, seed=3)
    homography = np.array([[0.9, 0.2, 30], [-0.15, 1.1, 20], [2e-4, -1e-4, 1]])
    moved = np.column_stack([query.xy, np.ones(60)]) @ homography.T
    xy = (moved[:, :2] / moved[:, 2:]).astype(np.float32)
    # 20 of the 60 look alike and stand somewhere else.
    xy[40:] = np.random.default_rng(4).uniform(0, 300, (20, 2))
    found = count_inliers(query, LocalFeatures(xy, query.descriptors))
    assert 40 <= found <= 42
    assert count_inliers(query, random_features(60, seed=5)) == 0  # nothing looks alike
    assert count_inliers(query, LocalFeatures(xy[:3], query.descriptors[:3])) == 0
    assert found == count_inliers(query, LocalFeatures(xy, query.descriptors))  # no chance in it


def test_points_on_a_line_or_in_one_place_do_not_crash():
    pytest.importorskip("cv2")
    query = random_features(30, seed=6)
    line = np.column_stack([np.arange(30), np.arange(30)]).astype(np.float32)
    for xy in (line, np.zeros((30, 2), np.float32)):
        assert 0 <= count_inliers(query, LocalFeatures(xy, query.descriptors)) <= 30


def test_the_same_building_from_elsewhere_and_another_building():
    cv2 = pytest.importorskip("cv2")
    here = picture(seed=0)
    corners = np.array([[0, 0], [199, 0], [199, 159], [0, 159]], np.float32)
    seen = np.array([[20, 15], [185, 5], [195, 150], [10, 140]], np.float32)
    warp = cv2.getPerspectiveTransform(corners, seen)
    there = cv2.warpPerspective(here, warp, (200, 160), borderValue=(128, 128, 128))
    same = count_inliers(describe(here), describe(there))
    other = count_inliers(describe(here), describe(picture(seed=1)))
    assert same > 30
    assert other < 8


def test_order_by_hand():
    scores = np.array([[0.8, 0.7, 0.6, 0.5]], np.float32)
    rows = np.array([[4, 9, 2, 7]])
    inliers = np.array([[5, 0, 40, 12]])
    found, found_rows = geometric_rerank(scores, rows, inliers, weight=0.5, cap=20, least=8)
    assert found_rows.tolist() == [[2, 4, 7, 9]]
    np.testing.assert_allclose(found, [[1.1, 0.8, 0.8, 0.7]], rtol=1e-6)
    _, unchanged = geometric_rerank(scores, rows, inliers * 0)
    assert unchanged.tolist() == rows.tolist()


@pytest.mark.parametrize(
    ("inliers", "settings", "message"),
    [
        ([[1]], {}, r"inliers as whole numbers of shape \(1, 2\)"),
        ([[1.0, 2.0]], {}, r"received float64"),
        ([[1, -1]], {}, r"inliers of 0 or more, received -1"),
        ([[1, 2]], {"cap": 0}, r"cap must be at least 1"),
    ],
)
def test_refuses_counts_that_do_not_fit(inliers, settings, message):
    with pytest.raises(ValueError, match=message):
        geometric_rerank([[0.9, 0.8]], [[0, 1]], np.array(inliers), **settings)
