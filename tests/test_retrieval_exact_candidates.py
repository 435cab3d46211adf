"""Candidates of exact search against a full sort of the same products."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval import exact_candidates
from landmarks_tf.retrieval.exact_candidates import StoppedError, find_candidates, rows_above


def small_whole_numbers(shape, seed, high=4):
    """Their products are exact in float32, and many are equal."""
    return np.random.default_rng(seed).integers(-high, high, shape).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(
    num_rows=st.integers(1, 200),
    num_queries=st.integers(1, 6),
    block=st.integers(1, 40),
    dense=st.sampled_from([1, 16, 1000]),
    order=st.sampled_from(["any", "rising", "falling"]),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_nothing_better_is_left_out(num_rows, num_queries, block, dense, order, seed, data):
    keep = data.draw(st.integers(1, num_rows))
    embeddings = small_whole_numbers((num_rows, 5), seed)
    queries = small_whole_numbers((num_queries, 5), seed + 1)
    if order != "any":  # every later row is above all before it, or none is
        by_first_query = np.argsort(embeddings @ queries[0])
        embeddings = embeddings[by_first_query if order == "rising" else by_first_query[::-1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact_candidates, "_ROWS_PER_BLOCK", block)
        patch.setattr(exact_candidates, "_DENSE", dense)
        scores, rows = find_candidates(embeddings, queries, keep)
    products = queries @ embeddings.T
    assert scores.shape == rows.shape == (num_queries, keep)
    for query in range(num_queries):
        assert len(set(rows[query].tolist())) == keep
        np.testing.assert_array_equal(scores[query], products[query, rows[query]])
        np.testing.assert_array_equal(np.sort(scores[query]), np.sort(products[query])[-keep:])


def test_rows_above_are_all_that_reach_the_score(monkeypatch):
    monkeypatch.setattr(exact_candidates, "_ROWS_PER_BLOCK", 7)
    embeddings = small_whole_numbers((50, 3), 0)
    queries = small_whole_numbers((2, 3), 1)
    lowest = np.array([2.0, 100.0], np.float32)
    first, second = rows_above(embeddings, queries, lowest)
    expected = [row for row in range(50) if sum(embeddings[row] * queries[0]) >= 2]
    assert expected
    assert first.tolist() == expected
    assert second.tolist() == []


def test_it_stops_when_told():
    stop = Event()
    stop.set()
    with pytest.raises(StoppedError):
        find_candidates(np.eye(3, dtype=np.float32), np.eye(3, dtype=np.float32), 1, stop)
