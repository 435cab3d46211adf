"""Sort- and insert-step against plain lists, and classes by vote."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.reranking.class_aware import class_aware_rerank, predict_classes
from tests.reference import reranking as reference


def at_angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def unit_rows(count, dim=4, seed=0):
    rows = np.random.default_rng(seed).normal(size=(count, dim))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@settings(max_examples=50, deadline=None)
@given(
    num_rows=st.integers(1, 30),
    classes=st.integers(1, 4),
    insert=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_equals_the_plain_lists(num_rows, classes, insert, seed):
    rng = np.random.default_rng(seed)
    k = int(rng.integers(1, num_rows + 1))
    index, queries = unit_rows(num_rows, seed=seed), unit_rows(5, seed=seed + 1)
    scores, rows = ExactIndex(index).search(queries, k)
    # Another re-ranker came first: the order is no longer that of the cosines.
    rows = rng.permuted(rows, axis=1)
    query_labels = rng.integers(-1, classes, 5)
    index_labels = rng.integers(-1, classes, num_rows)
    found, found_rows = class_aware_rerank(
        queries, index, scores, rows, query_labels, index_labels, insert=insert
    )
    assert (np.diff(found, axis=1) <= 0).all()
    for query in range(5):
        assert found_rows[query].tolist() == reference.class_aware_rows(
            queries[query].astype(np.float64),
            index.astype(np.float64),
            rows[query].tolist(),
            query_labels[query],
            index_labels,
            insert,
        )


def test_by_hand():
    index = at_angles(5, 10, 15, 20, 170)
    scores, rows = ExactIndex(index).search(at_angles(0), 3)
    labels = np.array([3, 8, 3, 3, 8])
    found, found_rows = class_aware_rerank(at_angles(0), index, scores, rows, [8], labels)
    assert found_rows.tolist() == [[1, 4, 0]]  # the far picture of 8 takes the last one's place
    cosines = np.cos(np.radians([10, 170, 5]))
    # The inserted row is raised to where the first of another class stands, those above by as much.
    rise = cosines[2] - cosines[1]
    np.testing.assert_allclose(found[0], cosines + np.array([rise, rise, 0]), atol=1e-6)
    _, sorted_only = class_aware_rerank(
        at_angles(0), index, scores, rows, [8], labels, insert=False
    )
    assert sorted_only.tolist() == [[1, 0, 2]]


def test_votes_below_the_confidence_give_no_class():
    train, labels = at_angles(0, 2, 90), np.array([4, 4, 7])
    found = predict_classes(at_angles(1, 45, 200), train, labels, k=2, min_confidence=0.9)
    assert found.labels.tolist() == [4, -1, -1]
    expected = [
        np.cos(np.radians([1, 1])).mean(),
        np.cos(np.radians([43, 45])).mean(),
        np.cos(np.radians(110)) / 2,  # k nearest all point away: the nearest one's own cosine
    ]
    np.testing.assert_allclose(found.confidences, expected, rtol=1e-5)
    found = predict_classes(at_angles(1, 45), ExactIndex(train), labels, k=2)
    assert found.labels.tolist() == [4, 4]


@pytest.mark.parametrize(
    ("query_labels", "index_labels", "message"),
    [
        ([1, 2], [0] * 9, r"query_labels: expected 1 whole numbers"),
        ([1], [0] * 8, r"index_labels: expected 9 whole numbers, .* shape \(8,\)"),
        ([1.0], [0] * 9, r"query_labels: .* received float64"),
    ],
)
def test_refuses_labels_that_do_not_fit(query_labels, index_labels, message):
    index, query = unit_rows(9), unit_rows(1, seed=1)
    scores, rows = ExactIndex(index).search(query, 3)
    with pytest.raises(ValueError, match=message):
        class_aware_rerank(query, index, scores, rows, query_labels, index_labels)
