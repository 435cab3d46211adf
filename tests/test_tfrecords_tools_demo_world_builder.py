"""Solids: closed, of the right size and volume, with surface coordinates in metres."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.demo_checks import view_from, wrong_side_share
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.mesh import Sprite


def volume(b: Builder) -> float:
    """By the divergence theorem: a third of the sum of offset times area."""
    total = 0.0
    for face in b.faces:
        p = np.array(face.points)
        area = sum(
            np.linalg.norm(np.cross(p[k] - p[0], p[k + 1] - p[0])) / 2 for k in range(1, len(p) - 1)
        )
        total += face.offset * area / 3
    return total


def test_a_box_has_its_volume_wherever_it_stands():
    for place in ((0, 0, 0, 0), (5, -3, 2, 0.7)):
        b = Builder()
        b.at(*place).box(2, 3, 4, "wall", "top", bottom="top")
        assert volume(b) == pytest.approx(24)
        assert len(b.faces) == 6


def test_the_front_of_a_box_faces_minus_y():
    b = Builder()
    b.box(2, 2, 2, ["front", "right", "back", "left"], None)
    normals = {face.material: face.normal for face in b.faces}
    assert normals["front"] == pytest.approx((0, -1, 0))
    assert normals["right"] == pytest.approx((1, 0, 0))
    assert normals["back"] == pytest.approx((0, 1, 0))
    assert normals["left"] == pytest.approx((-1, 0, 0))


def test_frames_nest():
    b = Builder()
    inner = b.at(x=10, yaw=math.pi / 2).at(x=2, z=1, yaw=math.pi / 2)
    assert inner.world((1, 0, 0)) == pytest.approx((9, 2, 1))
    inner.surroundings().box(1, 1, 1, "wall", None)
    inner.box(1, 1, 1, "wall", None)
    assert [face.landmark for face in b.faces] == [False] * 4 + [True] * 4


def test_a_round_body_comes_near_its_volume():
    b = Builder()
    b.lathe([(0, 0), (3, 0), (3, 5), (0, 9)], 64, "wall")
    exact = math.pi * 9 * 5 + math.pi * 9 * 4 / 3
    assert volume(b) == pytest.approx(exact, rel=0.005)
    assert {face.axis for face in b.faces} == {(0.0, 0.0)}


def test_a_squashed_body_is_an_ellipse_and_not_shaded_round():
    b = Builder()
    b.lathe([(0, 0), (4, 0), (4, 2)], 64, "wall", top="top", squash=0.5)
    assert volume(b) == pytest.approx(math.pi * 4 * 2 * 2, rel=0.005)
    assert {face.axis for face in b.faces} == {None}


@pytest.mark.parametrize("inset", [0.3, 0.9, 1.0])
def test_a_hipped_roof_has_the_volume_of_a_frustum(inset):
    b = Builder()
    b.hip(6, 8, 3, inset, "roof")
    keep = 1 - inset
    base, top = 48, 48 * keep * keep
    assert volume(b) == pytest.approx(3 / 3 * (base + top + math.sqrt(base * top)))


def test_a_saddle_roof_is_half_a_box_and_its_eaves_follow_the_slope():
    b = Builder()
    b.box(6, 8, 1, "wall", None, bottom="wall")
    b.at(z=1).gable(6, 8, 3, "roof", "wall")
    assert volume(b) == pytest.approx(48 + 72)
    wide = Builder()
    wide.gable(6, 8, 3, "roof", None, eave=1.0)
    lowest = min(p for face in wide.faces for p in face.points)
    assert lowest == pytest.approx((-4, -4, -1))


@pytest.mark.parametrize("azimuth", [0.0, 1.1, 2.6, -0.8])
def test_solids_show_their_outsides(azimuth):
    b = Builder()
    b.box(8, 6, 4, "wall", None)
    b.at(z=4).gable(8, 6, 3, "roof", "wall")
    b.at(x=8).lathe([(2, 0), (2, 9), (2.6, 9), (0, 14)], 9, "wall")
    b.at(x=-8).hip(4, 4, 5, 1, "roof")
    assert wrong_side_share(b, view_from(azimuth, 40, 6)) == 0
    for face in b.faces:
        face.normal = tuple(-c for c in face.normal)
        face.offset = -face.offset
    assert wrong_side_share(b, view_from(azimuth, 40, 6)) > 0.5


def test_surface_coordinates_are_metres_from_the_lower_left():
    b = Builder()
    b.at(x=3, y=-2, yaw=0.4).box(6, 2, 5, ["front", None, None, None], None)
    (face,) = b.faces
    across = [np.dot(np.subtract(p, face.origin), face.along) for p in face.points]
    above = [np.dot(np.subtract(p, face.origin), face.up) for p in face.points]
    np.testing.assert_allclose(across, [0, 6, 6, 0], atol=1e-9)
    np.testing.assert_allclose(above, [0, 0, 5, 5], atol=1e-9)
    assert (face.width, face.height) == pytest.approx((6, 5))


def test_the_coordinates_of_a_round_wall_run_on_around_it():
    b = Builder()
    b.lathe([(5, 0), (5, 3)], 12, "wall")
    chord = 10 * math.sin(math.pi / 12)
    starts = sorted(np.dot(np.subtract(f.points[0], f.origin), f.along) for f in b.faces)
    np.testing.assert_allclose(starts, [k * chord for k in range(12)], atol=1e-9)
    assert {round(f.width, 6) for f in b.faces} == {round(12 * chord, 6)}


def test_pieces_of_a_wall_share_its_coordinates():
    b = Builder()
    frame = ((-4.0, 0.0, 0.0), (1.0, 0.0, 0.0))
    b.face([(0, 0, 2), (4, 0, 3), (4, 0, 5), (0, 0, 5)], "wall", wall=(0, 8, 5), frame=frame)
    (face,) = b.faces
    first = np.subtract(face.points[0], face.origin)
    assert (np.dot(first, face.along), np.dot(first, face.up)) == pytest.approx((4, 2))
    assert (face.width, face.height) == (8, 5)


def test_a_bar_is_seen_from_every_side():
    b = Builder()
    b.beam((0, 0, 0), (0, 0, 10), 1.0, "iron")
    b.beam((0, 0, 0), (3, 0, 4), 0.5, "iron", (0, -1, 0))
    assert [face.two_sided for face in b.faces] == [True] * 3
    assert abs(np.dot(b.faces[0].normal, b.faces[1].normal)) < 1e-9
    assert abs(b.faces[2].normal[1]) == pytest.approx(1)
    assert b.faces[2].width == pytest.approx(5)


def test_sprites_move_with_the_frame():
    b = Builder()
    b.at(x=2, yaw=math.pi).sprite(Sprite((1.0, 0.0, 0.5), ()))
    assert b.sprites[0].anchor == pytest.approx((1, 0, 0.5))
