"""Permutations and cyclers: published test vectors, invariants, random access."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landmarks_tf.data import cyclers
from tests.reference import sampling as reference


def test_reference_gives_splitmix64s_published_outputs():
    """The outputs from state 1234567 that implementations of SplitMix64 are checked with."""
    assert reference.splitmix64(1234567, 5) == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


@given(a_key=st.integers(0, 2**64 - 1), size=st.integers(1, 200))
def test_permutation_equals_sorting_splitmix64(a_key, size):
    ours = cyclers.permutation(size, a_key)
    assert ours.tolist() == reference.permutation(size, a_key)
    assert sorted(ours) == list(range(size))


@given(parts=st.lists(st.integers(-(2**63), 2**64), min_size=1, max_size=5))
def test_key_equals_the_plain_chain(parts):
    assert cyclers.key(*parts) == reference.key(*parts)


def test_keys_differ_by_order_length_and_value():
    tried = [(1, 2), (2, 1), (1, 2, 0), (1, 3), (1,), (0, 1, 2), (-1, 2)]
    assert len({cyclers.key(*parts) for parts in tried}) == len(tried)


def test_permutations_are_uniform():
    """All 24 orders of four items over 4800 keys: chi-square, 23 degrees of freedom, p > 1e-4."""
    counts = Counter(tuple(cyclers.permutation(4, cyclers.key(5, n))) for n in range(4800))
    assert len(counts) == 24
    assert sum((count - 200) ** 2 / 200 for count in counts.values()) < 55


def test_stretch_by_hand():
    cycles = {0: np.array([1, 2, 3]), 1: np.array([3, 1, 2]), 2: np.array([2, 3, 1])}
    assert cyclers.stretch(cycles.__getitem__, 3, 2, 7).tolist() == [3, 3, 1, 2, 2]
    assert cyclers.stretch(cycles.__getitem__, 3, 3, 4).tolist() == [3]


sizes_and_hands = st.integers(1, 30).flatmap(
    lambda size: st.tuples(st.just(size), st.integers(1, size))
)


@given(shape=sizes_and_hands, a_key=st.integers(0, 2**64 - 1), count=st.integers(1, 60))
@settings(deadline=None)
def test_hands_equal_dealing_from_the_start(shape, a_key, count):
    size, hand = shape
    cycler = cyclers.Cycler(size, hand, a_key)
    expected = reference.hands(size, hand, a_key, count)
    for turn in reversed(range(count)):  # from the back: no turn may lean on the one before
        assert cycler.deal(turn).tolist() == expected[turn]


@given(shape=sizes_and_hands, a_key=st.integers(0, 2**64 - 1), turns=st.integers(1, 80))
@settings(deadline=None)
def test_the_cyclers_promises(shape, a_key, turns):
    """S1's guarantees for a random cycler, and no item twice in a hand."""
    size, hand = shape
    cycler = cyclers.Cycler(size, hand, a_key, cached=2)
    dealt = [cycler.deal(turn) for turn in range(turns)]
    assert all(len(set(items.tolist())) == hand for items in dealt)

    stream = np.concatenate(dealt)
    counts = np.bincount(stream, minlength=size)
    assert counts.min() >= len(stream) // size
    assert counts.max() <= -(-len(stream) // size)
    for item in range(size):
        gaps = np.diff(np.flatnonzero(stream == item)) - 1
        assert gaps.max(initial=0) <= 2 * (size - 1)


@pytest.mark.parametrize("size,hand", [(7, 5), (9, 3), (100, 7), (101, 32)])
def test_far_turns_need_no_replay(size, hand):
    """A turn 10**12 hands on costs a bounded number of permutations."""
    drawn = []

    class Counting(cyclers.Cycler):
        def _drawn(self, cycle):
            drawn.append(cycle)
            return super()._drawn(cycle)

    items = Counting(size, hand, 11).deal(10**12)
    assert len(set(items.tolist())) == hand
    assert len(drawn) <= 2 * hand + 2


def test_mending_does_not_favour_items():
    """Each of 7 items leads a hand of 3 equally often over many turns (p > 1e-4)."""
    cycler = cyclers.Cycler(7, 3, 3, cached=4)
    leads = np.bincount([cycler.deal(turn)[0] for turn in range(7000)], minlength=7)
    assert ((leads - 1000) ** 2 / 1000).sum() < 28
