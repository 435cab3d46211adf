"""The non-landmark penalty: by hand, against plain loops, and exact whatever the costs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval import open_set
from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.knn import knn_classify
from landmarks_tf.retrieval.open_set import Penalty
from landmarks_tf.retrieval.votes import SCHEMES
from tests.reference import open_set as reference


def unit(rng, *shape):
    rows = rng.normal(size=shape)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def at_angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_train_image_that_looks_like_a_generic_scene_attracts_less():
    # The query at 0 is nearest to class 1 at 20, which is near the scenes at 60 and 70.
    query, train, scenes = at_angles(0), at_angles(20, -30), at_angles(60, 70)
    label, _ = knn_classify(query, train, [1, 2], k=1)
    assert label.tolist() == [1]
    penalty = Penalty(reference_weight=1, reference_top=1, query_weight=0.5, query_top=2)
    label, confidence = open_set.recognize(
        query, train, [1, 2], non_landmarks=scenes, penalty=penalty, k=1
    )
    assert label.tolist() == [2]
    cos = {angle: np.cos(np.radians(angle)) for angle in (30, 60, 70, 90, 100)}
    expected = cos[30] - max(cos[90], cos[100]) - 0.5 * (cos[60] + cos[70]) / 2
    assert confidence == pytest.approx([expected], abs=1e-6)


def test_similarity_by_hand_and_without_itself():
    scenes = at_angles(0, 60, 90)
    found = open_set.non_landmark_similarity(at_angles(0), scenes, top=2)
    assert found == pytest.approx([(1 + 0.5) / 2], abs=1e-6)
    for own, top, expected in ((0, 2, 0.25), (0, 1, 0.5), (0, 9, 0.25), (1, 2, 0.5), (-1, 1, 1)):
        found = open_set.non_landmark_similarity(at_angles(0), scenes, top=top, own_rows=[own])
        assert found == pytest.approx([expected], abs=1e-6), (own, top)
    alone = open_set.non_landmark_similarity(at_angles(5), at_angles(5), top=3, own_rows=[0])
    assert alone.tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(st.integers(1, 40), st.integers(1, 6), st.integers(2, 4)),
    weights=st.tuples(st.sampled_from([0.0, 0.5, 2.0]), st.sampled_from([0.0, 1.0])),
    tops=st.tuples(st.integers(1, 7), st.integers(1, 7)),
    k=st.integers(1, 6),
    vote=st.sampled_from(SCHEMES),
    seed=st.integers(0, 2**31),
)
def test_equals_plain_loops(sizes, weights, tops, k, vote, seed):
    rng = np.random.default_rng(seed)
    num_train, num_scenes, dim = sizes
    train, scenes, queries = (unit(rng, n, dim) for n in (num_train, num_scenes, 4))
    # The first query is itself among the scenes.
    scenes[0], own = queries[0], [0, -1, -1, -1]
    labels = rng.integers(0, 5, num_train)
    answers = open_set.recognize(
        queries,
        ExactIndex(train),
        labels,
        non_landmarks=scenes,
        penalty=Penalty(weights[0], tops[0], weights[1], tops[1]),
        k=k,
        vote=vote,
        own_rows=own,
    )
    expected = reference.recognize(
        queries, train, labels.tolist(), scenes, (weights[0], tops[0], weights[1], tops[1]), k,
        vote, own,
    )  # fmt: skip
    # In float32 a cosine near 1 is its distance to 1e-3 or so.
    tolerance = {"rtol": 2e-2, "atol": 1e-3} if vote == "distance" else {"atol": 1e-5}
    np.testing.assert_allclose(answers[1], [confidence for _, confidence in expected], **tolerance)
    if vote == "cosine":
        assert answers[0].tolist() == [label for label, _ in expected]


def test_without_weights_it_is_the_plain_classifier():
    rng = np.random.default_rng(0)
    train, queries, labels = unit(rng, 90, 6), unit(rng, 20, 6), rng.integers(0, 9, 90)
    for vote in SCHEMES:
        plain = knn_classify(queries, train, labels, k=5, vote=vote)
        nothing = open_set.recognize(
            queries, train, labels, non_landmarks=train[:3], penalty=Penalty(0, 5, 0, 10), k=5,
            vote=vote,
        )  # fmt: skip
        np.testing.assert_array_equal(nothing[0], plain[0])
        # There cosines are rounded to float32 before they are summed.
        np.testing.assert_allclose(nothing[1], plain[1], rtol=1e-4 if vote == "distance" else 1e-6)


def test_the_best_may_stand_far_down_by_cosine(monkeypatch):
    monkeypatch.setattr(open_set, "_ROWS_PER_BLOCK", 300)
    monkeypatch.setattr(open_set, "_QUERIES_PER_BLOCK", 4)
    rng = np.random.default_rng(1)
    train, queries = unit(rng, 2000, 8), unit(rng, 7, 8)
    costs = rng.uniform(0, 3, 2000)
    scores, rows = open_set.penalised_neighbours(queries, ExactIndex(train), costs, 3)
    full = queries.astype(np.float64) @ train.T.astype(np.float64) - costs
    np.testing.assert_array_equal(rows, np.argsort(-full, axis=1)[:, :3])
    np.testing.assert_allclose(scores, -np.sort(-full, axis=1)[:, :3], atol=1e-6)
    # Deeper than what is kept of a block: the third by penalised score, among all by cosine.
    by_cosine = np.argsort(-(full + costs), axis=1)
    assert (by_cosine == rows[:, 2:]).argmax(axis=1).max() > 3 + 16


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Penalty(reference_weight=-1), "weights of at least 0"),
        (lambda: Penalty(query_top=0), "at least 1 non-landmark"),
        (
            lambda: open_set.non_landmark_similarity(at_angles(0), at_angles(0), top=0),
            "at least 1 non-landmark to count, received 0",
        ),
        (
            lambda: open_set.recognize(
                at_angles(0), at_angles(0), [1, 2], non_landmarks=at_angles(9), penalty=Penalty()
            ),
            "expected 1 train labels",
        ),
        (
            lambda: open_set.recognize(
                at_angles(0), at_angles(0), [1], non_landmarks=np.ones((1, 3)) / 3**0.5,
                penalty=Penalty(),
            ),
            "have dimension 2, the index has dimension 3",
        ),
    ],
)  # fmt: skip
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
