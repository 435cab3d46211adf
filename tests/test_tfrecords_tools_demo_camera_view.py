"""Projections, against trigonometry and matrices."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrecords_tools.demo.camera.view import along, look, sunlight

angles = st.floats(-3.1, 3.1)


def camera(**changes):
    options = {"field_of_view": 1.0, "roll": 0.0, "width": 120, "height": 90, **changes}
    return look((0.0, -10.0, 2.0), (0.0, 0.0, 2.0), **options)


def pixel(view, point):
    return view.frame(*view.project(np.array([point], float)))


def test_the_target_is_in_the_middle_and_right_is_right():
    view = camera()
    assert pixel(view, (0, 0, 2)) == pytest.approx((60, 45))
    column, row = pixel(view, (1, 0, 3))
    assert column > 60
    assert row < 45, "up is towards row 0"


def test_the_field_of_view_belongs_to_the_longer_side():
    view = camera(field_of_view=1.0)
    edge = 10 * math.tan(0.5)
    assert pixel(view, (edge, 0, 2))[0] == pytest.approx(120)
    upright = camera(field_of_view=1.0, width=90, height=120)
    assert pixel(upright, (0, 0, 2 + edge))[1] == pytest.approx(0)


@settings(max_examples=50, deadline=None)
@given(angles, st.floats(-0.4, 0.4), st.floats(1, 40), st.floats(0, 60))
def test_axes_are_orthonormal_and_right_handed(azimuth, roll, eye_height, target_height):
    eye = (30 * math.sin(azimuth), -30 * math.cos(azimuth), eye_height)
    view = look(eye, (0, 0, target_height), field_of_view=0.8, roll=roll, width=64, height=64)
    axes = np.array([view.right, view.up, view.forward])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(np.cross(view.right, view.forward), view.up, atol=1e-9)
    assert view.up[2] > 0


def test_roll_turns_the_frame():
    flat, rolled = camera(), camera(roll=math.pi / 2)
    np.testing.assert_allclose(rolled.right, flat.up, atol=1e-12)
    np.testing.assert_allclose(rolled.up, np.negative(flat.right), atol=1e-12)


def test_a_vertical_line_of_sight_is_refused():
    with pytest.raises(ValueError, match="straight up or down"):
        look((0, 0, 9), (0, 0, 0), field_of_view=1, roll=0, width=9, height=9)


@settings(max_examples=50, deadline=None)
@given(angles, st.floats(0.05, 1.4))
def test_the_suns_view_is_parallel_and_covers_the_ball(azimuth, elevation):
    c = math.cos(elevation)
    sun = (c * math.cos(azimuth), c * math.sin(azimuth), math.sin(elevation))
    view = sunlight(sun, (1.0, 2.0, 3.0), 20.0, 200)
    base = np.array([1.0, 2.0, 3.0])
    assert pixel(view, base) == pytest.approx((100, 100))
    moved = base + 7 * np.array(sun)
    assert pixel(view, moved) == pytest.approx((100, 100)), "a step towards the sun is invisible"
    edge = base + 20 * np.array(view.right)
    assert pixel(view, edge)[0] == pytest.approx(200)


def test_components_of_a_direction():
    view = camera()
    assert along(view, (2.0, 3.0, 4.0)) == pytest.approx((2.0, 4.0, 3.0))
