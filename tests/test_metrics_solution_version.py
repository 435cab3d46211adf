"""Solutions of other data sets and of other versions."""

from __future__ import annotations

import pytest

from landmarks_tf.metrics import Solution, SolutionFormatError
from landmarks_tf.metrics.solution_version import check_solution_fits

SOLUTION = Solution({"q1": ["x", "y"]}, {"q2": ["z"]}, {"q3"})


def test_what_fits_is_silent():
    queries = {"q1", "q2", "q3"}
    assert check_solution_fits(SOLUTION, queries=queries, answers="xyz", what="images") == []
    landmarks = Solution({"q1": [7]}, {"q2": []})
    assert check_solution_fits(landmarks, queries=["q1", "q2"], answers={7, 9}, what="marks") == []
    empty = Solution({"q1": []}, {})
    assert check_solution_fits(empty, queries=["q1"], answers=[], what="landmarks") == []


def test_what_is_partly_missing_is_told():
    notes = check_solution_fits(SOLUTION, queries={"q1", "q3"}, answers={"x"}, what="index images")
    assert notes == [
        "1 of the 3 queries of the solution are not in the data, such as 'q2'; they score as not "
        "found",
        "2 of the 3 index images of the solution are not in the data, such as 'y'; they score as "
        "not found",
    ]


@pytest.mark.parametrize(
    ("queries", "answers", "message"),
    [
        ({"a", "b"}, {"x"}, r"none of the 3 queries .* among the 2 of the data, such as 'q1'"),
        ({"q1"}, {"other"}, r"none of the 3 index images .* 'x': .* another version.*v2\.1"),
    ],
)
def test_another_data_set_is_refused(queries, answers, message):
    with pytest.raises(SolutionFormatError, match=message):
        check_solution_fits(SOLUTION, queries=queries, answers=answers, what="index images")
