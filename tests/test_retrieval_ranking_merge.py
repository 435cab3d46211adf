"""Merged rankings are those of one search over everything."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.ranking_merge import merge_rankings


@settings(max_examples=100, deadline=None)
@given(
    # Few distinct scores: ties everywhere.
    st.lists(st.sampled_from([0.1, 0.2, 0.3]), min_size=1, max_size=30),
    st.lists(st.integers(0, 30), max_size=4),
    st.integers(1, 12),
)
def test_parts_give_what_the_whole_gives(scores, cuts, k):
    scores = np.float32(scores)
    bounds = [0, *sorted(min(cut, len(scores)) for cut in cuts), len(scores)]
    parts = []
    for first, last in itertools.pairwise(bounds):
        best = sorted(range(first, last), key=lambda row: (-scores[row], row))[:k]
        parts.append((scores[best][None], np.array(best, np.int64)[None]))
    merged_scores, merged_rows = merge_rankings(iter(parts), k)
    expected = sorted(range(len(scores)), key=lambda row: (-scores[row], row))[:k]
    assert merged_rows.tolist() == [expected]
    assert merged_scores.tolist() == [scores[expected].tolist()]
    assert (merged_scores.dtype, merged_rows.dtype) == (np.float32, np.int64)


def test_refuses_what_cannot_be_merged():
    one = (np.zeros((2, 1), np.float32), np.zeros((2, 1), np.int64))
    with pytest.raises(ValueError, match=r"rankings of 2 and of 1 queries"):
        merge_rankings([one, (one[0][:1], one[1][:1])], 1)
    with pytest.raises(ValueError, match=r"no part was searched"):
        merge_rankings([], 1)
