"""Shading: surface coordinates, light and air of rendered scenes."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from tests.demo_checks import scene_of, view_from
from tfrecords_tools.demo.camera.light import indoors
from tfrecords_tools.demo.camera.raster import draw_ids
from tfrecords_tools.demo.camera.shade import Picture3d
from tfrecords_tools.demo.camera.textures import linear
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.materials import Band, Material
from tfrecords_tools.demo.world.mesh import Sprite, unit
from tfrecords_tools.demo.world.scene import Ground, Scene, Stage

STONE = (200.0, 180.0, 150.0)
DAY = replace(
    indoors(generator(0, 0)),
    ambient=(0.5, 0.5, 0.5),
    bounce=(0.5, 0.5, 0.5),
    fog=1e9,
    horizon=(0.2, 0.5, 0.9),
    zenith=(0.2, 0.5, 0.9),
)


def tower(*features, ground: Ground | None = None) -> Scene:
    b = Builder()
    b.box(8, 8, 12, "wall", "wall")
    wall = Material(STONE, "flat", features=features)
    skyline = np.zeros(1024, np.float32) + np.float32(0.003)
    return Scene(b, {"wall": wall}, ground or Ground(), Stage(8, 12), skyline)


def test_a_wall_shows_its_colour_in_its_light():
    shot = Picture3d(tower(), view_from(0, 30, 6, target=8), DAY, [])
    wall = shot.rgb[40, 48]
    np.testing.assert_allclose(wall, linear(STONE) * 0.5, rtol=0.01)
    sky = shot.rgb[2, 2]
    np.testing.assert_allclose(sky, DAY.horizon, rtol=0.01)


def test_bands_are_at_their_height():
    view = view_from(0, 30, 6, target=6, pixels=200)
    shot = Picture3d(tower(Band(5, 2, colour=(0, 0, 0))), view, DAY, [])
    dark = np.flatnonzero(shot.rgb[:, 100].sum(axis=1) < 0.01)
    # The wall is 26 m away, the camera looks level from a height of 6 m.
    for row, height in ((dark[0], 7), (dark[-1] + 1, 5)):
        assert row == pytest.approx(100 - (height - 6) / 26 * view.scale, abs=1.2)


def test_a_side_towards_the_sun_is_brighter():
    light = replace(DAY, sun=unit((1.0, -0.3, 0.6)), sun_colour=(1.0, 0.9, 0.8))
    shot = Picture3d(tower(), view_from(math.pi / 4, 34, 6), light, [])
    height, width = shot.rgb.shape[:2]
    left, right = shot.rgb[height // 2 - 6, width // 3], shot.rgb[height // 2 - 6, 2 * width // 3]
    assert right.sum() > 1.4 * left.sum()  # seen from the corner, the side +x is on the right


def test_round_walls_shade_smoothly():
    b = Builder()
    b.lathe([(5, 0), (5, 12)], 12, "wall")
    scene = Scene(
        b, {"wall": Material(STONE, "flat")}, Ground(), Stage(5, 12), np.zeros(1024, np.float32)
    )
    light = replace(DAY, sun=unit((1.0, -0.6, 0.3)), sun_colour=(1.0, 1.0, 1.0))
    view = view_from(0, 30, 6, target=8, pixels=200)
    shot = Picture3d(scene, view, light, [])
    shown = draw_ids(scene, view, []).ids[90] >= 0
    middle = shot.rgb[90, shown, 0][3:-3]
    assert len(middle) > 50
    assert np.ptp(middle) > 0.2
    assert np.abs(np.diff(middle)).max() < 0.1 * np.ptp(middle), "facets are seen"


def test_haze_takes_the_colour_of_the_horizon():
    clear = Picture3d(tower(), view_from(0, 60, 6), DAY, [])
    hazy = Picture3d(tower(), view_from(0, 60, 6), replace(DAY, fog=56.0), [])
    at = (47, 48)
    half = (clear.rgb[at] + np.array(DAY.horizon)) / 2
    np.testing.assert_allclose(hazy.rgb[at], half, rtol=0.05)


def test_snow_covers_ground_and_roofs_not_walls():
    view = view_from(0.5, 30, 40, target=4)
    plain = Picture3d(tower(), view, DAY, [])
    snow = Picture3d(tower(), view, replace(DAY, snow=1.0), [])
    change = snow.rgb.sum(axis=2) - plain.rgb.sum(axis=2)
    ids = draw_ids(tower(), view, []).ids
    front, roof = 0, 4
    assert (change[ids == roof] > 0.2).all()
    assert np.abs(change[ids == front]).max() < 1e-4
    assert change[90, 10] > 0.2, "the ground"


def test_floodlights_reach_the_landmark_only():
    b = Builder()
    b.at(x=-7).box(6, 6, 10, "wall", "wall")
    b.surroundings().at(x=7).box(6, 6, 10, "wall", "wall")
    scene = Scene(
        b, {"wall": Material(STONE, "flat")}, Ground(), Stage(9, 10), np.zeros(1024, np.float32)
    )
    night = replace(DAY, ambient=(0.01,) * 3, bounce=(0.01,) * 3, flood=(1.0, 0.8, 0.5))
    shot = Picture3d(scene, view_from(0, 40, 5), night, [])
    own, other = shot.rgb[50, 28], shot.rgb[50, 68]
    assert own.sum() > 4 * other.sum()


def test_sprites_have_their_tint_and_lamps_shine():
    shapes = (((200.0, 20.0, 20.0), (0.0, 3.0, 3.0, 3.0)),)
    view = view_from(0, 30, 3, target=3)
    plain = Picture3d(scene_of(Builder()), view, DAY, [Sprite((0.0, 0.0, 0.0), shapes)])
    red = plain.rgb[48, 48]
    assert red[0] > 5 * red[1]
    night = replace(DAY, lit_share=0.5)
    lamp = Picture3d(scene_of(Builder()), view, night, [Sprite((0.0, 0.0, 0.0), shapes, light=1.0)])
    assert lamp.rgb[48, 48].sum() > red.sum() + 1


def test_water_mirrors_the_tower():
    view = view_from(0, 60, 2, target=2, pixels=160)
    dry = Picture3d(tower(ground=Ground("grass")), view, DAY, [])
    wet = Picture3d(tower(ground=Ground("water")), view, DAY, [])
    foot = int(80 + view.scale * 2 / 56) + 6
    below, beside = wet.rgb[foot + 4, 80], wet.rgb[foot + 4, 20]
    assert below[0] > 1.3 * beside[0], "the stone is redder than the sky"
    assert np.abs(dry.rgb[foot + 4, 80] - dry.rgb[foot + 4, 20]).max() < 0.1


def test_the_share_of_the_landmark_is_that_of_its_pixels():
    view = view_from(0, 30, 6, target=6, pixels=160)
    shot = Picture3d(tower(), view, DAY, [])
    expected = (8 / 26 * view.scale) * (12 / 26 * view.scale) / 160**2
    assert shot.landmark_share == pytest.approx(expected, rel=0.1)
    away = Picture3d(tower(), view_from(0, 4000, 6, target=6), DAY, [])
    assert away.landmark_share < 0.001


def test_drawing_twice_gives_the_same_bytes():
    view = view_from(0.3, 30, 5)
    one, two = (Picture3d(tower(Band(2, 1)), view, DAY, []).rgb.tobytes() for _ in "ab")
    assert one == two


@pytest.mark.parametrize(("base", "mirrors"), [("cobble", True), ("grass", False)])
def test_wet_paving_mirrors_and_wet_grass_does_not(base, mirrors):
    view = view_from(0, 60, 2, target=2, pixels=160)
    rain = replace(DAY, wet=1.0)
    dry, wet = (Picture3d(tower(ground=Ground(base)), view, light, []).rgb for light in (DAY, rain))
    assert (np.abs(wet - dry).max() > 0.05) == mirrors
