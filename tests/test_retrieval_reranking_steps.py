"""The table of steps: each runs on its own, keeps its promises, and shares what is known."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval.reranking import steps as module
from landmarks_tf.retrieval.reranking.neighbours import neighbour_graph
from landmarks_tf.retrieval.reranking.pipeline import parse_pipeline, run_pipeline
from landmarks_tf.retrieval.reranking.steps import STEPS, RetrievalData


def landmarks(per_class=12, dim=16, classes=6, seed=0):
    """Noise about each class' centre, and far more of it in two directions (light, say)."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(classes, dim))
    labels = np.arange(classes * per_class) % classes
    rows = centres[labels] / 4 + 0.2 * rng.normal(size=(len(labels), dim))
    rows[:, :2] += 0.35 * rng.normal(size=(len(labels), 2))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32), labels


def first_hits(rows, query_labels, index_labels, k=12):
    """Part of the first k rows that are of the query's class."""
    return (index_labels[rows[:, :k]] == query_labels[:, None]).mean()


INDEX, INDEX_LABELS = landmarks(seed=1)
QUERIES, QUERY_LABELS = landmarks(per_class=5, seed=2)
TRAIN, TRAIN_LABELS = landmarks(per_class=10, seed=3)


def inliers(rows):
    """Pictures of one class have some in common."""
    return np.where(INDEX_LABELS[rows] == QUERY_LABELS[:, None], 20, 5)


DATA = RetrievalData(QUERIES, INDEX, TRAIN, TRAIN_LABELS, inliers)
SETTINGS = {
    "whiten": ":method=learned:ridge=0.3",
    "dba": ":n=5",
    "aqe": ":n=5",
    "alpha_qe": ":n=5",
    "k_reciprocal": ":k1=10:k2=4",
    "super_global": ":n=5:beta=0.5:pooling=mean",
    "diffusion": ":k=10:n=5:alpha=0.8",
    "geometric": ":top=40:least=8",
}


@pytest.mark.parametrize("name", STEPS)
def test_each_step_improves_made_up_landmarks_and_gives_a_ranking(name):
    bare = run_pipeline((), DATA, k=50)[1]
    scores, rows = run_pipeline(parse_pipeline(name + SETTINGS.get(name, "")), DATA, k=50)
    assert scores.shape == rows.shape == (30, 50)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(len(set(line)) == 50 for line in rows.tolist())
    before = first_hits(bare, QUERY_LABELS, INDEX_LABELS)
    assert first_hits(rows, QUERY_LABELS, INDEX_LABELS) > before


def test_a_known_graph_is_shared_and_forgotten_when_the_index_changes(monkeypatch):
    searched = []

    def counting(index, k, **options):
        searched.append(k)
        return neighbour_graph(index, k, **options)

    monkeypatch.setattr(module, "neighbour_graph", counting)
    data = RetrievalData(QUERIES, INDEX, graph=neighbour_graph(INDEX, 10))
    steps = parse_pipeline("k_reciprocal:k1=10:k2=2,diffusion:k=8")
    given = run_pipeline(steps, data)[1]
    assert searched == []
    np.testing.assert_array_equal(run_pipeline(steps, RetrievalData(QUERIES, INDEX))[1], given)
    assert searched == [10]
    run_pipeline(parse_pipeline("dba:n=3,k_reciprocal:k1=4:k2=2"), data)
    assert searched == [10, 4]


def test_defaults_say_the_types():
    assert STEPS["alpha_qe"].defaults == {"n": 3, "alpha": 3.0, "rounds": 1}
    assert STEPS["k_reciprocal"].depth({"top": 400}) == 400
    assert STEPS["aqe"].depth({}) == 0
