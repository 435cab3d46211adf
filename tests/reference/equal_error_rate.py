"""Equal error rate by trying thresholds: accepts every score at or above one of them."""

from __future__ import annotations

import itertools


def equal_error_rate(scores, targets) -> float:
    """Where the line between two neighbouring thresholds crosses equality of the two errors."""
    thresholds = [float("inf"), *sorted(set(scores), reverse=True)]
    points = []
    for threshold in thresholds:
        accepted = [t for s, t in zip(scores, targets, strict=True) if s >= threshold]
        wrong = sum(1 for t in accepted if not t) / sum(1 for t in targets if not t)
        missed = 1 - sum(1 for t in accepted if t) / sum(1 for t in targets if t)
        points.append((wrong, missed))
    for (wrong, missed), (next_wrong, next_missed) in itertools.pairwise(points):
        if next_missed <= next_wrong:
            before, after = missed - wrong, next_wrong - next_missed
            return wrong + (next_wrong - wrong) * before / (before + after)
    raise AssertionError("the last threshold accepts everything")
