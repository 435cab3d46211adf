"""What chance leaves open in a score: intervals, and a comparison with another run's file."""

from __future__ import annotations

from typing import NamedTuple

from landmarks_tf import metrics


class Resampling(NamedTuple):
    """How intervals and tests are made.

    Args:
        level: of the intervals, 0..1.
        resamples: of the queries.
        seed: of the draws.
        progress: shows a bar where it takes long.
    """

    level: float = 0.95
    resamples: int = 10_000
    seed: int = 0
    progress: bool = False

    def settings(self) -> dict:
        return {"level": self.level, "resamples": self.resamples, "seed": self.seed}


def retrieval_uncertainty(answers, solution, how: Resampling, other=None, k: int = 100) -> dict:
    """The interval of map@k of one part; with `other`, the predictions of another run, a test.

    Returns:
        {"map@k": {"interval": [low, high]}} and, with `other`, theirs, difference (ours - theirs),
        difference_interval, p_value; null for a part without queries. The settings of `how` stand
        beside.
    """
    name = f"map@{k}"
    if not solution:
        return {name: None, **how.settings()}
    ours = metrics.average_precisions(metrics.find_hits(answers, solution, k))
    result = {"interval": list(metrics.mean_interval(ours, **how.settings()))}
    if other is not None:
        theirs = metrics.average_precisions(metrics.find_hits(other, solution, k))
        test = metrics.paired_mean_test(ours, theirs, **how.settings())
        result |= _told(float(theirs.mean()), test)
    return {name: result, **how.settings()}


def recognition_uncertainty(answers, solution, how: Resampling, other=None) -> dict:
    """As `retrieval_uncertainty` for gap and gap_ignoring_non_landmarks."""
    result = {}
    for name, ignore in (("gap", False), ("gap_ignoring_non_landmarks", True)):
        if not any(solution.values()):
            result[name] = None
            continue
        options = how._asdict() | {"ignore_non_landmarks": ignore}
        result[name] = {"interval": list(metrics.gap_interval(answers, solution, **options))}
        if other is not None:
            theirs = metrics.global_average_precision(other, solution, ignore_non_landmarks=ignore)
            test = metrics.paired_gap_test(answers, other, solution, **options)
            result[name] |= _told(theirs, test)
    return result | how.settings()


def _told(theirs: float, test: metrics.PairedTest) -> dict:
    return {
        "theirs": theirs,
        "difference": test.difference,
        "difference_interval": list(test.interval),
        "p_value": test.p_value,
    }
