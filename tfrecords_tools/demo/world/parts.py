"""Parts of buildings, put together from the solids of `Builder`. Lengths in metres."""

from __future__ import annotations

import math
from itertools import pairwise

from tfrecords_tools.demo.world.builder import Builder

Profile = list[tuple[float, float]]


def dome(b: Builder, radius: float, height: float, material: str, sides: int = 16) -> None:
    """Half an ellipsoid on z = 0."""
    steps = [0.0, 0.28, 0.56, 0.84, 1.1, 1.32]
    profile = [(radius * math.cos(a), height * math.sin(a)) for a in steps]
    b.lathe([*profile, (0.0, height)], sides, material)


def onion(b: Builder, radius: float, height: float, material: str, sides: int = 12) -> None:
    """A bulbous dome with a point."""
    shape = [(0.78, 0), (1.05, 0.14), (1.08, 0.28), (0.86, 0.45), (0.45, 0.62), (0.14, 0.8), (0, 1)]
    b.lathe([(radius * r, height * z) for r, z in shape], sides, material)


def needle(b: Builder, height: float, material: str, thickness: float = 0.3) -> None:
    """A pole, mast or finial."""
    b.beam((0.0, 0.0, 0.0), (0.0, 0.0, height), thickness, material)


def cross_finial(b: Builder, height: float, material: str) -> None:
    thick = height / 9
    b.beam((0.0, 0.0, 0.0), (0.0, 0.0, height), thick, material)
    b.beam((-height / 4, 0.0, height * 0.68), (height / 4, 0.0, height * 0.68), thick, material)


def column(b: Builder, radius: float, height: float, material: str, sides: int = 7) -> None:
    """A round column with base and capital."""
    b.lathe([(radius, 0.0), (radius * 0.86, height)], sides, material)
    b.at(z=height * 0.94).box(radius * 2.5, radius * 2.5, height * 0.06, material, None)


def colonnade(
    b: Builder, count: int, length: float, radius: float, height: float, material: str
) -> None:
    """Columns in a row along x, centred."""
    for k in range(count):
        x = (k / (count - 1) - 0.5) * length if count > 1 else 0.0
        column(b.at(x=x), radius, height, material)


def pediment(b: Builder, width: float, depth: float, height: float, roof: str, wall: str) -> None:
    """A low gable with a beam under it."""
    beam_height = height * 0.45
    b.box(width, depth, beam_height, wall, None)
    b.at(z=beam_height).gable(width, depth, height, roof, wall)


def steps(b: Builder, width: float, depth: float, height: float, count: int, material: str) -> None:
    """A stepped base; the uppermost step measures width x depth."""
    tread = height / count * 1.6
    for k in range(count):
        grow = 2 * tread * (count - 1 - k)
        b.at(z=height * k / count).box(
            width + grow, depth + grow, height / count, material, material
        )


def merlons(b: Builder, width: float, depth: float, size: float, material: str) -> None:
    """Battlements along the rim of a width x depth block, standing on z = 0."""
    for side, (length, off) in enumerate(((width, depth), (depth, width)) * 2):
        wall = b.at(yaw=side * math.pi / 2)
        count = max(2, round(length / (2 * size)))
        pitch = length / count
        for k in range(count):
            x = (k + 0.5) * pitch - length / 2
            y = -off / 2
            wall.face(
                [(x - pitch / 4, y, 0), (x + pitch / 4, y, 0), (x + pitch / 4, y, size),
                 (x - pitch / 4, y, size)],
                material,
                two_sided=True,
            )  # fmt: skip


def ring_merlons(b: Builder, radius: float, count: int, size: float, material: str) -> None:
    """Battlements on a round tower."""
    for k in range(count):
        a, c = 2 * math.pi * (k - 0.27) / count, 2 * math.pi * (k + 0.27) / count
        (ax, ay), (cx, cy) = ((radius * math.cos(t), radius * math.sin(t)) for t in (a, c))
        b.face([(ax, ay, 0), (cx, cy, 0), (cx, cy, size), (ax, ay, size)], material, two_sided=True)


