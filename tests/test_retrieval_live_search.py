"""Searching a changed index is searching what is left of it."""

from __future__ import annotations

import numpy as np
import pytest

from landmarks_tf.retrieval.exact import ExactIndex
from landmarks_tf.retrieval.index_changes import Changes
from landmarks_tf.retrieval.live_search import search_changed
from tests.reference import retrieval as reference
from tests.tiny_index import clustered

VECTORS = clustered(300, 12)
ADDED = clustered(40, 12, seed=3)
QUERIES = clustered(9, 12, seed=4)


def changes(removed, added=ADDED):
    ids = np.array([f"new{number}" for number in range(len(added))])
    return Changes(added, ids, np.array(removed, np.int64), 1)


def a_whole_neighbourhood():
    """The 60 rows nearest to the first query: no answer is left where it looks first."""
    return np.sort(np.argsort(-VECTORS @ QUERIES[0])[:60])


@pytest.mark.parametrize("k", [1, 20, 100])
@pytest.mark.parametrize(
    "removed",
    [[], [0, 299], range(0, 300, 2), a_whole_neighbourhood(), range(299)],
    ids=["none", "two", "half", "neighbourhood", "all but one"],
)
def test_it_finds_what_a_plain_loop_over_the_rest_finds(removed, k):
    changed = changes(list(removed))
    left = np.setdiff1d(np.arange(300), changed.removed)
    k = min(k, len(left) + len(ADDED))
    scores, rows = search_changed(ExactIndex(VECTORS).search, 300, changed, QUERIES, k)
    numbers = np.concatenate([left, 300 + np.arange(len(ADDED))])
    rest = np.concatenate([VECTORS[left], ADDED])
    expected_scores, expected_rows = reference.search(rest, QUERIES, k)
    assert rows.tolist() == numbers[np.array(expected_rows)].tolist()
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


def test_only_added_rows_are_left():
    changed = changes(range(300))
    _, rows = search_changed(ExactIndex(VECTORS).search, 300, changed, QUERIES, 40)
    assert np.sort(rows, axis=1).tolist() == [list(range(300, 340))] * len(QUERIES)


def test_few_removed_rows_ask_for_few_more():
    asked = []

    def search(queries, k):
        asked.append((len(queries), k))
        return ExactIndex(VECTORS).search(queries, k)

    search_changed(search, 300, changes(a_whole_neighbourhood()), QUERIES, 5)
    assert asked[0] == (len(QUERIES), 15)
    assert asked[-1][0] < len(QUERIES)  # only those that were short are asked again
    assert max(k for _, k in asked) <= 5 + 60
