"""Brute-force visibility: the nearest convex polygon along a ray, in plain Python."""

from __future__ import annotations


def hit(origin, direction, polygon):
    """Distance along `direction` to a convex polygon ((x, y, z), ...), or None."""
    a, b, c = polygon[0], polygon[1], polygon[2]
    u = [b[i] - a[i] for i in range(3)]
    v = [c[i] - a[i] for i in range(3)]
    normal = _cross(u, v)
    along = _dot(normal, direction)
    if abs(along) < 1e-12:
        return None
    t = _dot(normal, [a[i] - origin[i] for i in range(3)]) / along
    if t <= 1e-6:
        return None
    point = [origin[i] + t * direction[i] for i in range(3)]
    sign = 0
    for k in range(len(polygon)):
        p, q = polygon[k], polygon[(k + 1) % len(polygon)]
        edge = [q[i] - p[i] for i in range(3)]
        side = _dot(normal, _cross(edge, [point[i] - p[i] for i in range(3)]))
        if abs(side) < 1e-12:
            continue
        if sign == 0:
            sign = 1 if side > 0 else -1
        elif (side > 0) != (sign > 0):
            return None
    return t


def nearest(origin, direction, polygons):
    """(number, distance) of the nearest polygon along a ray, or (None, None)."""
    best, distance = None, None
    for number, polygon in enumerate(polygons):
        t = hit(origin, direction, polygon)
        if t is not None and (distance is None or t < distance):
            best, distance = number, t
    return best, distance


def _cross(a, b):
    return [
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    ]


def _dot(a, b):
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