def statue(b: Builder, height: float, material: str, arm: bool = True) -> None:
    """A standing figure."""
    h = height
    b.lathe([(0.20 * h, 0), (0.13 * h, 0.35 * h), (0.10 * h, 0.5 * h), (0.15 * h, 0.76 * h),
             (0.05 * h, 0.84 * h)], 8, material)  # fmt: skip
    head = [(0.0, 0.83), (0.06, 0.86), (0.075, 0.91), (0.05, 0.97), (0.0, 1.0)]
    b.lathe([(r * h, z * h) for r, z in head], 8, material)
    if arm:
        b.beam((0.12 * h, 0.0, 0.72 * h), (0.27 * h, -0.05 * h, 1.05 * h), 0.07 * h, material)


def arch_wall(
    b: Builder,
    width: float,
    height: float,
    thickness: float,
    openings: list[tuple[float, float, float, float]],
    wall: str,
    *,
    top: str | None = None,
    ends: bool = True,
    segments: int = 8,
) -> None:
    """A wall along x with arches one can see through.

    Args:
        b: frame; the wall stands on z = 0, centred.
        width, height, thickness: of the wall.
        openings: (middle x, width, height of the springing, rise), left to right, apart.
        wall: material of everything.
        top: material of the upper side; None: open.
        ends: close the two ends.
        segments: facets of each arch.
    """
    half = width / 2
    outline = [_arch(opening, segments) for opening in openings]
    piers = [-half, *(x for arch in outline for x in (arch[0][0], arch[-1][0])), half]
    for side in (0, 1):  # front and back, which is the front turned by half a turn
        face = b.at(yaw=side * math.pi)
        sign = -1 if side else 1
        y = -thickness / 2
        frame = ((-half, y, 0.0), (1.0, 0.0, 0.0))

        def panel(points, face=face, frame=frame):
            face.face(points, wall, wall=(0.0, width, height), frame=frame)

        for left, right in zip(piers[::2], piers[1::2], strict=True):
            low, high = sorted((sign * left, sign * right))
            if high - low > 1e-3:
                panel([(low, y, 0), (high, y, 0), (high, y, height), (low, y, height)])
        for arch in outline:
            points = [(sign * x, z) for x, z in arch][::sign]
            for (ax, az), (bx, bz) in pairwise(points):
                panel([(ax, y, az), (bx, y, bz), (bx, y, height), (ax, y, height)])
    t = thickness / 2
    for (middle, gap, spring, _), arch in zip(openings, outline, strict=True):
        left, right = middle - gap / 2, middle + gap / 2
        b.face([(left, -t, 0), (left, t, 0), (left, t, spring), (left, -t, spring)], wall)
        b.face([(right, t, 0), (right, -t, 0), (right, -t, spring), (right, t, spring)], wall)
        for (ax, az), (bx, bz) in pairwise(arch):
            b.face([(ax, -t, az), (ax, t, az), (bx, t, bz), (bx, -t, bz)], wall)
    if ends:
        b.face([(half, -t, 0), (half, t, 0), (half, t, height), (half, -t, height)], wall)
        b.face([(-half, t, 0), (-half, -t, 0), (-half, -t, height), (-half, t, height)], wall)
    if top is not None:
        b.face(
            [(-half, -t, height), (half, -t, height), (half, t, height), (-half, t, height)], top
        )


def _arch(opening: tuple[float, float, float, float], segments: int) -> Profile:
    middle, width, spring, rise = opening
    angles = [math.pi * (1 - k / segments) for k in range(segments + 1)]
    return [(middle + width / 2 * math.cos(a), spring + rise * math.sin(a)) for a in angles]


def house(
    b: Builder, width: float, depth: float, height: float, wall: str, roof: str, style: int
) -> None:
    """An ordinary house; style 0: saddle roof, 1: hipped, 2: flat."""
    b.box(width, depth, height, wall, roof if style == 2 else None)
    if style == 0:
        b.at(z=height).gable(width, depth, width * 0.35, roof, wall, eave=0.4)
    elif style == 1:
        b.at(z=height).hip(width + 0.8, depth + 0.8, width * 0.28, 0.8, roof)
