"""Polygon meshes: flat convex faces with surface coordinates, and the vectors they need.

World frame: metres, z up, the ground at z = 0. A face lists its corners counter-clockwise as seen
from outside. Its surface coordinates (u, v), in metres, start at `origin`: u runs along the lower
edge, v up the face; textures live in them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Point = tuple[float, float, float]


@dataclass(slots=True)
class Face:
    """A flat convex polygon.

    Attributes:
        points: at least three corners, counter-clockwise seen from outside.
        material: key of the scene's material table.
        normal, offset: the plane is {p: normal . p = offset}; `normal` has unit length.
        origin, along, up: frame of the surface coordinates.
        width, height: extent of the whole wall that the face belongs to, in metres.
        axis: (x, y) of the vertical axis if the face is part of a round body, which is then
            shaded as if it were smooth.
        landmark: False for surroundings.
        two_sided: visible from both sides (thin parts).
    """

    points: tuple[Point, ...]
    material: str
    normal: Point
    offset: float
    origin: Point
    along: Point
    up: Point
    width: float
    height: float
    axis: tuple[float, float] | None = None
    landmark: bool = True
    two_sided: bool = False


@dataclass(slots=True)
class Sprite:
    """Flat shapes that always face the viewer: foliage, people, lamps.

    Attributes:
        anchor: world position.
        shapes: each (tint, coordinates) with the tint an sRGB colour 0..255 and the coordinates,
            metres right and up of the anchor, either a polygon ((x, y), ...) or an ellipse
            (centre x, centre y, radius x, radius y).
        light: light of its own, 0..1 (lamps at night).
    """

    anchor: Point
    shapes: tuple[tuple[tuple[float, float, float], tuple], ...]
    light: float = 0.0


def subtract(a: Point, b: Point) -> Point:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def cross(a: Point, b: Point) -> Point:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def unit(a: Point) -> Point:
    length = math.sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])
    if length < 1e-12:
        raise ValueError("A zero vector has no direction.")
    return (a[0] / length, a[1] / length, a[2] / length)


def dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def newell(points: list[Point]) -> Point:
    """Unit normal of a polygon, robust to collinear corners."""
    x = y = z = 0.0
    for (ax, ay, az), (bx, by, bz) in zip(points, points[1:] + points[:1], strict=True):
        x += (ay - by) * (az + bz)
        y += (az - bz) * (ax + bx)
        z += (ax - bx) * (ay + by)
    return unit((x, y, z))
