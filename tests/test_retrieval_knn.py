"""Recognition by neighbours against a plain loop and against votes counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.knn import knn_classify, nearest_classes
from tests.reference import retrieval as reference


def at_angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_two_farther_votes_beat_one_nearer():
    # Query at 0 degrees; class 7 at 10 degrees (0.985), class 4 at 40 and 45 (0.766 + 0.707).
    train, labels = at_angles(10, 40, 45, 170), np.array([7, 4, 4, 9])
    label, confidence = knn_classify(at_angles(0), train, labels, k=3)
    assert label.tolist() == [4]
    np.testing.assert_allclose(confidence, [np.cos(np.radians(40)) + np.cos(np.radians(45))], 1e-6)
    label, confidence = knn_classify(at_angles(0), train, labels, k=1)
    assert label.tolist() == [7]
    np.testing.assert_allclose(confidence, [np.cos(np.radians(10))], rtol=1e-6)


def test_equal_sums_go_to_the_nearer_and_negative_cosines_count_for_nothing():
    label, _ = knn_classify(at_angles(0), at_angles(30, -30), [5, 3], k=2)
    assert label.tolist() == [5]  # the lower row is the nearer of two equals
    # 100 degrees alone must not lose its class to two votes at 120 and 130.
    label, confidence = knn_classify(at_angles(0), at_angles(120, 130, 100), [1, 1, 2], k=3)
    assert label.tolist() == [2]
    np.testing.assert_allclose(confidence, [np.cos(np.radians(100))], rtol=1e-5)


@settings(max_examples=50, deadline=None)
@given(
    num_train=st.integers(1, 40),
    classes=st.integers(1, 8),
    dim=st.integers(2, 5),
    k=st.integers(1, 50),
    seed=st.integers(0, 2**31),
)
def test_equals_the_plain_loops(num_train, classes, dim, k, seed):
    rng = np.random.default_rng(seed)
    train, queries = (rng.normal(size=(n, dim)) for n in (num_train, 4))
    train /= np.linalg.norm(train, axis=1, keepdims=True)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    train, queries = train.astype(np.float32), queries.astype(np.float32)
    labels = rng.integers(0, classes, num_train) * 1000
    predicted, confidences = knn_classify(queries, train, labels, k=k)
    expected = reference.knn_vote(train, labels.tolist(), queries, min(k, num_train))
    assert predicted.tolist() == [label for label, _ in expected]
    np.testing.assert_allclose(confidences, [c for _, c in expected], rtol=1e-12)
    found = nearest_classes(queries, ExactIndex(train), labels, num_classes=3)
    for row, classes_in_order in zip(
        found, reference.first_distinct(train, labels.tolist(), queries, 3), strict=True
    ):
        assert row.tolist() == [*classes_in_order, -1, -1][:3]


def test_nearest_classes_looks_past_one_large_class():
    # 300 images of class 0 around the query; the other classes lie beyond all of them.
    train = at_angles(*np.linspace(0, 20, 300), 40, 60, 80)
    labels = np.array([0] * 300 + [8, 6, 5])
    assert nearest_classes(at_angles(0), train, labels, num_classes=4).tolist() == [[0, 8, 6, 5]]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1], "expected 2 train labels"),
        ([1, -1], "train label of row 1 is -1"),
        ([1.0, 2.0], "whole numbers, received float64"),
    ],
)
def test_refuses_labels_that_do_not_fit(labels, message):
    with pytest.raises(ValueError, match=message):
        knn_classify(at_angles(0), at_angles(0, 9), labels)
    with pytest.raises(ValueError, match=message):
        nearest_classes(at_angles(0), at_angles(0, 9), labels)


def test_refuses_k_below_one():
    with pytest.raises(ValueError, match="at least 1, received 0"):
        knn_classify(at_angles(0), at_angles(0), [1], k=0)
    with pytest.raises(ValueError, match="at least 1, received 0"):
        nearest_classes(at_angles(0), at_angles(0), [1], num_classes=0)
