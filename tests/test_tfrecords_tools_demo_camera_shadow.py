"""Cast shadows, against rays."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.demo_checks import scene_of
from tests.reference import ray_cast
from tfrecords_tools.demo.camera.light import choose_light
from tfrecords_tools.demo.camera.shadow import Shadow
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.mesh import Sprite, unit
from tfrecords_tools.demo.world.scene import Stage

STAGE = Stage(radius=16, height=16)


def sun_at(azimuth: float, elevation: float):
    c = math.cos(elevation)
    direction = (c * math.cos(azimuth), c * math.sin(azimuth), math.sin(elevation))
    return replace(choose_light(generator(0, 0), (0, 0, 0)), sun=unit(direction))


def buildings() -> Builder:
    b = Builder()
    b.box(8, 6, 10, "m", "m")
    b.at(x=9, y=2).lathe([(2, 0), (2, 14)], 8, "m", top="m")
    b.at(x=-9, yaw=0.5).box(5, 5, 4, "m", None)
    b.at(x=-9, yaw=0.5, z=4).hip(5, 5, 4, 1, "m")
    return b


@pytest.mark.parametrize(("azimuth", "elevation"), [(0.4, 0.6), (2.2, 1.0), (-1.7, 0.3)])
def test_shadows_on_the_ground_are_where_rays_are_stopped(azimuth, elevation):
    b = buildings()
    light = sun_at(azimuth, elevation)
    shadow = Shadow(scene_of(b, stage=STAGE), light)
    rng = np.random.default_rng(1)
    points = np.column_stack([rng.uniform(-16, 16, (400, 2)), np.zeros(400)])
    inside = [abs(x) < 4.2 and abs(y) < 3.2 for x, y, _ in points]
    clear = shadow.clear(*points.astype(np.float32).T)
    polygons = [face.points for face in b.faces]
    wrong = dark = 0
    for point, value, skip in zip(points, clear, inside, strict=True):
        found, _ = ray_cast.nearest(tuple(point), light.sun, polygons)
        dark += found is not None
        wrong += (found is None) != bool(value) and not skip
    assert 30 < dark < 370
    assert wrong <= 16, f"{wrong} of 400 points (a pixel of the shadow is 0.3 m)"


def test_sunny_walls_do_not_shadow_themselves():
    b = buildings()
    light = sun_at(-1.2, 0.7)
    shadow = Shadow(scene_of(b, stage=STAGE), light)
    rng = np.random.default_rng(2)
    face = b.faces[0]  # the front of the block faces -y, towards this sun
    u, v = rng.uniform(0.5, 7.5, 300), rng.uniform(0.5, 9.5, 300)
    points = np.array(face.origin) + np.outer(u, face.along) + np.outer(v, face.up)
    clear = shadow.clear(*points.astype(np.float32).T)
    assert clear.mean() > 0.97


def test_far_away_the_sun_shines():
    shadow = Shadow(scene_of(buildings(), stage=STAGE), sun_at(0.3, 0.5))
    far = np.array([[300, 0, 0], [0, -500, 0]], np.float32)
    assert shadow.clear(*far.T).tolist() == [1, 1]


def test_trees_cast_shadows_too():
    b = Builder()
    b.sprite(Sprite((0.0, 0.0, 0.0), (((50, 90, 40), (0.0, 5.0, 2.5, 2.5)),)))
    light = sun_at(0.0, math.pi / 4)
    shadow = Shadow(scene_of(b, stage=STAGE), light)
    # A crown 5 m up (across the line of sight of the sun) throws its shadow about 7 m away.
    x = np.arange(-14, 14, 0.25, dtype=np.float32)
    dark = x[shadow.clear(x, np.zeros_like(x), np.zeros_like(x)) == 0]
    assert len(dark) > 8
    assert dark.min() > -13
    assert dark.max() < 0
