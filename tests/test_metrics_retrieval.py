"""mAP@k, P@k and positions: cases worked out by hand, and a plain-loop reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.metrics import retrieval
from tests.reference import metrics as reference

QUERIES = st.sampled_from("abcdef")
ITEMS = st.integers(0, 12)


@st.composite
def ranked_lists(draw):
    """A solution, predictions for some of its queries (with repeats), and a cut-off k."""
    solution = draw(
        st.dictionaries(QUERIES, st.lists(ITEMS, min_size=1, max_size=9, unique=True), min_size=1)
    )
    answered = draw(st.sets(st.sampled_from(sorted(solution))))
    predictions = {query: draw(st.lists(ITEMS, max_size=15)) for query in sorted(answered)}
    return predictions, solution, draw(st.integers(1, 12))


def as_arrays(predictions, solution):
    """The same case as rankings (Q, K) padded with -1 and one array of rows a query."""
    width = max([len(ranking) for ranking in predictions.values()], default=0)
    rankings = np.full((len(solution), width), -1)
    for row, query in enumerate(solution):
        ranking = predictions.get(query, [])
        rankings[row, : len(ranking)] = ranking
    return rankings, [np.array(truth) for truth in solution.values()]


@settings(max_examples=300, deadline=None)
@given(ranked_lists())
def test_equals_plain_loops_in_both_forms(case):
    predictions, solution, k = case
    positions = reference.positions(predictions, solution, k)
    for form in (predictions, solution), as_arrays(predictions, solution):
        assert retrieval.mean_average_precision(*form, k) == pytest.approx(
            reference.mean_average_precision(predictions, solution, k), abs=1e-12
        )
        assert retrieval.precisions_at_k(*form, k) == pytest.approx(
            [reference.precision_at(predictions, solution, rank) for rank in range(1, k + 1)],
            abs=1e-12,
        )
        mean, median = retrieval.mean_median_position(*form, k)
        assert mean == pytest.approx(sum(positions) / len(positions), abs=1e-12)
        assert median == reference.median(positions)


def test_blocks_do_not_show(monkeypatch):
    rng = np.random.default_rng(0)
    rankings = rng.integers(-1, 40, (50, 30))
    relevance = [rng.permutation(40)[: rng.integers(1, 20)] for _ in range(50)]
    whole = retrieval.find_hits(rankings, relevance, 25)
    monkeypatch.setattr(retrieval, "_BLOCK", 7)
    blocks = retrieval.find_hits(rankings, relevance, 25)
    np.testing.assert_array_equal(whole.correct, blocks.correct)
    assert whole.correct.any()


def test_the_denominator_is_the_smaller_of_ground_truth_and_k():
    # Hits at ranks 1 and 4 of a query with two, three and 200 relevant items.
    ranking = ["x", "-1", "-2", "y"]
    two, three = ["x", "y"], ["x", "y", "z"]
    many = ["x", "y", *map(str, range(198))]
    expected = {"two": (1 + 2 / 4) / 2, "three": (1 + 2 / 4) / 3, "many": (1 + 2 / 4) / 100}
    for name, truth in {"two": two, "three": three, "many": many}.items():
        value = retrieval.mean_average_precision({"q": ranking}, {"q": truth})
        assert value == pytest.approx(expected[name]), name
    assert retrieval.mean_average_precision({"q": ranking}, {"q": many}, 3) == pytest.approx(1 / 3)


def test_a_query_without_prediction_counts_as_zero():
    solution = {"q1": ["x"], "q2": ["x"], "q3": ["x"], "q4": ["x"]}
    predictions = {"q1": ["x"], "q2": ["no", "x"], "q3": []}
    assert retrieval.mean_average_precision(predictions, solution) == pytest.approx(1.5 / 4)
    assert retrieval.precisions_at_k(predictions, solution, 2) == pytest.approx([1 / 4, 2 / 8])
    assert retrieval.mean_median_position(predictions, solution, 100) == (
        (1 + 2 + 101 + 101) / 4,
        (2 + 101) / 2,
    )


def test_a_repeat_occupies_its_rank_and_is_not_correct():
    # y is third in the list and so has precision 2/3; the second x adds nothing.
    predictions, solution = {"q": ["x", "x", "y"]}, {"q": ["x", "y"]}
    assert retrieval.mean_average_precision(predictions, solution) == pytest.approx((1 + 2 / 3) / 2)
    assert retrieval.precisions_at_k(predictions, solution, 4) == pytest.approx(
        [1, 1 / 2, 2 / 3, 2 / 4]
    )


def test_summary_names_and_values():
    solution = {"q1": ["x"], "q2": ["y"]}
    summary = retrieval.retrieval_summary({"q1": ["no", "x"], "q2": ["y"]}, solution)
    assert summary == pytest.approx(
        {
            "map@100": 0.75,
            "p@1": 0.5,
            "p@5": 1 / 5,
            "p@10": 1 / 10,
            "p@50": 1 / 50,
            "p@100": 1 / 100,
            "mean_position": 1.5,
            "median_position": 1.5,
            "queries": 2,
        }
    )
    assert list(retrieval.retrieval_summary({}, solution, 7)) == [
        *("map@7", "p@1", "p@5", "mean_position", "median_position", "queries")
    ]
    assert all(type(value) in (int, float) for value in summary.values())


def test_summary_of_no_query_is_null_not_zero():
    summary = retrieval.retrieval_summary({}, {})
    assert summary.pop("queries") == 0
    assert set(summary.values()) == {None}
    with pytest.raises(ValueError, match="without queries"):
        retrieval.retrieval_summary({"q": ["x"]}, {})


@pytest.mark.parametrize(
    ("predictions", "solution", "k", "message"),
    [
        ({"z": ["x"]}, {"q": ["x"]}, 5, "1 unknown ones, such as 'z'"),
        ({}, {"q": []}, 5, "none for 'q'"),
        ({}, {}, 5, "at least one query"),
        ({"q": ["x"]}, {"q": ["x"]}, 0, "k to be at least 1, received 0"),
        ({"q": "x y"}, {"q": ["x"]}, 5, "received the text 'x y'"),
        (np.zeros((2, 3)), [[1], [2]], 5, "integer row numbers.*float64"),
        (np.zeros(3, int), [[1]], 5, r"shape \(3,\)"),
        (np.zeros((2, 3), int), [[1]], 5, "received 2 and 1"),
        (np.zeros((2, 3), int), [[1], []], 5, "none for 1"),
        (np.zeros((1, 3), int), [[-4]], 5, "integers from 0 up"),
        (np.zeros((1, 3), int), [[0.5]], 5, "integers from 0 up"),
    ],
)
def test_refuses(predictions, solution, k, message):
    with pytest.raises(ValueError, match=message):
        retrieval.mean_average_precision(predictions, solution, k)


def test_the_whole_test_set_in_both_forms_agrees():
    """All 117,577 queries of GLDv2: the size that the vectorised path is written for."""
    num_queries, num_rows, k = 117_577, 761_757, 100
    rng = np.random.default_rng(0)
    rankings = rng.integers(0, num_rows, (num_queries, k), dtype=np.int64)
    relevance = [rankings[row, [3, 50]] for row in range(num_queries)]
    # Random rows repeat about never within 100 of 761,757, but they may: count from the data.
    value = retrieval.mean_average_precision(rankings, relevance, k)
    assert value == pytest.approx((1 / 4 + 2 / 51) / 2, rel=1e-3)
    few = slice(0, 200)
    named = {str(row): ranking.tolist() for row, ranking in enumerate(rankings[few])}
    truth = {str(row): rows.tolist() for row, rows in enumerate(relevance[few])}
    assert retrieval.mean_average_precision(rankings[few], relevance[few], k) == pytest.approx(
        reference.mean_average_precision(named, truth, k), abs=1e-12
    )
