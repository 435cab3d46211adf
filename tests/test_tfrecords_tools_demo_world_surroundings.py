"""Houses, trees and hills around a landmark."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.kit import Kit
from tfrecords_tools.demo.world.scene import Ground, Stage
from tfrecords_tools.demo.world.surroundings import furnish, house_materials, is_dry, place, skyline


def test_azimuth_zero_is_the_front_and_turns_counter_clockwise():
    assert place(0.0, 10) == pytest.approx((0, -10))
    assert place(math.pi / 2, 10) == pytest.approx((10, 0))
    assert place(math.pi, 10) == pytest.approx((0, 10))


def test_water_is_not_dry():
    river = Ground("grass", river=(1.0, 0.0, -5.0, 5.0))
    assert not is_dry(river, 0, 40)
    assert is_dry(river, 9, 40)
    island = Ground("water", "sand", 10)
    assert is_dry(island, 3, 3)
    assert not is_dry(island, 30, 3)


@pytest.mark.parametrize("seed", range(12))
def test_houses_stand_behind_and_nothing_stands_in_the_landmark_or_in_water(seed):
    kit = Kit(generator(77, seed))
    stage = Stage(radius=20, height=25, sector=(0.6, 1.5))
    ground = Ground("grass", river=(0.0, 1.0, -60.0, -45.0))
    furnish(kit, stage, ground)
    assert not any(face.landmark for face in kit.b.faces)
    for face in kit.b.faces:
        for x, y, _ in face.points:
            assert math.hypot(x, y) > stage.radius
            azimuth = math.atan2(x, -y)
            off = abs((azimuth - 0.6 + math.pi) % (2 * math.pi) - math.pi)
            assert off > 1.45, "a house in the free sector"
    for sprite in kit.b.sprites:
        x, y, _ = sprite.anchor
        assert math.hypot(x, y) >= stage.radius
        assert is_dry(ground, x, y)


def test_surroundings_differ_from_place_to_place():
    counts = set()
    for seed in range(10):
        kit = Kit(generator(78, seed))
        furnish(kit, Stage(radius=20, height=25, sector=(0.0, 1.5)), Ground())
        counts.add((len(kit.b.faces), len(kit.b.sprites)))
    assert len(counts) >= 8


def test_house_walls_are_plaster_with_windows():
    kit = Kit(generator(1, 1))
    names = house_materials(kit, 3)
    assert names == ["house0", "house1", "house2"]
    assert all(kit.materials[name].features for name in names)
    assert "house_roof" in kit.materials


def test_the_skyline_closes_and_stays_low():
    heights = []
    for seed in range(30):
        line = skyline(np.random.default_rng(seed))
        assert line.shape == (1024,)
        assert line.dtype == np.float32
        assert line.min() >= 0.003
        assert line.max() < 0.4
        assert abs(float(line[0]) - float(line[-1])) < 0.06
        heights.append(float(line.max()))
    assert max(heights) > 5 * min(heights)
