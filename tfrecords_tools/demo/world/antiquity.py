"""Arches, amphitheatres, monuments and pyramids.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math
from itertools import pairwise

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Braces, Material, Posts, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


def triumphal_arch(kit: Kit) -> Landmark:
    """A free-standing arch with one or three openings, attic and perhaps a sculpture."""
    u, b = kit.u, kit.b
    three = kit.chance(0.5)
    width, height, deep = u(18, 26) if three else u(13, 19), u(15, 23), u(6, 9)
    main = width * (0.24 if three else u(0.34, 0.44))
    spring = height * u(0.3, 0.42)
    openings = [(0.0, main, spring, main / 2)]
    if three:
        small = main * 0.55
        off = width * 0.3
        low = spring * 0.65
        openings = [(-off, small, low, small / 2), *openings, (off, small, low, small / 2)]
    post = width / kit.pick([3, 4, 6])
    attic = Band(-height * 0.24, 0.7, 1.25)
    panel = Row(-height * 0.19, height * 0.12, post * 0.7, post, kind="niche")
    wall = kit.wall(
        "wall", Posts(post, 1.1, 1.15, top=height * 0.24), attic, panel, Band(-0.9, 0.9)
    )
    parts.arch_wall(b, width, height, deep, openings, wall, top=wall, segments=10)
    up = b.at(z=height)
    crown = kit.pick(["none", "block", "statue", "quadriga"])
    bronze = kit.plain("bronze", kit.pick([(96, 150, 130), (110, 84, 56), (205, 168, 80)]))
    up.box(width * 1.04, deep * 1.06, 0.8, wall, wall)
    if crown == "block":
        up.at(z=0.8).box(width * 0.6, deep * 0.8, u(2, 4), wall, wall)
    elif crown == "statue":
        parts.statue(up.at(z=0.8), u(5, 8), bronze)
    elif crown == "quadriga":
        for k in range(4):
            horse = up.at(x=(k - 1.5) * 1.6, y=-1, z=0.8)
            horse.box(0.9, 2.8, 2.0, bronze, bronze)
            horse.at(y=-1.6, z=1.6).box(0.6, 0.9, 1.6, bronze, bronze)
        parts.statue(up.at(y=1.6, z=0.8), 5, bronze)

    stage = Stage(
        radius=width * 0.7,
        height=height + 5,
        sights=(((0, -deep / 2, height * 0.8), width * 0.8), ((0, 0, height * 0.5), main * 2)),
        sector=(kit.pick([0.0, 0.0, math.pi]), 1.25),
    )
    return Landmark(stage, Ground(kit.pick(["asphalt", "grass"]), "cobble", width * u(1, 2)))


def amphitheatre(kit: Kit) -> Landmark:
    """An oval ring of arcades in storeys, part of it broken down."""
    u, b = kit.u, kit.b
    radius, squash, storey = u(26, 36), u(0.72, 1.0), u(5.2, 7)
    storeys, sides = kit.n(2, 4), 28
    bay = u(4.2, 5.6)
    arches = Row(0.4, storey * 0.72, bay * 0.6, bay, "round", storeys=0, pitch=storey, kind="dark")
    bands = tuple(Band(storey * k - 0.6, 0.6, 1.25) for k in range(1, storeys + 1))
    outer = kit.wall("outer", arches, Posts(bay, 0.7, 1.12), *bands)
    inner = kit.define("inner", Material(kit.toned(0.85), "stripes", 1.2, second=kit.toned(0.68)))
    rim = kit.wall("rim")
    height = storey * storeys
    broken = kit.n(0, 9) if kit.chance(0.65) else 0
    start = kit.n(0, sides - 1)
    wedges = [2 * math.pi * k / sides for k in range(sides + 1)]
    thick, floor = u(5, 8), u(0.45, 0.6)
    around = 0.0
    total = sum(
        math.dist(*((radius * math.cos(a), radius * squash * math.sin(a)) for a in pair))
        for pair in pairwise(wedges)
    )
    for k, (a, c) in enumerate(pairwise(wedges)):
        gone = (k - start) % sides < broken
        top = height - (storey if gone else 0)
        ring = [(math.cos(t), math.sin(t) * squash) for t in (a, c)]
        (ax, ay), (cx, cy) = [(x * radius, y * radius) for x, y in ring]
        (bx, by), (dx, dy) = [(x * (radius - thick), y * (radius - thick)) for x, y in ring]
        (ex, ey), (fx, fy) = [(x * radius * floor, y * radius * floor) for x, y in ring]
        b.face([(ax, ay, 0), (cx, cy, 0), (cx, cy, top), (ax, ay, top)], outer,
               wall=(around, total, height))  # fmt: skip
        around += math.dist((ax, ay), (cx, cy))
        b.face([(ax, ay, top), (cx, cy, top), (dx, dy, top), (bx, by, top)], rim)
        b.face([(dx, dy, top * 0.8), (bx, by, top * 0.8), (bx, by, top), (dx, dy, top)], rim)
        low = 1.5
        b.face([(fx, fy, 0), (ex, ey, 0), (ex, ey, low), (fx, fy, low)], rim)
        b.face([(fx, fy, low), (ex, ey, low), (bx, by, top * 0.8), (dx, dy, top * 0.8)], inner)
        for one, two, sign in (((ax, ay), (bx, by), 1), ((cx, cy), (dx, dy), -1)):
            before, after = (k - 1 - start) % sides < broken, (k + 1 - start) % sides < broken
            if not gone and (before if sign == 1 else after):
                b.face([(*one, top - storey), (*two, top - storey), (*two, top), (*one, top)],
                       rim, two_sided=True)  # fmt: skip
    stage = Stage(
        radius=radius,
        height=height,
        sights=(((0, -radius * squash, height * 0.5), height * 1.4),),
        sector=(u(-3, 3), 2.4),
        eye=(1.6, 35.0),
        reach=(0.75, 1.8),
    )
    return Landmark(stage, Ground(kit.pick(["grass", "cobble"]), "sand", radius * floor))


def monument(kit: Kit) -> Landmark:
    """An obelisk, a column with a statue, a figure, a rotunda or a pair of wings on a plinth."""
    u = kit.u
    stone = kit.wall("stone", Band(-0.5, 0.5))
    kit.plain("bronze", kit.pick([(90, 146, 126), (104, 80, 56), (212, 172, 70), (70, 70, 66)]))
    side = u(8, 14)
    parts.steps(kit.b, side, side, u(1.2, 3), kit.n(3, 5), stone)
    plinth, height = side * u(0.4, 0.6), u(3, 6)
    panel = Row(0.8, height * 0.55, plinth * 0.6, kind="niche")
    kit.b.at(z=2).box(plinth, plinth, height, kit.wall("relief", panel, Band(-0.6, 0.6)), stone)
    z = 2 + height
    form = kit.pick([_obelisk, _honorary_column, _figure, _rotunda, _wings])
    top = form(kit, z, plinth)
    stage = Stage(
        radius=side * 0.8,
        height=top,
        sights=(((0, 0, top - 4), 9), ((0, 0, z * 0.7), 9)),
        sector=(u(-3, 3), 2.4),
        reach=(1.1, 2.8),
    )
    return Landmark(stage, Ground(kit.pick(["cobble", "grass"]), "paving", u(14, 30)))


def _obelisk(kit: Kit, z: float, plinth: float) -> float:
    tall, reach = kit.u(18, 34), plinth * 0.42
    profile = [(reach, 0), (reach * 0.62, tall), (0, tall * 1.09)]
    kit.b.at(z=z).lathe(profile, 4, "stone", smooth=False, turn=math.pi / 4)
    return z + tall * 1.1


def _honorary_column(kit: Kit, z: float, plinth: float) -> float:
    tall, radius = kit.u(14, 26), plinth * 0.3
    shaft = kit.wall("shaft", Posts(0.8, 0.2, 0.8), Band(-1, 1))
    kit.b.at(z=z).lathe([(radius, 0), (radius * 0.85, tall)], 14, shaft)
    top = kit.b.at(z=z + tall)
    top.box(radius * 2.8, radius * 2.8, 1, "stone", "stone", bottom="stone")
    parts.statue(top.at(z=1), kit.u(4, 6), "bronze")
    return z + tall + 6


def _figure(kit: Kit, z: float, plinth: float) -> float:
    tall = kit.u(12, 22)
    parts.statue(kit.b.at(z=z), tall, "bronze")
    return z + tall


def _rotunda(kit: Kit, z: float, plinth: float) -> float:
    count, radius, tall = kit.n(6, 10), plinth * 0.85, kit.u(7, 10)
    for k in range(count):
        a = 2 * math.pi * k / count
        at = kit.b.at(x=radius * math.cos(a), y=radius * math.sin(a), z=2)
        parts.column(at, 0.5, tall, "stone")
    ring = kit.b.at(z=2 + tall)
    shape = [(radius * 0.8, 0), (radius * 1.15, 0), (radius * 1.15, 1.4)]
    ring.lathe(shape, 16, "stone", top="stone")
    parts.dome(ring.at(z=1.4), radius * 1.05, radius * kit.u(0.6, 1), kit.roofing(), 16)
    return 3 + tall + radius


def _wings(kit: Kit, z: float, plinth: float) -> float:
    tall, w = kit.u(16, 28), plinth * 0.4
    for sign in (-1, 1):
        for y in (-w / 2, w / 2):
            feather = [(sign * 0.3, y, z), (sign * w * 3, y, z + tall * 0.5),
                       (sign * w * 1.2, 0, z + tall)]  # fmt: skip
            kit.b.face(feather, "stone", two_sided=True)
    parts.statue(kit.b.at(z=z), tall * 0.5, "bronze", arm=False)
    return z + tall


def pyramid(kit: Kit) -> Landmark:
    """A smooth, stepped or glass pyramid."""
    u, b = kit.u, kit.b
    base, tall = u(30, 46), u(20, 32)
    kind = kit.pick(["stepped", "smooth", "glass", "stepped"])
    stone = kit.wall("stone", Band(-0.6, 0.6, 0.85))
    if kind == "stepped":
        count = kit.n(5, 9)
        for k in range(count):
            side = base * (1 - 0.82 * k / count)
            b.at(z=tall * k / count).box(side, side, tall / count, stone, stone)
        stair = kit.define(
            "stair", Material(kit.toned(1.1), "stripes", 0.8, second=kit.toned(0.75))
        )
        for quarter in (0, 2, 1, 3)[: kit.pick([1, 2, 4])]:
            at = b.at(yaw=quarter * math.pi / 2)
            w, run = base * 0.1, base / 2 * 1.06
            near = base * 0.09 + 0.5
            at.face([(-w, -run, 0), (w, -run, 0), (w, -near, tall), (-w, -near, tall)], stair)
            at.face([(w, -run, 0), (w, -near, 0), (w, -near, tall)], stone)
            at.face([(-w, -near, 0), (-w, -run, 0), (-w, -near, tall)], stone)
        house = kit.wall("house", Row(0, 3.4, 1.4, 3, kind="dark"), Band(-1.4, 1.0, 1.2))
        b.at(z=tall).box(base * 0.17, base * 0.15, u(5, 7), house, stone)
    elif kind == "smooth":
        flank = kit.define("flank", Material(kit.toned(1.0), "blocks", 1.2, 2.4, 0.22))
        b.hip(base, base, tall, 1, flank)
        side = base * u(0.3, 0.5)
        b.at(x=base * u(0.7, 0.9), y=u(-8, 14)).hip(side, side, side * 0.65, 1, flank)
        door = kit.wall("temple", Row(0, 3, 1.6, 3.2, kind="dark"), Band(-0.8, 0.8))
        b.at(y=-base * 0.62).box(u(10, 16), 6, 5, door, stone)
    else:
        pane = Material((120, 146, 156), "glass", 2.2, 2.2, 0.16, (220, 222, 220),
                        (Braces(u(3, 4.5), 0.2),))  # fmt: skip
        b.hip(base * 0.8, base * 0.8, tall * 0.75, 1, kit.define("pane", pane))
        for sign in (-1, 1):
            b.at(x=sign * base * 0.62, y=-4).hip(6, 6, 4, 1, "pane")
        hall = kit.wall(
            "hall", Row(1.5, 3.2, 1.5, 4, "round", storeys=2, pitch=5, frame=0.3), Band(-1, 1)
        )
        b.at(y=base * 0.9).box(base * 1.7, 10, 12, hall, kit.roofing())
    stage = Stage(
        radius=base * (0.95 if kind == "glass" else 0.75),
        height=tall + 5,
        sights=(((0, -base * 0.25, tall * 0.6), tall), ((0, 0, tall), tall * 0.6)),
        sector=(u(-0.6, 0.6), 2.0),
    )
    ground = (
        Ground("paving", "paving", 0) if kind == "glass" else Ground(kit.pick(["sand", "grass"]))
    )
    return Landmark(stage, ground)


BUILDERS = {
    "triumphal_arch": triumphal_arch,
    "amphitheatre": amphitheatre,
    "monument": monument,
    "pyramid": pyramid,
}
