"""Vectors of the demo set's meshes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfrecords_tools.demo.world.mesh import cross, dot, newell, subtract, unit

numbers = st.floats(-100, 100)
points = st.tuples(numbers, numbers, numbers)


@given(points, points)
def test_products_agree_with_numpy(a, b):
    np.testing.assert_allclose(cross(a, b), np.cross(a, b), atol=1e-9)
    assert dot(a, b) == pytest.approx(float(np.dot(a, b)), abs=1e-9)
    np.testing.assert_allclose(subtract(a, b), np.subtract(a, b))


def test_unit_vectors():
    assert unit((3.0, 0.0, 4.0)) == pytest.approx((0.6, 0.0, 0.8))
    with pytest.raises(ValueError, match="A zero vector has no direction"):
        unit((0.0, 0.0, 0.0))


@given(st.integers(3, 9), st.floats(-3, 3), st.floats(-1.4, 1.4))
def test_the_normal_points_to_where_the_corners_run_counter_clockwise(count, turn, lean):
    corners = []
    for k in range(count):
        x, y = math.cos(2 * math.pi * k / count), math.sin(2 * math.pi * k / count)
        y, z = y * math.cos(lean), y * math.sin(lean)
        corners.append(
            (x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn), z)
        )
    expected = (math.sin(turn) * math.sin(lean), -math.cos(turn) * math.sin(lean), math.cos(lean))
    np.testing.assert_allclose(newell(corners), expected, atol=1e-9)
    np.testing.assert_allclose(newell(corners[::-1]), np.negative(expected), atol=1e-9)


def test_the_normal_survives_collinear_corners():
    assert newell([(0, 0, 0), (1, 0, 0), (2, 0, 0), (2, 2, 0)]) == pytest.approx((0, 0, 1))
