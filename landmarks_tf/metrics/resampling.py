"""How sure a mean over queries is, and whether two runs differ by more than chance.

Queries are what was drawn at random, so queries are what is drawn again: the bootstrap gives an
interval for a mean, and the randomisation test asks how often a difference as large comes about
when each query's two results are exchanged by a coin. The same seed gives the same numbers.

Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile
intervals); Smucker, Allan and Carterette, A Comparison of Statistical Significance Tests for
Information Retrieval Evaluation, CIKM 2007 (both, for average precisions).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

RESAMPLES = 10_000
# Numbers drawn at a time: few enough to stay in the cache. The result does not depend on it.
_BLOCK_ELEMENTS = 1 << 18


class Interval(NamedTuple):
    """A confidence interval of a measure, in its unit."""

    low: float
    high: float


class PairedTest(NamedTuple):
    """Run A against run B on the same queries.

    Args:
        difference: measure of A - measure of B.
        interval: of the difference, by the paired bootstrap.
        p_value: two-sided, of the randomisation test; small: chance alone hardly does that.
    """

    difference: float
    interval: Interval
    p_value: float


def mean_interval(
    values: np.ndarray, *, level: float = 0.95, resamples: int = RESAMPLES, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of the mean over queries.

    Args:
        values: (Q,) a number for each query, such as `average_precisions`.
        level: part of such intervals that hold the true mean, 0..1.
        resamples: how often Q queries are drawn with replacement.

    Raises:
        ValueError: no value or one that is not finite, a level outside 0..1, no resample.
    """
    values = _checked(values, level, resamples)
    means = np.concatenate(
        [values[rows].mean(axis=1) for rows in drawn_queries(len(values), resamples, seed)]
    )
    return percentile_interval(means, level)


def paired_mean_test(
    values_a: np.ndarray,
    values_b: np.ndarray,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedTest:
    """Difference of two means over the same queries, in the same order.

    With at most log2(`resamples`) queries all sign patterns are tried, and the p-value is exact.

    Raises:
        ValueError: as `mean_interval`, and values of different queries' number.
    """
    a, b = (_checked(values, level, resamples) for values in (values_a, values_b))
    if a.shape != b.shape:
        raise ValueError(f"expected values of the same queries, received {len(a)} and {len(b)}.")
    differences = a - b
    return PairedTest(
        float(differences.mean()),
        mean_interval(differences, level=level, resamples=resamples, seed=seed),
        _sign_test(differences, resamples, seed),
    )


def drawn_queries(num_queries: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks (b, Q) of row numbers drawn with replacement, `resamples` rows in all."""
    rng = np.random.default_rng(seed)
    for rows in block_sizes(num_queries, resamples):
        yield rng.integers(0, num_queries, (rows, num_queries), dtype=np.uint32)


def coin_flips(num_queries: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Blocks (b, Q) of booleans, `resamples` rows in all; every pattern once if that is fewer."""
    if num_queries < 63 and 2**num_queries <= resamples:
        yield np.arange(2**num_queries)[:, None] >> np.arange(num_queries) & 1 == 1
        return
    rng = np.random.default_rng(seed)
    for rows in block_sizes(num_queries, resamples):
        # Draws of fewer bytes would depend on how many make a block.
        yield rng.random((rows, num_queries), dtype=np.float32) < 0.5


def block_sizes(num_queries: int, resamples: int) -> Iterator[int]:
    """Rows of each block, so that a block holds a bounded number of elements."""
    size = max(1, _BLOCK_ELEMENTS // num_queries)
    for start in range(0, resamples, size):
        yield min(size, resamples - start)


def percentile_interval(measures: np.ndarray, level: float) -> Interval:
    """Between the percentiles that leave out (1 - level) / 2 at either end."""
    tail = 50 * (1 - level)
    return Interval(*map(float, np.percentile(measures, [tail, 100 - tail])))


def randomisation_p_value(observed: float, exchanged: np.ndarray, num_queries: int) -> float:
    """Part of the exchanged differences at least as far from 0 as the observed one.

    Where chance drew them, the observed pattern counts as one more of them: the value is never 0.
    """
    # Sums in another order differ by rounding; what is equal counts.
    extreme = int((np.abs(exchanged) >= abs(observed) * (1 - 1e-12)).sum())
    if num_queries < 63 and 2**num_queries == len(exchanged):
        return extreme / len(exchanged)
    return (extreme + 1) / (len(exchanged) + 1)


def _sign_test(differences: np.ndarray, resamples: int, seed: int) -> float:
    means = [
        np.where(flips, -differences, differences).mean(axis=1)
        for flips in coin_flips(len(differences), resamples, seed)
    ]
    return randomisation_p_value(float(differences.mean()), np.concatenate(means), len(differences))


def check_request(level: float, resamples: int) -> None:
    """Raises ValueError unless 0 < level < 1 and resamples >= 1."""
    if not 0 < level < 1:
        raise ValueError(f"expected a level between 0 and 1, received {level}.")
    if resamples < 1:
        raise ValueError(f"expected at least 1 resample, received {resamples}.")


def _checked(values: np.ndarray, level: float, resamples: int) -> np.ndarray:
    check_request(level, resamples)
    values = np.asarray(values, np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(f"expected values (Q,) of queries, received the shape {values.shape}.")
    if not np.isfinite(values).all():
        raise ValueError(
            f"expected finite values, received {values[~np.isfinite(values)][0]}; "
            "leave out queries that have nothing to find."
        )
    return values
