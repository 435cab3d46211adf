"""Thresholds: by hand, against trying each of them, and scikit-learn's curve."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval import threshold

# (confidence, right, shows a landmark): a right answer needs a landmark.
QUERY = st.tuples(
    st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
    st.sampled_from([(True, True), (False, True), (False, False)]),
)
QUERIES = st.lists(QUERY, min_size=1, max_size=15).filter(lambda q: any(s for _, (_, s) in q))


def columns(queries):
    confidences = np.array([confidence for confidence, _ in queries])
    return confidences, *(np.array([pair[part] for _, pair in queries]) for part in (0, 1))


def by_loops(queries, least):
    given = [pair for confidence, pair in queries if confidence >= least]
    silent = [pair for confidence, pair in queries if confidence < least]
    right = sum(correct for correct, _ in given)
    recall = right / sum(shows for _, (_, shows) in queries)
    precision = right / len(given) if given else 1.0
    f1 = 2 * precision * recall / (precision + recall) if right else 0.0
    accuracy = (right + sum(not shows for _, shows in silent)) / len(queries)
    return precision, recall, f1, accuracy


def test_by_hand():
    case = [0.9, 0.8, 0.7, 0.2], [1, 0, 1, 0], [1, 0, 1, 1]
    chosen = threshold.choose_threshold(*case)
    # From 0.7 on: 2 of 3 answers right, 2 of 3 landmarks found; silent to the last, which has one.
    assert chosen == pytest.approx((0.7, 2 / 3, 2 / 3, 2 / 3, 2 / 4))
    assert threshold.choose_threshold(*case, least_precision=0.9) == pytest.approx(
        (0.9, 1, 1 / 3, 1 / 2, 2 / 4)
    )
    assert threshold.open_set_scores(*case, 1.5) == pytest.approx((1.5, 1, 0, 0, 1 / 4))


@settings(max_examples=200, deadline=None)
@given(QUERIES)
def test_no_threshold_is_better(queries):
    case = columns(queries)
    tried = {least: by_loops(queries, least) for least in {c for c, _ in queries}}
    for least, expected in tried.items():
        assert threshold.open_set_scores(*case, least)[1:] == pytest.approx(expected)
    chosen = threshold.choose_threshold(*case)
    best = max(f1 for _, _, f1, _ in tried.values())
    assert chosen.f1 == pytest.approx(best)
    # Of equals the highest.
    assert chosen.threshold == max(t for t, row in tried.items() if row[2] == pytest.approx(best))
    reached = {t: row for t, row in tried.items() if row[0] >= 0.6}
    if reached:
        chosen = threshold.choose_threshold(*case, least_precision=0.6)
        assert chosen.precision >= 0.6
        assert chosen.recall == pytest.approx(max(row[1] for row in reached.values()))
    else:
        with pytest.raises(ValueError, match=r"no threshold has a precision of 0\.6; the highest"):
            threshold.choose_threshold(*case, least_precision=0.6)


@pytest.mark.peers
def test_scikit_learns_curve_has_no_better_f1():
    peer = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    correct = rng.random(200) < 0.4
    confidences = rng.normal(size=200) + correct
    precision, recall, thresholds = peer.precision_recall_curve(correct, confidences)
    f1 = 2 * precision * recall / (precision + recall)
    # Every landmark is answered rightly here, so recall counts the same.
    chosen = threshold.choose_threshold(confidences, correct, correct)
    assert chosen.f1 == pytest.approx(f1.max())
    assert chosen.threshold == thresholds[f1[:-1].argmax()]


@pytest.mark.parametrize(
    ("case", "message"),
    [
        (([0.5], [1, 0], [1]), r"shapes \(1,\), \(2,\) and \(1,\)"),
        (([np.nan], [1], [1]), "received NaN"),
        (([0.5], [0], [0]), "at least one query that shows a landmark"),
        (([0.5, 0.4], [1, 1], [1, 0]), "query 1 shows no landmark"),
        (([-np.inf], [0], [1]), "at least one answer"),
    ],
)
def test_refuses(case, message):
    with pytest.raises(ValueError, match=message):
        threshold.choose_threshold(*case)
