"""Speeds beside each other, by rounds: what else the machine does falls on both alike."""

from __future__ import annotations

import statistics


def speed_ratio(ours: list[float], others: list[float]) -> dict[str, float]:
    """How many pictures a second we make for one of the other's, round by round.

    Args:
        ours, others: seconds a step or a picture, one number a round.

    Returns:
        {"median", "low", "high"}: of the rounds' ratios; low and high are their quartiles.
    """
    ratios = [theirs / mine for mine, theirs in zip(ours, others, strict=True)]
    if len(ratios) == 1:
        return {"median": ratios[0], "low": ratios[0], "high": ratios[0]}
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}
