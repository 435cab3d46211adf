"""Frames, views and what gets in the way."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest

from tests.demo_checks import scene_of
from tfrecords_tools.demo.camera.photographer import (
    choose_frame,
    choose_occluders,
    choose_view,
    choose_view_inside,
)
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.scene import Ground, Stage

STAGE = Stage(
    radius=20, height=30, sights=(((0.0, -18.0, 12.0), 10.0),), sector=(0.5, 1.2), keep_out=28
)


@pytest.fixture(scope="module")
def views():
    return [choose_view(generator(5, n), STAGE, 200, 150) for n in range(500)]


def azimuth(view) -> float:
    return math.atan2(view.eye[0], -view.eye[1])


def test_frames_vary_in_size_and_shape():
    frames = [choose_frame(generator(6, n)) for n in range(500)]
    longer = [max(f.width, f.height) for f in frames]
    assert min(longer) >= 160
    assert max(longer) <= 256
    assert 0.2 < np.mean([f.height > f.width for f in frames]) < 0.45
    assert len(Counter(round(f.width / f.height, 1) for f in frames)) >= 6


def test_the_camera_stays_outside_and_above_the_ground(views):
    for view in views:
        assert math.hypot(view.eye[0], view.eye[1]) > STAGE.keep_out
        assert view.eye[2] > 1.2


def test_the_camera_keeps_to_the_free_sector_but_comes_from_several_sides(views):
    offs = [azimuth(v) - 0.5 for v in views]
    assert max(map(abs, offs)) <= 1.2 + 1e-6
    assert np.std(offs) > 0.35
    assert min(offs) < -0.8 < 0.8 < max(offs)


def test_heights_distances_and_angles_vary(views):
    heights = [v.eye[2] for v in views]
    assert np.mean(np.array(heights) < 2.2) > 0.5
    assert max(heights) > 20
    distances = [math.hypot(v.eye[0], v.eye[1]) / STAGE.size for v in views]
    assert max(distances) > 2.5 * min(distances)
    fields = [math.degrees(2 * math.atan(100 / v.scale)) for v in views]
    assert min(fields) < 15
    assert max(fields) > 55


def test_most_views_hold_most_of_the_landmark(views):
    corners = np.array([(x, y, z) for x in (-15, 15) for y in (-10, 10) for z in (2, 28)], float)
    shares = []
    for view in views:
        x, y, z = view.project(corners)
        column, row = view.frame(x, y, z)
        inside = (z > 0) & (column > -10) & (column < 210) & (row > -10) & (row < 160)
        shares.append(inside.mean())
    assert np.mean(np.array(shares) > 0.6) > 0.6
    assert np.mean(np.array(shares) < 0.3) > 0.02, "no close-ups"


def test_details_are_seen_from_the_free_side_too():
    turned = Stage(20, 30, sights=(((0.0, 18.0, 12.0), 6.0),), sector=(0.0, 1.0))
    for n in range(200):
        assert abs(azimuth(choose_view(generator(8, n), turned, 90, 90))) <= 1.0 + 1e-6


def test_views_are_repeatable():
    assert choose_view(generator(1, 1), STAGE, 90, 60) == choose_view(
        generator(1, 1), STAGE, 90, 60
    )


def test_occluders_stand_on_dry_ground_between_camera_and_motif(views):
    scene = scene_of(
        Builder(), stage=STAGE, ground=Ground("grass", river=(0.0, 1.0, -400.0, -40.0))
    )
    counts = []
    for n, view in enumerate(views[:200]):
        found = choose_occluders(generator(9, n), scene, view)
        counts.append(len(found))
        for sprite in found:
            _, y, z = sprite.anchor
            assert not -400 < y < -40 or z > 0, "something stands in the river"
            ahead = sum(
                (a - e) * f for a, e, f in zip(sprite.anchor, view.eye, view.forward, strict=True)
            )
            assert ahead > 0
    assert 0.1 < np.mean(np.array(counts) > 0) < 0.7


def test_nothing_stands_on_open_water(views):
    sea = scene_of(Builder(), stage=STAGE, ground=Ground("water"))
    for n, view in enumerate(views[:100]):
        for sprite in choose_occluders(generator(9, n), sea, view):
            assert sprite.anchor[2] != 0.0


def test_inside_views_stay_in_the_room():
    for n in range(50):
        view = choose_view_inside(generator(10, n), Stage(radius=4, height=3), 90, 60)
        assert abs(view.eye[0]) < 1
        assert -4 < view.eye[1] < 0
        assert 1 < view.eye[2] < 2
