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


def test_the_rule_first_and_then_the_fastest_on():
    tried = swept(lambda leaves, reorder: 1 - 0.05 * 4 / leaves - 0.05 * 100 / reorder)
    assert tried[0] == (40, 200)
    assert tried[1:] == sorted(tried[1:], key=lambda one: (one[0], one[1] < 1000))
    # Four leaves cannot come near: one look. From eight on all candidates are tried.
    assert [reorder for leaves, reorder in tried if leaves == 4] == [1000]
    assert [reorder for leaves, reorder in tried if leaves == 8] == [
        1000, 130, 160, 200, 250, 320, 450, 650,
    ]  # fmt: skip


def test_it_stops_where_few_candidates_and_leaves_suffice():
    tried = swept(lambda leaves, reorder: 0.999 if leaves >= 36 else 0.97)
    assert tried[-2:] == [(36, 1000), (36, 130)]
    assert [reorder for leaves, reorder in tried if leaves == 8] == [1000, 130]  # no gain


def test_without_a_tree_only_candidates_change():
    hashing = ScannParameters("hashing", 100, reorder=200)
    tried = swept(lambda _, reorder: reorder / 2000, base=hashing)
    assert {leaves for leaves, _ in tried} == {0}
    assert len(swept(lambda *_: 1.0, base=ScannParameters("brute_force", 100))) == 1
