"""Recall, hit rate and R-precision: by hand and against plain loops, in both forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.metrics import recall
from tests.reference import metrics as reference

ITEMS = st.integers(0, 12)


@st.composite
def ranked_lists(draw):
    truths = st.lists(ITEMS, min_size=1, max_size=9, unique=True)
    solution = draw(st.dictionaries(st.sampled_from("abcde"), truths, min_size=1))
    answered = draw(st.sets(st.sampled_from(sorted(solution))))
    predictions = {query: draw(st.lists(ITEMS, max_size=15)) for query in sorted(answered)}
    return predictions, solution, draw(st.integers(1, 12))


def as_arrays(predictions, solution):
    rankings = np.full((len(solution), 15), -1)
    for row, query in enumerate(solution):
        ranking = predictions.get(query, [])
        rankings[row, : len(ranking)] = ranking
    return rankings, [np.array(truth) for truth in solution.values()]


@settings(max_examples=150, deadline=None)
@given(ranked_lists())
def test_equals_plain_loops_in_both_forms(case):
    predictions, solution, k = case
    ranks = range(1, k + 1)
    for form in (predictions, solution), as_arrays(predictions, solution):
        assert recall.recalls_at_k(*form, k) == pytest.approx(
            [reference.recall_at(predictions, solution, rank) for rank in ranks], abs=1e-12
        )
        assert recall.hit_rates_at_k(*form, k) == pytest.approx(
            [reference.hit_rate_at(predictions, solution, rank) for rank in ranks], abs=1e-12
        )
        assert recall.r_precision(*form) == pytest.approx(
            reference.r_precision(predictions, solution), abs=1e-12
        )


def test_by_hand():
    predictions = {"q": ["x", "a", "b", "y"], "r": ["z"]}
    solution = {"q": ["x", "y"], "r": ["u", "v", "w"]}
    assert recall.recalls_at_k(predictions, solution, 4) == pytest.approx([1 / 4] * 3 + [1 / 2])
    assert recall.hit_rates_at_k(predictions, solution, 2) == pytest.approx([1 / 2, 1 / 2])
    assert recall.r_precision(predictions, solution) == pytest.approx((1 / 2 + 0) / 2)
    assert recall.recall_summary(predictions, solution, 5) == pytest.approx(
        {
            "recall@1": 1 / 4,
            "recall@5": 1 / 2,
            "hit_rate@1": 1 / 2,
            "hit_rate@5": 1 / 2,
            "r_precision": 1 / 4,
        }
    )


def test_no_query_is_null_and_unknown_queries_are_refused():
    assert set(recall.recall_summary({}, {}).values()) == {None}
    with pytest.raises(ValueError, match="at least one query"):
        recall.recall_summary({"q": ["x"]}, {})
    with pytest.raises(ValueError, match="1 unknown ones, such as 'z'"):
        recall.r_precision({"z": ["x"]}, {"q": ["x"]})
    with pytest.raises(ValueError, match="none for 'q'"):
        recall.r_precision({}, {"q": []})
