"""Intervals and tests of means: against SciPy, by hand, and whether they hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from landmarks_tf.metrics import resampling


def skewed(rng, size):
    """Like average precisions: many zeros, some ones, the rest in between. Mean 0.45."""
    kind = rng.random(size)
    return np.where(kind < 0.3, 0.0, np.where(kind < 0.4, 1.0, rng.beta(1.4, 1, size)))


SKEWED_MEAN = 0.1 + 0.6 * 1.4 / 2.4


def test_interval_of_scipy():
    values = skewed(np.random.default_rng(0), 400)
    ours = resampling.mean_interval(values, seed=1)
    theirs = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(2)
    ).confidence_interval
    width = theirs.high - theirs.low
    assert ours.low == pytest.approx(theirs.low, abs=0.05 * width)
    assert ours.high == pytest.approx(theirs.high, abs=0.05 * width)
    wider = resampling.mean_interval(values, level=0.99, seed=1)
    assert wider.low < ours.low < ours.high < wider.high


def test_the_interval_holds_the_true_mean_as_often_as_it_says():
    rng = np.random.default_rng(3)
    held = 0
    for seed in range(400):
        low, high = resampling.mean_interval(skewed(rng, 80), resamples=300, seed=seed)
        held += low <= SKEWED_MEAN <= high
    # 380 of 400 are expected; four standard deviations are 17.
    assert 358 <= held <= 396


@pytest.mark.parametrize("queries", [9, 300])
def test_p_value_of_scipy(queries):
    rng = np.random.default_rng(queries)
    a = skewed(rng, queries)
    b = np.clip(a - 0.05 + rng.normal(0, 0.25, queries), 0, 1)
    ours = resampling.paired_mean_test(a, b, seed=4)
    theirs = scipy.stats.permutation_test(
        (a, b),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=9999,
        rng=np.random.default_rng(5),
    ).pvalue
    # All 512 patterns of nine queries are tried, here and there; for 300 queries both draw some.
    assert 0.001 < theirs < 0.9
    assert ours.p_value == pytest.approx(theirs, abs=1e-12 if queries == 9 else 0.015)
    assert ours.difference == pytest.approx((a - b).mean(), abs=1e-12)
    assert ours.interval == resampling.mean_interval(a - b, seed=4)


def test_p_value_by_hand():
    # Of the 8 patterns of 1, 2, 4 only all plus and all minus are as far off: 2/8.
    assert resampling.paired_mean_test([1, 2, 4], [0, 0, 0]).p_value == 2 / 8
    assert resampling.paired_mean_test([1, 2], [1, 2]).p_value == 1
    # Where patterns are drawn, the observed one is one of them: 1/(B + 1) at least.
    test = resampling.paired_mean_test(np.ones(40), np.zeros(40), resamples=99)
    assert test.p_value == 1 / 100


def test_p_values_of_equal_runs_are_spread_evenly():
    rng = np.random.default_rng(6)
    p_values = []
    for seed in range(300):
        a, b = skewed(rng, 60), skewed(rng, 60)
        p_values.append(resampling.paired_mean_test(a, b, resamples=200, seed=seed).p_value)
    assert scipy.stats.kstest(p_values, "uniform").pvalue > 0.001


def test_the_same_seed_gives_the_same_numbers_whatever_the_blocks(monkeypatch):
    values = skewed(np.random.default_rng(7), 50)
    other = skewed(np.random.default_rng(8), 50)
    whole = resampling.paired_mean_test(values, other, resamples=333, seed=9)
    monkeypatch.setattr(resampling, "_BLOCK_ELEMENTS", 1000)
    assert resampling.paired_mean_test(values, other, resamples=333, seed=9) == whole
    assert resampling.paired_mean_test(values, other, resamples=333, seed=10) != whole


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([], {}, r"shape \(0,\)"),
        ([0.5, np.nan], {}, "received nan; leave out queries"),
        ([0.5], {"level": 95}, "level between 0 and 1, received 95"),
        ([0.5], {"resamples": 0}, "at least 1 resample"),
    ],
)
def test_refuses(values, options, message):
    with pytest.raises(ValueError, match=message):
        resampling.mean_interval(values, **options)
    with pytest.raises(ValueError, match=message):
        resampling.paired_mean_test(values, values, **options)


def test_runs_of_other_queries_are_refused():
    with pytest.raises(ValueError, match="same queries, received 2 and 3"):
        resampling.paired_mean_test([1, 2], [1, 2, 3])
