"""The palettes: few and shared, so that no landmark is told by its colour."""

from __future__ import annotations

from collections import Counter

from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.kit import Kit
from tfrecords_tools.demo.world.materials import ROOFS, STONES, Material


def test_colours_are_srgb():
    for colour in (*STONES.values(), *ROOFS.values()):
        assert len(colour) == 3
        assert all(0 <= c <= 255 for c in colour)


def test_many_landmarks_share_a_stone():
    stones = Counter(Kit(generator(0, n)).stone_name for n in range(40))
    assert stones.keys() <= STONES.keys()
    assert stones.most_common(1)[0][1] >= 4
    assert len(stones) >= 5


def test_materials_are_values():
    assert Material((1, 2, 3)) == Material((1, 2, 3))
    assert hash(Material((1, 2, 3))) == hash(Material((1, 2, 3)))
