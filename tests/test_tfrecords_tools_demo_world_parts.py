"""Parts of buildings: closed, of the stated size; arches are open."""

from __future__ import annotations

import numpy as np
import pytest

from tests.demo_checks import scene_of, view_from, wrong_side_share
from tfrecords_tools.demo.camera.raster import draw_ids
from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.builder import Builder

PARTS = {
    "dome": (lambda b: parts.dome(b, 4, 5, "m"), 4, 5),
    "onion": (lambda b: parts.onion(b, 4, 9, "m"), 4.4, 9),
    "column": (lambda b: parts.column(b, 1, 8, "m"), 1.8, 8),
    "colonnade": (lambda b: parts.colonnade(b, 5, 12, 0.5, 6, "m"), 6.7, 6),
    "pediment": (lambda b: parts.pediment(b, 12, 6, 4, "m", "m"), 6.8, 5.8),
    "steps": (lambda b: parts.steps(b, 6, 6, 3, 4, "m"), 9.33, 3),
    "statue": (lambda b: parts.statue(b, 6, "m"), 1.83, 6.4),
    "house": (lambda b: parts.house(b, 8, 6, 5, "m", "m", 0), 5.4, 7.8),
    "hipped house": (lambda b: parts.house(b, 8, 6, 5, "m", "m", 1), 5.7, 7.3),
    "flat house": (lambda b: parts.house(b, 8, 6, 5, "m", "m", 2), 5.1, 5),
}


@pytest.mark.parametrize("name", PARTS)
def test_parts_are_closed_and_of_their_size(name):
    make, radius, height = PARTS[name]
    b = Builder()
    make(b)
    corners = np.array([p for face in b.faces for p in face.points])
    assert np.sqrt((corners[:, :2] ** 2).sum(axis=1)).max() == pytest.approx(radius, rel=0.06)
    assert corners[:, 2].max() == pytest.approx(height, rel=0.04)
    for azimuth in (0.0, 0.9, 2.5):
        # From a little below the top: undersides and tops of open bodies count.
        assert wrong_side_share(b, view_from(azimuth, 30, height * 0.6)) <= 0.01


def test_one_can_see_through_an_arch_and_not_through_the_wall():
    b = Builder()
    parts.arch_wall(b, 20, 10, 3, [(-5, 4, 3, 2), (5, 4, 3, 2)], "m", top="m")
    ids = draw_ids(scene_of(b), view_from(0.0, 40, 4, target=4, pixels=120), []).ids
    row = np.flatnonzero((ids >= 0).any(axis=1))
    level = ids[row[3 * len(row) // 4]]
    drawn = np.flatnonzero(level >= 0)
    gaps = np.flatnonzero(np.diff(drawn) > 1)
    assert len(gaps) == 2, "two openings"
    high = ids[row[2]]
    drawn = np.flatnonzero(high >= 0)
    assert (np.diff(drawn) == 1).all(), "closed above the arches"


def test_the_inside_of_an_arch_is_a_wall_and_the_outside_is_not_inside_out():
    b = Builder()
    parts.arch_wall(b, 12, 9, 5, [(0, 5, 3, 2.5)], "m", top="m")
    for azimuth in (0.0, 0.5, -0.6, 3.0, 1.4):
        assert wrong_side_share(b, view_from(azimuth, 30, 2)) <= 0.01


def test_arches_keep_their_springing_and_rise():
    b = Builder()
    parts.arch_wall(b, 10, 9, 2, [(1, 4, 3, 1.5)], "m")
    heights = [p[2] for f in b.faces for p in f.points if abs(p[0] - 1) < 1e-6]
    assert min(heights) == pytest.approx(4.5)
    jambs = {round(p[0], 6) for f in b.faces for p in f.points if abs(p[2] - 3) < 1e-6}
    assert {-1.0, 3.0} <= jambs


def test_battlements_run_along_the_rim():
    b = Builder()
    parts.merlons(b, 12, 8, 1.0, "m")
    assert len(b.faces) == 2 * (6 + 4)
    for face in b.faces:
        for x, y, _ in face.points:
            assert abs(abs(x) - 6) < 1e-6 or abs(abs(y) - 4) < 1e-6
    ring = Builder()
    parts.ring_merlons(ring, 5, 9, 1.0, "m")
    assert len(ring.faces) == 9


def test_masts_and_crosses_stand_upright():
    b = Builder()
    parts.needle(b, 7, "m")
    parts.cross_finial(b, 3, "m")
    assert max(p[2] for f in b.faces for p in f.points) == pytest.approx(7)
    assert len(b.faces) == 6
