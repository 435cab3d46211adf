"""Sub-indexes as the report took them, searched exactly, and numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.stages.scalability import (
    STEPS,
    _notes,
    ground_truth_ids,
    members,
    search_subsets,
    study,
    table_order,
)
from landmarks_tf.metrics import Solution
from tests.reference.metrics import average_precision

# reproduction.md section 2.10, and the distinct relevant images that its sizes speak of.
PUBLISHED_SIZES = (12_563, 22_051, 41_011, 78_962, 154_826, 382_409, 761_757)
GROUND_TRUTH = 3_080


def test_sizes_are_those_of_the_paper():
    """As many images as GLDv2's index has, as many answers; how they overlap is chance."""
    n = PUBLISHED_SIZES[-1]
    truth = np.zeros(n, bool)
    truth[np.random.default_rng(0).choice(n, GROUND_TRUTH, replace=False)] = True
    sizes = members(np.arange(n), truth, STEPS).sum(axis=1)
    for step, size, published in zip(STEPS, sizes, PUBLISHED_SIZES, strict=True):
        deviation = np.sqrt(GROUND_TRUTH * (1 / step) * (1 - 1 / step))
        # Ten more or fewer answers ("about 3,080") and two draws of the overlap.
        assert abs(size - published) <= 10 + 4 * np.sqrt(2) * deviation, step
    assert sizes[-1] == n


def test_every_kth_row_counts_from_the_first():
    truth = np.array([0, 0, 1, 0, 0, 0, 0], bool)
    found = members(np.arange(7), truth, (5, 3, 1))
    assert [np.flatnonzero(row).tolist() for row in found] == [[0, 2, 5], [0, 2, 3, 6], [*range(7)]]
    # The order is the table's, not the embeddings'.
    assert np.flatnonzero(members(np.array([3, 1, 0, 2]), np.zeros(4, bool), (2,))[0]).tolist() == [
        2,
        3,
    ]


def test_order_of_the_table():
    order, strangers = table_order(np.array(["c", "x", "a", "y"]), dict.fromkeys("abcd"))
    assert order.tolist() == [2, 4, 0, 5]
    assert strangers == 2


@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_a_subset_ranks_as_if_searched_alone(seed, k, n):
    """Against a full sort in float64 of each sub-index by itself; many ties among the rows."""
    rng = np.random.default_rng(seed)
    rows = np.eye(3, dtype=np.float32)[rng.integers(0, 3, n)]
    queries = rng.normal(size=(4, 3)).astype(np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    subsets = rng.random((4, n)) < np.array([[0.2], [0.5], [0.9], [1.0]])
    found = search_subsets(rows, queries, subsets, k)
    scores = (queries.astype(np.float64) @ rows.astype(np.float64).T).astype(np.float32)
    for subset, ranking in zip(subsets, found, strict=True):
        inside = np.flatnonzero(subset)
        for query in range(4):
            expected = sorted(inside, key=lambda row, q=query: (-scores[q, row], row))[:k]
            assert ranking[query].tolist() == expected


def test_a_study_by_hand():
    """One query, two answers; distractor 0 stands in every sub-index, 1 in the whole one alone."""
    angles = np.deg2rad([5, 15, 10, 40])  # rows: distractors 0 and 1, answers 2 and 3
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    solution = Solution(public={"q": ["r2", "r3"]}, private={"lost": ["r3"]})
    found = study(
        rows,
        ["r0", "r1", "r2", "r3"],
        {"q": np.array([1, 0], np.float32)},
        solution,
        order=np.array([0, 1, 3, 2]),
        steps=(2, 1),
    )
    # With row 0 only: ranks d, r2, r3 -> (1/2 + 2/3) / 2; with row 1 too: d, r2, d, r3.
    small, whole = (1 / 2 + 2 / 3) / 2, (1 / 2 + 2 / 4) / 2
    assert [(row["step"], row["index_size"], row["ground_truth"]) for row in found] == [
        (2, 3, 2),
        (1, 4, 2),
    ]
    assert [row["public"]["map@100"] for row in found] == pytest.approx([small, whole], abs=1e-12)
    assert [row["public"]["relative"] for row in found] == pytest.approx([1, whole / small])
    assert found[0]["public"]["queries"] == 1
    # A query without an embedding scores zero, and nothing is relative to zero.
    assert found[1]["private"] == {"map@100": 0.0, "queries": 1, "relative": None}


def test_a_study_equals_a_reference_and_its_last_row_the_whole_index():
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(400, 16)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    ids = np.array([f"i{row:03d}" for row in range(400)])
    queries = {f"q{n}": rows[n * 11] for n in range(20)}
    truth = {f"q{n}": ids[rng.choice(400, 3, replace=False)].tolist() for n in range(20)}
    solution = Solution(
        public={q: truth[q] for q in list(truth)[:8]},
        private={q: truth[q] for q in list(truth)[8:]},
    )
    found = study(rows, ids, queries, solution, np.arange(400), steps=(40, 3, 1))
    relevant = ground_truth_ids(solution)
    for row in found:
        inside = [n for n in range(400) if n % row["step"] == 0 or ids[n] in relevant]
        for part in ("public", "private"):
            precisions = []
            for query, answers in getattr(solution, part).items():
                cosines = rows[inside].astype(np.float64) @ queries[query].astype(np.float64)
                ranking = [ids[inside[at]] for at in np.argsort(-cosines, kind="stable")[:100]]
                precisions.append(average_precision(ranking, answers, 100))
            assert row[part]["map@100"] == pytest.approx(np.mean(precisions), abs=1e-12)
    assert found[0]["public"]["map@100"] > found[-1]["public"]["map@100"]


def test_refusals_and_notes():
    solution = Solution(public={"q": ["a"]}, private={})
    with pytest.raises(ValueError, match=r"solution of another data set\?"):
        study(np.eye(2, dtype=np.float32), ["a", "b"], {}, solution, np.arange(2))
    rows = [{"ground_truth": 60, "index_size": 65}, {"ground_truth": 60, "index_size": 80}]
    (note,) = _notes(rows, 80, 0, True)
    assert note.startswith("92% of the smallest index is ground truth (60 of 65 images")
    assert "whole index 75%: there are few distractors" in note
    assert "every index is the whole one" in _notes(rows[:1], 65, 0, True)[0]
    rows = [{"ground_truth": 10, "index_size": 65}]
    assert _notes(rows, 80, 0, True) == []
    assert "3 index images do not stand in" in _notes(rows, 80, 3, True)[0]
    assert "no index_image_to_landmark.csv" in _notes(rows, 80, 80, False)[0]
