import pytest

from experiments.benchmarks.ratios import speed_ratio


def test_ratio_is_of_the_rounds():
    # Speeds of ours over the twin's: 2/1, 4/2, 9/3 seconds give 0.5, 0.5, 1/3.
    ratio = speed_ratio([2.0, 4.0, 9.0], [1.0, 2.0, 3.0])
    assert ratio["median"] == pytest.approx(0.5)
    assert 1 / 3 <= ratio["low"] <= ratio["high"] <= 0.5


def test_one_round_is_its_own_quartiles():
    assert speed_ratio([2.0], [1.0]) == {"median": 0.5, "low": 0.5, "high": 0.5}
