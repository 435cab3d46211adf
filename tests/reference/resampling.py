"""Resampled GAP in plain loops: each drawn query is written down, as often as it was drawn."""

from __future__ import annotations

import itertools


def gap_of_draw(predictions, solution, drawn, ignore):
    """GAP over a list of query ids with repeats; None where none of them has ground truth."""
    answers = []
    positives = 0
    for query in drawn:
        positives += len(solution[query]) > 0
        if query in predictions and (solution[query] or not ignore):
            landmark, score = predictions[query]
            answers.append((-score, query, landmark))
    if not positives:
        return None
    return ranked_gap(
        [landmark in solution[query] for _, query, landmark in sorted(answers)], positives
    )


def ranked_gap(correct, positives):
    found, total = 0, 0.0
    for rank, right in enumerate(correct, start=1):
        if right:
            found += 1
            total += found / rank
    return total / positives


def exchanged_gap_differences(run_a, run_b, solution):
    """GAP(A') - GAP(B') for every way to exchange answers, each of which keeps its rank."""
    ranked = []
    for run in (run_a, run_b):
        order = sorted(run, key=lambda query, run=run: (-run[query][1], query, run[query][0]))
        ranked.append({query: (rank, query, run[query][0]) for rank, query in enumerate(order)})
    queries = sorted(set(run_a) | set(run_b))
    positives = sum(len(truth) > 0 for truth in solution.values())
    rows = {query: row for row, query in enumerate(solution)}
    differences = []
    for coins in itertools.product([False, True], repeat=len(queries)):
        gaps = []
        for own in (0, 1):
            answers = []
            for query, exchanged in zip(queries, coins, strict=True):
                source = 1 - own if exchanged else own
                if query in ranked[source]:
                    rank, _, landmark = ranked[source][query]
                    answers.append((rank, rows[query], source, landmark in solution[query]))
            gaps.append(ranked_gap([right for *_, right in sorted(answers)], positives))
        differences.append(gaps[0] - gaps[1])
    return differences
