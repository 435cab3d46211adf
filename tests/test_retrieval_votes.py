"""Votes by hand, against plain loops, and against scikit-learn's classifier."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.knn import knn_classify
from landmarks_tf.retrieval.votes import SCHEMES, tally
from tests.reference import open_set as reference


def test_by_hand():
    classes, scores = np.array([[7, 4, 4]]), np.array([[0.9, 0.8, 0.7]])
    for scheme, confidence in (
        ("cosine", 1.5),
        ("majority", 2 + 1.8 / 2),
        ("distance", 1 / np.sqrt(0.4) + 1 / np.sqrt(0.6)),
    ):
        label, found = tally(classes, scores, scheme)
        assert label.tolist() == [4], scheme
        assert found == pytest.approx([confidence]), scheme
    # Near enough, one outweighs two by distance and by cosine, not by majority.
    near = np.array([[0.999, 0.4, 0.3]])
    assert [tally(classes, near, scheme)[0][0] for scheme in SCHEMES] == [7, 4, 7]


def test_ties_go_to_the_nearer_and_a_neighbour_at_no_distance_decides():
    classes = np.array([[5, 3, 3, 5], [2, 1, 1, 9]])
    scores = np.array([[0.9, 0.8, 0.8, 0.1], [1.0, 0.99, 0.99, 0.5]])
    assert tally(classes, scores, "majority")[0].tolist() == [5, 1]
    labels, confidences = tally(classes, scores, "distance")
    assert labels[1] == 2
    assert confidences[1] == np.inf
    assert np.isfinite(confidences[0])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from([1.0, 0.9, 0.5, 0.25, 0.0, -0.5])),
        min_size=1,
        max_size=7,
    ),
    st.sampled_from(SCHEMES),
)
def test_equals_plain_loops(pairs, scheme):
    pairs = sorted(pairs, key=lambda pair: -pair[1])
    classes, scores = zip(*pairs, strict=True)
    label, confidence = tally(np.array([classes]), np.array([scores]), scheme)
    expected = reference.vote(pairs, scheme)
    # Sums of three decimals are equal or far apart: no order of summation decides.
    assert label[0] == expected[0]
    assert confidence[0] == pytest.approx(expected[1], rel=1e-12)


@pytest.mark.peers
@pytest.mark.parametrize(("scheme", "weights"), [("majority", "uniform"), ("distance", "distance")])
def test_scikit_learn_agrees(scheme, weights):
    """S4's classifier: L2 on unit rows, k = 3."""
    neighbors = pytest.importorskip("sklearn.neighbors")
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(12, 16))
    labels = rng.integers(0, 12, 300)
    rows = centres[labels] + rng.normal(size=(300, 16)) * 1.2
    rows = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    train, queries, labels = rows[:200], rows[200:], labels[:200]
    peer = neighbors.KNeighborsClassifier(3, weights=weights, algorithm="brute").fit(train, labels)
    shares = np.sort(peer.predict_proba(queries), axis=1)
    clear = shares[:, -1] - shares[:, -2] > 1e-3
    assert 60 < clear.sum() <= 100
    predicted, confidences = knn_classify(queries, train, labels, k=3, vote=scheme)
    np.testing.assert_array_equal(predicted[clear], peer.predict(queries)[clear])
    if scheme == "majority":
        np.testing.assert_array_equal(confidences[clear] // 1, 3 * shares[clear, -1].round(3) // 1)
    else:
        distances, _ = peer.kneighbors(queries)
        total = (1 / distances).sum(axis=1)
        np.testing.assert_allclose(confidences / total, shares[:, -1], rtol=1e-4)


def test_refuses_an_unknown_scheme():
    with pytest.raises(ValueError, match="cosine, majority, distance, got 'loudest'"):
        tally(np.zeros((1, 1), int), np.zeros((1, 1)), "loudest")
