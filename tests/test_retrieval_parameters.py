"""ScaNN's parameters follow the size of the set, and bad ones never reach ScaNN."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters


@pytest.mark.parametrize(
    ("num_rows", "method"),
    [
        (1, "brute_force"),
        (19_999, "brute_force"),
        (20_000, "tree_hashing"),
        (761_757, "tree_hashing"),
    ],
)
def test_method_by_rows(num_rows, method):
    assert choose_parameters(num_rows, 512).method == method


def test_gldv2_index():
    chosen = choose_parameters(761_757, 512, 100)
    assert chosen.num_leaves == 1746  # twice the root
    assert 0.05 <= chosen.leaves_to_search / chosen.num_leaves <= 0.11
    assert 200 <= chosen.reorder <= 300
    assert (chosen.projected_dim, chosen.dimensions_per_block) == (256, 1)


@pytest.mark.parametrize(
    ("dim", "axes"), [(1, 1), (64, 64), (65, 48), (128, 96), (512, 256), (2048, 256)]
)
def test_never_more_than_256_blocks(dim, axes):
    chosen = choose_parameters(500_000, dim)
    assert (chosen.projected_dim or dim) // chosen.dimensions_per_block == axes
    assert axes <= 256


def test_more_recall_costs_more():
    chosen = [choose_parameters(200_000, 128, 100, recall) for recall in (0.8, 0.95, 0.99, 1.0)]
    for name in ("leaves_to_search", "reorder"):
        values = [getattr(parameters, name) for parameters in chosen]
        assert values == sorted(values)
        assert values[-1] > values[0]


@settings(max_examples=300, deadline=None)
@given(
    st.integers(1, 10_000_000),
    st.integers(1, 5000),
    st.integers(1, 2000),
    st.floats(0, 1, exclude_min=True),
)
def test_every_choice_passes_the_guards(num_rows, dim, k, recall):
    chosen = choose_parameters(num_rows, dim, k, recall)
    chosen.check(num_rows, dim)
    assert chosen.num_neighbors == min(k, num_rows)
    assert ScannParameters.from_dict(chosen.to_dict()) == chosen


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "magic"}, "method: 'magic' is not possible"),
        ({"num_neighbors": 5001}, "num_neighbors must be between 1 and 5000, received 5001"),
        ({"dimensions_per_block": 7}, "cuts 2048 dimensions into 293 blocks.*use at least 8"),
        ({"dimensions_per_block": 0}, "dimensions_per_block must be between 1 and 2048"),
        ({"projected_dim": 2049}, "projected_dim must be between 1 and 2048, received 2049"),
        ({"projected_dim": 300, "dimensions_per_block": 1}, "cuts 300 dimensions into 300 blocks"),
        ({"reorder": 9}, "reorder must be between 10 and 5000, received 9"),
        ({"num_leaves": 101}, "num_leaves must be between 1 and 100, received 101"),
        ({"leaves_to_search": 51}, "leaves_to_search must be between 1 and 50"),
        ({"training_sample_size": 5001}, "training_sample_size must be between 1 and 5000"),
    ],
)
def test_guards(change, message):
    good = ScannParameters("tree_hashing", 10, 50, 5, 8, 100, training_sample_size=5000)
    good.check(5000, 2048)
    with pytest.raises(ValueError, match=message):
        replace(good, **change).check(5000, 2048)


def test_refuses_sizes_below_one_and_unknown_names():
    with pytest.raises(ValueError, match="dim must be at least 1, received 0"):
        choose_parameters(10, 0)
    for recall in (0.0, 1.1):
        with pytest.raises(ValueError, match=r"recall must lie above 0 and be at most 1"):
            choose_parameters(10, 4, 1, recall)
    with pytest.raises(ValueError, match="not a ScaNN parameter: leafs"):
        ScannParameters.from_dict({"method": "hashing", "num_neighbors": 1, "leafs": 3})
    with pytest.raises(ValueError, match="lack num_neighbors"):
        ScannParameters.from_dict({"method": "hashing"})


def test_fitted_to_fewer_rows():
    big = choose_parameters(500_000, 512, 100)
    for num_rows in (1, 49, 50, 900, 30_000, 900_000):
        big.fitted_to(num_rows).check(num_rows, 512)
    assert big.fitted_to(500_000) == big
    assert big.fitted_to(30_000).num_leaves == 600
