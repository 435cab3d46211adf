"""Resampled GAP against plain loops, and whether its intervals hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.metrics import gap_resampling, resampling
from landmarks_tf.metrics.recognition import global_average_precision
from tests.reference import resampling as reference

SCORES = st.sampled_from([-1.5, 0.0, 0.25, 0.5, 1e9])
QUERIES = st.text("abcd", min_size=1, max_size=3)
ANSWERS = st.tuples(st.integers(0, 3), SCORES)


@st.composite
def cases(draw, most=12):
    truths = st.lists(st.integers(0, 3), max_size=2)
    solution = draw(st.dictionaries(QUERIES, truths, min_size=1, max_size=most))
    solution["with"] = [1]
    runs = [
        {query: draw(ANSWERS) for query in draw(st.sets(st.sampled_from(sorted(solution))))}
        for _ in range(2)
    ]
    return *runs, solution, draw(st.integers(0, 2**31))


@settings(max_examples=150, deadline=None)
@given(cases(), st.booleans())
def test_one_resample_equals_the_plain_loops(case, ignore):
    a, _, solution, seed = case
    ids = list(solution)
    (rows,) = resampling.drawn_queries(len(ids), 1, seed)
    expected = reference.gap_of_draw(a, solution, [ids[row] for row in rows[0]], ignore)
    options = {"ignore_non_landmarks": ignore, "resamples": 1, "seed": seed}
    if expected is None:
        with pytest.raises(ValueError, match="no resample holds a query with a landmark"):
            gap_resampling.gap_interval(a, solution, **options)
        return
    assert gap_resampling.gap_interval(a, solution, **options) == pytest.approx(
        (expected, expected), abs=1e-12
    )


@settings(max_examples=60, deadline=None)
@given(cases(most=5))
def test_every_exchange_equals_the_plain_loops(case):
    a, b, solution, seed = case
    test = gap_resampling.paired_gap_test(a, b, solution, resamples=64, seed=seed)
    observed = global_average_precision(a, solution) - global_average_precision(b, solution)
    assert test.difference == pytest.approx(observed, abs=1e-12)
    differences = reference.exchanged_gap_differences(a, b, solution)
    extreme = sum(abs(value) >= abs(observed) - 1e-12 for value in differences)
    assert test.p_value == pytest.approx(extreme / len(differences), abs=1e-12)


def population(rng, size):
    """Queries of which a third shows a landmark; right answers score higher, not always."""
    landmark = rng.random(size) < 1 / 3
    right = landmark & (rng.random(size) < 0.7)
    scores = rng.normal(size=size) + 1.5 * right
    ids = [f"{row:05d}" for row in range(size)]
    solution = {key: [1] if has else [] for key, has in zip(ids, landmark, strict=True)}
    answers = {k: (int(r), s) for k, r, s in zip(ids, right, scores.tolist(), strict=True)}
    return answers, solution


def test_the_interval_holds_the_true_gap_as_often_as_it_says():
    rng = np.random.default_rng(0)
    true = global_average_precision(*population(rng, 200_000))
    held = 0
    for seed in range(200):
        low, high = gap_resampling.gap_interval(*population(rng, 150), resamples=200, seed=seed)
        held += low <= true <= high
    # 190 of 200 are expected; GAP of a sample is a little above that of the population.
    assert 176 <= held <= 199


def test_two_runs():
    rng = np.random.default_rng(1)
    a, solution = population(rng, 400)
    # B is A with a fifth of the answers spoilt, and its scores on another scale.
    b = {k: (2 if rng.random() < 0.2 else c, 50 * s - 7) for k, (c, s) in a.items()}
    test = gap_resampling.paired_gap_test(a, b, solution, resamples=2000)
    assert test.difference > 0
    assert 0 < test.interval.low < test.difference < test.interval.high
    assert test.p_value < 0.01
    same = gap_resampling.paired_gap_test(
        a, {k: (c, 2 * s) for k, (c, s) in a.items()}, solution, resamples=200
    )
    assert (same.difference, same.interval, same.p_value) == (0, (0, 0), 1)


def test_refuses():
    with pytest.raises(ValueError, match="1 unknown ones, such as 'z'"):
        gap_resampling.gap_interval({"z": (1, 0.5)}, {"q": [1]})
    with pytest.raises(ValueError, match="received none among 1"):
        gap_resampling.gap_interval({}, {"q": []})
    with pytest.raises(ValueError, match="level between 0 and 1"):
        gap_resampling.paired_gap_test({}, {}, {"q": [1]}, level=2)
