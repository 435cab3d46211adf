"""Endless shuffles with random access: permutations laid end to end, dealt in hands.

The permutations come from a 64-bit mixing function (SplitMix64; Steele, Lea and Flood 2014, "Fast
splittable pseudorandom number generators") and a stable sort, not from `numpy.random`, whose
streams may change between NumPy's versions: a run resumed after an upgrade sees the same order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

# What a permutation is for; keeps the streams of one seed apart.
ROWS, CLASSES, IMAGES, WHOLE_LISTS, DRAWS, OFFSET, LINE, COLUMNS = range(8)

_MASK = (1 << 64) - 1
_GAMMA = 0x9E3779B97F4A7C15
_MIXING = ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB))


def key(*parts: int) -> int:
    """One well-mixed 64-bit number out of several whole numbers, their order included."""
    mixed = 0
    for part in parts:
        mixed = ((mixed ^ (part & _MASK)) + _GAMMA) & _MASK
        for shift, multiplier in _MIXING:
            mixed = ((mixed ^ (mixed >> shift)) * multiplier) & _MASK
        mixed ^= mixed >> 31
    return mixed


def rotation(a_key: int, turns: int) -> int:
    """`a_key` moved on by `turns` golden ratios of the circle of 64-bit numbers.

    However many turns are made, they lie almost evenly on the circle (Weyl's sequence).
    """
    return (a_key + turns * _GAMMA) & _MASK


def permutation(size: int, a_key: int) -> np.ndarray:
    """A permutation of 0..size-1, (size,) int64: the order of `size` mixed numbers."""
    numbers = np.arange(1, size + 1, dtype=np.uint64)
    numbers *= np.uint64(_GAMMA)
    numbers += np.uint64(a_key)
    for shift, multiplier in _MIXING:
        numbers ^= numbers >> np.uint64(shift)
        numbers *= np.uint64(multiplier)
    numbers ^= numbers >> np.uint64(31)
    return np.argsort(numbers, kind="stable")


def stretch(cycle_of: Callable[[int], np.ndarray], size: int, first: int, last: int) -> np.ndarray:
    """Elements first..last-1, at least one, of the endless row of cycles of `size`, as int64."""
    parts = []
    for cycle in range(first // size, (last - 1) // size + 1):
        start = cycle * size
        parts.append(cycle_of(cycle)[max(first - start, 0) : last - start])
    return np.concatenate(parts).astype(np.int64)


class Cycler:
    """Deals hands of distinct items from permutations of all items laid end to end.

    A hand that straddles two permutations could hold an item twice. The second permutation is
    mended for that: in its head, items of the first one's tail trade places with the next items
    that are not among them. With three hands or more in a permutation that never reaches its own
    tail, so a permutation depends on the one before as it was drawn. Smaller ones are mended
    in a chain from the last border that no hand straddles, at most `hand` permutations back.

    Args:
        size: number of items.
        hand: items dealt at a time, 1..size.
        a_key: 64-bit number that the permutations are drawn with.
        cached: how many mended permutations to keep.
    """

    def __init__(self, size: int, hand: int, a_key: int, *, cached: int = 0):
        self._size, self._hand, self._key = size, hand, a_key
        self._cycles_between_borders = hand // math.gcd(size, hand)
        self._cycle = functools.lru_cache(cached)(self._mended) if cached else self._mended

    def deal(self, turn: int) -> np.ndarray:
        """The items of hand number `turn`, (hand,) int64 below `size`, all different."""
        first = turn * self._hand
        return stretch(self._cycle, self._size, first, first + self._hand)

    def _drawn(self, cycle: int) -> np.ndarray:
        return permutation(self._size, key(self._key, cycle))

    def _mended(self, cycle: int) -> np.ndarray:
        since_border = cycle % self._cycles_between_borders
        if self._size >= 3 * self._hand:
            return self._mend(cycle, self._drawn(cycle - 1) if since_border else None)
        items = None
        for current in range(cycle - since_border, cycle + 1):
            items = self._mend(current, items)
        return items

    def _mend(self, cycle: int, before: np.ndarray | None) -> np.ndarray:
        items = self._drawn(cycle)
        dealt = cycle * self._size % self._hand  # of the straddling hand, from the tail of `before`
        if not dealt:
            return items
        head = self._hand - dealt
        taken = np.isin(items, before[self._size - dealt :])
        wrong = np.flatnonzero(taken[:head])
        right = head + np.flatnonzero(~taken[head:])[: len(wrong)]
        items[wrong], items[right] = items[right], items[wrong]
        return items
