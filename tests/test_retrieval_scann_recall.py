"""Recall against exact search, and settings of a search that reach a wanted one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from landmarks_tf.retrieval.parameters import ScannParameters
from landmarks_tf.retrieval.scann_index import ScannIndex
from landmarks_tf.retrieval.scann_recall import RecallCheck, reach_recall
from tests.reference import retrieval as reference

K = 10


def unit(rows):
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def unit_rows(count, dim, seed=0):
    return unit(np.random.default_rng(seed).normal(size=(count, dim)))


def long_tailed(count=1500, dim=16, mean_class=6, spread=0.5):
    """Many small classes: a query's neighbours lie in many leaves."""
    rng = np.random.default_rng(1)
    centres = rng.normal(size=(count // mean_class, dim))
    return unit(
        centres[rng.integers(0, len(centres), count)] + spread * rng.normal(size=(count, dim))
    )


class Leaves:
    """Leaves and codes in NumPy: what ScaNN does, by its plainest definition.

    A row lies in the leaf whose centre is nearest; the rows of the leaves nearest to the query are
    ranked by coarse scores, and the best of those by exact ones.
    """

    def __init__(self, vectors, parameters, coarse):
        self.vectors, self.parameters = vectors, parameters
        self._centres = vectors[: parameters.num_leaves]
        self._leaf = np.argmax(vectors @ self._centres.T, axis=1)
        self._codes = np.round(vectors / coarse) * coarse

    def __len__(self):
        return len(self.vectors)

    def search(self, queries, k):
        leaves, candidates = self.parameters.leaves_to_search, self.parameters.reorder
        places = np.argsort(np.argsort(-(queries @ self._centres.T), axis=1), axis=1)
        inside = places[:, self._leaf] < leaves
        coarse = np.where(inside, queries @ self._codes.T, -np.inf)
        rows = np.argsort(-coarse, axis=1)[:, :candidates]
        exact = np.take_along_axis(np.where(inside, queries @ self.vectors.T, -np.inf), rows, 1)
        return None, np.take_along_axis(rows, np.argsort(-exact, axis=1), 1)[:, :k]


def leaves_of(vectors, *, leaves_to_search=5, reorder=20, coarse=0.02):
    parameters = ScannParameters("tree_hashing", K, 60, leaves_to_search, reorder=reorder)
    return Leaves(vectors, parameters, coarse)


def recall_with(searcher, parameters, num_queries=400):
    kept, searcher.parameters = searcher.parameters, parameters
    found = RecallCheck(searcher.vectors, K, num_queries).recall(searcher.search)
    searcher.parameters = kept
    return found


def test_recall_is_the_share_of_exact_neighbours():
    vectors = unit_rows(100, 6)

    def drops_the_last_two(queries, k):
        rows = np.array(reference.search(vectors, queries, k)[1])
        rows[:, -2:] = rows[:, :1]  # repeats a neighbour instead
        return None, rows

    assert RecallCheck(vectors, 10).recall(drops_the_last_two) == pytest.approx(0.8)


def test_recall_accepts_any_of_equal_rows():
    vectors = np.repeat(unit_rows(10, 6), 20, axis=0)  # each picture twenty times

    def takes_the_last_ones(queries, k):
        scores = queries @ vectors.T
        return None, np.array([np.lexsort((-np.arange(200), -row))[:k] for row in scores.round(4)])

    assert RecallCheck(vectors, 5).recall(takes_the_last_ones) == 1.0


@pytest.mark.parametrize("wanted", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("begun", [1, 20, 60])
def test_leaves_are_as_many_as_the_recall_needs(wanted, begun):
    searcher = leaves_of(long_tailed(), leaves_to_search=begun)
    before = searcher.parameters
    reached = reach_recall(searcher, wanted)
    assert searcher.parameters is before
    assert replace(reached, leaves_to_search=begun, reorder=before.reorder) == before
    aim = wanted + 0.1 * (1 - wanted)
    assert recall_with(searcher, reached) >= aim
    fewer = int(reached.leaves_to_search / 1.05) - 1
    assert recall_with(searcher, replace(reached, leaves_to_search=fewer)) < aim


def test_coarse_codes_get_more_candidates():
    searcher = leaves_of(long_tailed(), reorder=K, coarse=0.3)
    assert recall_with(searcher, replace(searcher.parameters, leaves_to_search=60)) < 0.9
    reached = reach_recall(searcher, 0.9)
    assert K < reached.reorder < 10 * K
    assert recall_with(searcher, reached) >= 0.9


def test_what_cannot_be_reached_is_neared_without_waste():
    searcher = leaves_of(long_tailed(), reorder=K, coarse=4.0)  # codes that say nothing
    reached = reach_recall(searcher, 0.99)
    best = recall_with(searcher, replace(reached, leaves_to_search=60))
    assert best < 0.9
    assert reached.reorder == 10 * K
    assert recall_with(searcher, reached) >= best


def test_brute_force_has_nothing_to_fit():
    searcher = leaves_of(unit_rows(100, 6))
    searcher.parameters = ScannParameters("brute_force", K)
    assert reach_recall(searcher, 0.99) is searcher.parameters


def test_an_index_of_many_small_classes_reaches_the_wanted_recall(tmp_path):
    # The rule alone, which was set on classes of ninety, falls short here.
    vectors = long_tailed(21_000, dim=24, spread=0.7)
    queries = unit(vectors[::70] + 0.1 * np.random.default_rng(2).normal(size=(300, 24)))
    index = ScannIndex.build(vectors, None, tmp_path / "index", k=K, recall=0.95, report=str)
    assert index.parameters.method == "tree_hashing"
    assert recall_of(index, queries) >= 0.92  # no rows: a little harder than those it was fitted to
    by_rule = ScannIndex.build(
        vectors, None, tmp_path / "rule", k=K, parameters=rule(vectors, 0.95), report=str
    )
    assert by_rule.parameters == rule(vectors, 0.95)
    assert recall_of(by_rule, queries) < 0.88


def rule(vectors, recall):
    from landmarks_tf.retrieval.parameters import choose_parameters

    return choose_parameters(*vectors.shape, K, recall)


def recall_of(index, queries):
    """Of queries that are no rows of the index."""
    _, rows = index.search(queries, K)
    exact = np.argsort(-(queries @ index.vectors.T), axis=1)[:, :K]
    return np.mean([len(set(a) & set(b)) / K for a, b in zip(rows, exact, strict=True)])
