"""Projections: a perspective camera, and the parallel view of the sun for cast shadows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tfrecords_tools.demo.world.mesh import Point, cross, dot, unit


@dataclass(frozen=True)
class View:
    """A camera, or a parallel view if `eye` is None.

    Attributes:
        right, up, forward: orthonormal directions.
        eye: position of the camera; None: parallel, looking along `forward`.
        centre: point of a parallel view that falls on the middle of the frame.
        scale: focal length in pixels, or pixels per metre of a parallel view.
        width, height: frame in pixels.
    """

    right: Point
    up: Point
    forward: Point
    eye: Point | None
    centre: Point
    scale: float
    width: int
    height: int

    def project(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(P, 3) world points -> components (P,) along right, up and forward, in metres."""
        base = self.eye or self.centre
        x, y, z = (points[:, i] - base[i] for i in range(3))
        return tuple(
            x * axis[0] + y * axis[1] + z * axis[2] for axis in (self.right, self.up, self.forward)
        )

    def frame(self, x, y, z):
        """Components as given by `project` -> pixel coordinates (column, row)."""
        if self.eye is None:
            return self.width / 2 + self.scale * x, self.height / 2 - self.scale * y
        return self.width / 2 + self.scale * x / z, self.height / 2 - self.scale * y / z


def look(
    eye: Point, target: Point, *, field_of_view: float, roll: float, width: int, height: int
) -> View:
    """A camera at `eye` towards `target`; `field_of_view` of the longer side and `roll` in radians.

    Raises:
        ValueError: the line of sight is vertical.
    """
    forward = unit((target[0] - eye[0], target[1] - eye[1], target[2] - eye[2]))
    if math.hypot(forward[0], forward[1]) < 1e-6:
        raise ValueError("A camera that looks straight up or down is not supported.")
    level = unit(cross(forward, (0.0, 0.0, 1.0)))
    top = cross(level, forward)
    c, s = math.cos(roll), math.sin(roll)
    right = tuple(c * a + s * b for a, b in zip(level, top, strict=True))
    up = tuple(c * b - s * a for a, b in zip(level, top, strict=True))
    scale = max(width, height) / 2 / math.tan(field_of_view / 2)
    return View(right, up, forward, eye, eye, scale, width, height)


def sunlight(sun: Point, centre: Point, radius: float, pixels: int) -> View:
    """The view from the sun (unit vector `sun` towards it) on a ball around `centre`."""
    forward = (-sun[0], -sun[1], -sun[2])
    right = unit(cross(forward, (0.0, 0.0, 1.0)))
    up = cross(right, forward)
    return View(right, up, forward, None, centre, pixels / 2 / radius, pixels, pixels)


def along(view: View, direction: Point) -> tuple[float, float, float]:
    """Components of a direction along right, up and forward of a view."""
    return dot(direction, view.right), dot(direction, view.up), dot(direction, view.forward)
