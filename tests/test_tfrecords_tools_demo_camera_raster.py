"""Drawing of face numbers: culling, clipping, sprites. Order is tested with the tree."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.demo_checks import scene_of, view_from
from tests.reference import ray_cast
from tfrecords_tools.demo.camera.raster import NEAR, NOTHING, draw_ids
from tfrecords_tools.demo.camera.view import look, sunlight
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.mesh import Sprite

RED = (200.0, 0.0, 0.0)


def box(size: float = 4.0) -> Builder:
    b = Builder()
    b.box(size, size, size, "wall", "wall")
    return b


def test_a_box_covers_the_pixels_it_should():
    view = view_from(0.0, 20, 2, target=2, pixels=200)
    ids = draw_ids(scene_of(box()), view, []).ids
    # The front is 18 m away and 4 m wide; polygons are drawn with the pixels on their edges.
    side = 4 / 18 * view.scale
    assert side - 1 <= math.sqrt(np.count_nonzero(ids >= 0)) <= side + 2.5
    assert set(np.unique(ids)) == {NOTHING, 0}


def test_an_empty_scene_is_empty():
    canvas = draw_ids(scene_of(Builder()), view_from(0, 20, 2), [])
    assert (canvas.ids == NOTHING).all()
    assert canvas.shapes == []


def test_what_is_behind_the_camera_is_not_drawn():
    b = Builder()
    b.at(y=-60).box(4, 4, 4, "wall", "wall")
    assert (draw_ids(scene_of(b), view_from(0.0, 20, 2), []).ids == NOTHING).all()


def test_a_wall_that_runs_past_the_camera_is_cut_at_the_near_plane():
    b = Builder()
    b.at(x=3).box(0.5, 200, 6, "wall", "wall")  # beside the camera, from far behind to far ahead
    view = look((0, 0, 2), (0, 10, 2), field_of_view=1.4, roll=0, width=120, height=90)
    ids = draw_ids(scene_of(b), view, []).ids
    for row in range(4, 90, 7):
        for column in range(4, 120, 7):
            sx, sy = (column + 0.5 - 60) / view.scale, (45 - row - 0.5) / view.scale
            direction = [sx, 1.0, sy]
            found, distance = ray_cast.nearest(view.eye, direction, [f.points for f in b.faces])
            around = ids[row - 1 : row + 2, column - 1 : column + 2]
            if found is not None and distance > 2 * NEAR:
                assert found in around
            elif found is None:
                assert NOTHING in around


def test_a_sprite_has_its_size_and_is_hidden_by_what_is_before_it():
    sprite = Sprite((0.0, 10.0, 0.0), ((RED, (0.0, 2.0, 1.0, 2.0)),))
    view = view_from(0.0, 20, 2, target=2, pixels=200)
    canvas = draw_ids(scene_of(Builder()), view, [sprite])
    scale = view.scale / 30
    assert np.count_nonzero(canvas.ids == 0) == pytest.approx(math.pi * 2 * scale**2, rel=0.06)
    assert canvas.shapes == [(sprite, RED)]
    hidden = draw_ids(scene_of(box(8)), view, [sprite])
    count = len(scene_of(box(8)).builder.faces)
    assert not (hidden.ids == count).any()
    before = Sprite((0.0, -12.0, 0.0), sprite.shapes)
    assert (draw_ids(scene_of(box(8)), view, [before]).ids == count).any()


def test_polygons_of_sprites_stand_upright():
    sprite = Sprite((0.0, 0.0, 0.0), ((RED, ((-1.0, 0.0), (1.0, 0.0), (0.0, 6.0))),))
    ids = draw_ids(scene_of(Builder()), view_from(0.7, 20, 3, target=3), [sprite]).ids
    widths = (ids == 0).sum(axis=1)
    rows = np.flatnonzero(widths)
    assert widths[rows[0]] < widths[rows[-1]], "the point is up"


def test_fixed_and_extra_sprites_are_numbered_after_the_faces():
    b = box()
    b.sprite(Sprite((9.0, 0.0, 0.0), ((RED, (0.0, 1.0, 1.0, 1.0)),)))
    extra = Sprite((-9.0, 0.0, 0.0), (((0.0, 200.0, 0.0), (0.0, 1.0, 1.0, 1.0)),))
    canvas = draw_ids(scene_of(b), view_from(0.0, 30, 3), [extra])
    numbers = [i for i in np.unique(canvas.ids) if i >= len(b.faces)]
    assert len(numbers) == 2
    right = canvas.ids[:, 48:]
    (number,) = {int(i) for i in np.unique(right) if i >= len(b.faces)}
    assert canvas.shapes[number - len(b.faces)][1] == RED


def test_the_sun_sees_the_roof():
    view = sunlight((0.0, 0.1, 0.995), (0.0, 0.0, 0.0), 10.0, 100)
    ids = draw_ids(scene_of(box()), view, []).ids
    roof = 4
    assert np.count_nonzero(ids == roof) == pytest.approx((4 * 5) ** 2, rel=0.12)


def test_sprites_too_close_are_left_out():
    view = view_from(0.0, 20, 2)
    near = Sprite((0.0, -19.7, 1.0), ((RED, (0.0, 0.0, 5.0, 5.0)),))
    assert (draw_ids(scene_of(Builder()), view, [near]).ids == NOTHING).all()
