"""Which settings are tried, and in which order."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from landmarks_tf.retrieval.parameters import ScannParameters, choose_parameters
from landmarks_tf.retrieval.tuning_trials import sweep, trees


@pytest.mark.parametrize(
    ("num_rows", "dim", "k"),
    [(50, 8, 5), (5_000, 512, 100), (80_000, 128, 100), (800_000, 2048, 9)],
)
def test_every_tree_can_be_built_and_none_twice(num_rows, dim, k):
    tried = list(trees(num_rows, dim, k, 0.99))
    assert tried[0] == choose_parameters(num_rows, dim, k, 0.99)
    assert len(set(tried)) == len(tried)
    for parameters in tried:
        parameters.check(num_rows, dim)
    assert len(tried) == 1 if num_rows == 50 else len(tried) >= 5


BASE = ScannParameters("tree_hashing", 100, 400, 40, reorder=200)


def swept(recall_of, wanted=0.99, base=BASE):
    tried = []

    def measure(parameters):
        tried.append((parameters.leaves_to_search, parameters.reorder))
        return recall_of(*tried[-1])

    sweep(SimpleNamespace(parameters=base), base, 80_000, measure, wanted)
    return tried


def test_a_sweep_ends_once_more_is_of_no_use():
    tried = swept(lambda leaves, reorder: 1 - 0.5 * 4 / leaves - 0.5 * 100 / reorder)
    assert tried[0] == (4, 125)
    assert tried == sorted(tried)  # the fastest first
    assert max(leaves for leaves, _ in tried) == 221  # never enough: the whole grid


def test_it_stops_where_few_candidates_suffice():
    tried = swept(lambda leaves, reorder: 0.999 if leaves >= 36 else 0.9)
    assert tried[-1] == (36, 125)
    assert [reorder for leaves, reorder in tried if leaves == 4] == [125, 160]  # no gain


def test_without_a_tree_only_candidates_change():
    hashing = ScannParameters("hashing", 100, reorder=200)
    tried = swept(lambda _, reorder: reorder / 2000, base=hashing)
    assert {leaves for leaves, _ in tried} == {0}
    assert len(swept(lambda *_: 1.0, base=ScannParameters("brute_force", 100))) == 1
