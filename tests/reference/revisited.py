"""Revisited Oxford and Paris in plain loops: the ranking is rewritten without its junk."""

from __future__ import annotations


def without_junk(ranking, junk):
    return [item for item in ranking if item not in junk]


def trapezoidal_ap(ranking, positives, junk):
    """Area under precision over recall, a trapezium for each right picture."""
    area, found = 0.0, 0
    precision_before = 1.0
    for seen, item in enumerate(without_junk(ranking, junk), start=1):
        if item in positives:
            # Precision just before this picture: what was found among those seen earlier.
            precision_before = found / (seen - 1) if seen > 1 else 1.0
            found += 1
            area += (precision_before + found / seen) / 2 * (1 / len(positives))
    return area


def precision_recall(ranking, positives, junk, k):
    kept = without_junk(ranking, junk)
    last = max(place for place, item in enumerate(kept, start=1) if item in positives)
    shown = kept[: min(k, last)]
    precision = sum(item in positives for item in shown) / len(shown)
    recall = sum(item in positives for item in kept[:k]) / len(positives)
    return precision, recall
