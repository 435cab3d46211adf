"""GAP and top-1: cases worked out by hand, the tie order, and a plain-loop reference."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.metrics import recognition
from tests.reference import metrics as reference

LANDMARKS = st.integers(0, 4)
# Few distinct scores, so that ties are the rule.
SCORES = st.sampled_from([-1.5, 0.0, 0.25, 0.5, 1e9])


@st.composite
def answers(draw):
    solution = draw(
        st.dictionaries(
            st.text("abcdef0", min_size=1, max_size=3), st.lists(LANDMARKS, max_size=3), min_size=1
        )
    )
    solution["with"] = [draw(LANDMARKS)]
    answered = draw(st.sets(st.sampled_from(sorted(solution))))
    return {query: (draw(LANDMARKS), draw(SCORES)) for query in sorted(answered)}, solution


@settings(max_examples=300, deadline=None)
@given(answers())
def test_equals_plain_loops(case):
    predictions, solution = case
    for ignore in (False, True):
        assert recognition.global_average_precision(
            predictions, solution, ignore_non_landmarks=ignore
        ) == pytest.approx(reference.gap(predictions, solution, ignore), abs=1e-12)
    assert recognition.top1_accuracy(predictions, solution) == pytest.approx(
        reference.top1(predictions, solution), abs=1e-12
    )


def test_by_hand():
    solution = {"a": [1], "b": [2, 3], "c": [], "d": [4]}
    predictions = {"a": (1, 0.9), "c": (1, 0.8), "b": (3, 0.7)}
    # Ranks: a right (1/1), c wrong, b right (2/3); d has no answer. M = 3.
    assert recognition.recognition_summary(predictions, solution) == pytest.approx(
        {
            "gap": (1 + 2 / 3) / 3,
            "gap_ignoring_non_landmarks": (1 + 1) / 3,
            "top1": 2 / 3,
            "queries": 4,
            "queries_with_landmark": 3,
        }
    )


def test_equal_scores_rank_by_query_id():
    solution = {"a": [1], "b": [2]}
    assert recognition.global_average_precision({"b": (2, 0.5), "a": (9, 0.5)}, solution) == (
        pytest.approx((1 / 2) / 2)
    )
    assert recognition.global_average_precision({"b": (9, 0.5), "a": (1, 0.5)}, solution) == (
        pytest.approx((1 / 1) / 2)
    )


def test_no_answer_at_all_scores_zero():
    summary = recognition.recognition_summary({}, {"a": [1]})
    assert (summary["gap"], summary["gap_ignoring_non_landmarks"], summary["top1"]) == (0, 0, 0)


def test_without_a_landmark_query_the_measures_are_null():
    summary = recognition.recognition_summary({"a": (1, 0.5)}, {"a": []})
    assert summary == {
        "gap": None,
        "gap_ignoring_non_landmarks": None,
        "top1": None,
        "queries": 1,
        "queries_with_landmark": 0,
    }


@pytest.mark.parametrize(
    ("predictions", "solution", "message"),
    [
        ({"z": (1, 0.5)}, {"a": [1]}, "1 unknown ones, such as 'z'"),
        ({"a": (1, 0.5)}, {"a": []}, "received none among 1"),
        ({"a": (1, float("nan"))}, {"a": [1]}, "NaN for query 'a'"),
    ],
)
def test_refuses(predictions, solution, message):
    with pytest.raises(ValueError, match=message):
        recognition.global_average_precision(predictions, solution)


def test_summary_refuses_unknown_queries_even_without_landmarks():
    with pytest.raises(ValueError, match="'z'"):
        recognition.recognition_summary({"z": (1, 0.5)}, {"a": []})
