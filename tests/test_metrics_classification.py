"""Top-k accuracy and F1: cases worked out by hand, plain loops, and scikit-learn where it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.metrics import classification
from tests.reference import metrics as reference

CLASS_PAIRS = st.lists(st.tuples(st.integers(-2, 5), st.integers(-2, 5)), min_size=1, max_size=30)


@settings(max_examples=150, deadline=None)
@given(st.data(), st.integers(1, 8), st.integers(1, 6), st.integers(1, 7))
def test_top_k_equals_plain_loops(data, rows, classes, k):
    # Three distinct scores only: most rows hold ties.
    score = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=classes, max_size=classes)
    scores = data.draw(st.lists(score, min_size=rows, max_size=rows))
    labels = data.draw(st.lists(st.integers(0, classes - 1), min_size=rows, max_size=rows))
    assert classification.top_k_accuracy(np.array(scores), np.array(labels), k) == pytest.approx(
        reference.top_k_accuracy(scores, labels, k), abs=1e-12
    )


@settings(max_examples=150, deadline=None)
@given(CLASS_PAIRS)
def test_f1_equals_plain_loops(pairs):
    predicted, labels = (list(column) for column in zip(*pairs, strict=True))
    expected = reference.f1(predicted, labels)
    classes, f1, support = classification.f1_scores(np.array(predicted), np.array(labels))
    assert classes.tolist() == list(expected)
    assert f1 == pytest.approx([value for value, _ in expected.values()], abs=1e-12)
    assert support.tolist() == [count for _, count in expected.values()]
    assert classification.macro_f1(predicted, labels) == pytest.approx(
        sum(value for value, _ in expected.values()) / len(expected), abs=1e-12
    )
    assert classification.weighted_f1(predicted, labels) == pytest.approx(
        sum(value * count for value, count in expected.values()) / len(labels), abs=1e-12
    )


def test_f1_by_hand():
    labels, answers = [0, 0, 1, 2], [0, 1, 1, 1]
    assert classification.macro_f1(answers, labels) == pytest.approx(7 / 18)
    assert classification.weighted_f1(answers, labels) == pytest.approx(11 / 24)


def test_a_constant_output_gets_no_credit_from_ties():
    scores = np.zeros((4, 4))
    assert classification.top_k_accuracy(scores, np.arange(4), 1) == 0.25
    assert classification.top_k_accuracy(scores, np.arange(4), 3) == 0.75


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(40, 9)), rng.integers(0, 9, 40)
    whole = classification.top_k_accuracy(scores, labels, 3)
    monkeypatch.setattr(classification, "_BLOCK_ELEMENTS", 30)
    assert classification.top_k_accuracy(scores, labels, 3) == whole
    assert 0 < whole < 1


@pytest.mark.peers
def test_scikit_learn_agrees():
    peer = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    scores, labels = rng.normal(size=(200, 12)), rng.integers(0, 12, 200)
    predicted = scores.argmax(axis=1)
    for k in (1, 5):
        assert classification.top_k_accuracy(scores, labels, k) == pytest.approx(
            peer.top_k_accuracy_score(labels, scores, k=k)
        )
    for average, ours in (
        ("macro", classification.macro_f1),
        ("weighted", classification.weighted_f1),
    ):
        assert ours(predicted, labels) == pytest.approx(
            peer.f1_score(labels, predicted, average=average, zero_division=0)
        )


@pytest.mark.parametrize(
    ("scores", "labels", "k", "message"),
    [
        (np.zeros((2, 3)), [0], 1, r"shapes \(2, 3\) and \(1,\)"),
        (np.zeros(3), [0, 1, 2], 1, r"scores \(N, C\)"),
        (np.zeros((2, 3)), [0, 3], 1, r"labels in 0\.\.2, received 0\.\.3"),
        (np.zeros((2, 3)), [-1, 0], 1, r"received -1\.\.0"),
        (np.zeros((2, 3)), [0.0, 1.0], 1, "integer labels"),
        (np.zeros((0, 3)), np.zeros(0, int), 1, "no labels"),
        (np.full((1, 3), np.nan), [0], 1, "NaN"),
        (np.zeros((2, 3)), [0, 1], 0, "received 0"),
    ],
)
def test_top_k_refuses(scores, labels, k, message):
    with pytest.raises(ValueError, match=message):
        classification.top_k_accuracy(scores, np.asarray(labels), k)


@pytest.mark.parametrize(
    ("predicted", "labels", "message"),
    [
        ([1, 2], [1], r"shapes \(2,\) and \(1,\)"),
        ([], [], "no answers"),
        ([0.5], [1], "integer answers"),
        ([1], [0.5], "integer labels"),
    ],
)
def test_f1_refuses(predicted, labels, message):
    with pytest.raises(ValueError, match=message):
        classification.macro_f1(predicted, labels)
