"""Clock towers, lighthouses and towers of iron.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math
from itertools import pairwise

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Disc, Material, Posts, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


def clock_tower(kit: Kit) -> Landmark:
    """A campanile with clock and belfry beside a low hall."""
    u, b = kit.u, kit.b
    size, tall = u(6, 9.5), u(34, 58)
    shape = kit.pick(["round", "pointed", "rect"])
    belfry = Row(-7, 5, size * 0.18, size * 0.29, shape, kind="dark", frame=0.25, margin=0.8)
    clock = Disc(-size * 0.5 - 8.5, size * 0.3, "clock")
    slits = Row(6, 2.2, 0.6, size / 2.2, shape, storeys=0, pitch=u(5, 9), clear=size + 14)
    features = (slits, belfry, clock, Band(-8, 0.6), Band(-1, 1), Posts(size, 1.2))
    if kit.chance(0.3):
        shaft = kit.striped("shaft", *features, period=u(1, 2.2), second=kit.toned(0.62))
    else:
        shaft = kit.wall("shaft", *features)
    b.box(size, size, tall, shaft, kit.roofing())
    up = b.at(z=tall)
    up.box(size * 1.16, size * 1.16, 1.2, shaft, "roof")
    up = up.at(z=1.2)
    cap = kit.pick(["pyramid", "spire", "dome", "lantern", "merlons"])
    extra = u(6, 16)
    if cap == "pyramid":
        up.hip(size * 1.1, size * 1.1, extra, 1, "roof")
    elif cap == "spire":
        up.lathe([(size * 0.5, 0), (0, extra * 1.3)], 8, "roof", smooth=False)
    elif cap == "dome":
        parts.onion(up, size * 0.42, extra, "roof")
    elif cap == "lantern":
        lamp = kit.wall("lantern", Row(0.8, 3.4, 1.1, 2.2, "round", kind="dark"))
        up.lathe([(size * 0.4, 0), (size * 0.4, 5)], 8, lamp, smooth=False)
        up.at(z=5).lathe([(size * 0.46, 0), (0, extra * 0.6)], 8, "roof", smooth=False)
    else:
        parts.merlons(up, size * 1.1, size * 1.1, 1.5, shaft)
    alone = kit.chance(0.25)
    if not alone:
        rows = (Row(1, 4, 2.6, 4.4, shape, kind="dark"), Row(7, 2.6, 1.4, 4.4, frame=0.3))
        hall = kit.wall("hall", *rows, Band(5.8, 0.5), Band(-0.8, 0.8))
        w, d = u(18, 34), u(12, 18)
        at = b.at(x=kit.pick([-1, 1]) * (w / 2 + size * 0.3), y=u(2, 8))
        at.box(w, d, 12, hall, None)
        at.at(z=12).hip(w + 1, d + 1, u(3, 5), 0.7, "roof")
    stage = Stage(
        radius=size * 1.2 if alone else 24,
        height=tall + extra,
        sights=(((0, 0, tall - 8), size * 2.2), ((0, 0, tall), size * 3)),
        sector=(u(-0.9, 0.9), 2.0),
    )
    return Landmark(stage, Ground("cobble", "paving", u(25, 45), tint=kit.toned(0.8)))


def lighthouse(kit: Kit) -> Landmark:
    """A tapering tower with gallery and lantern on a rock by the sea."""
    u, b = kit.u, kit.b
    tall, base = u(20, 36), u(3.6, 5.4)
    sides = kit.pick([16, 16, 8, 6])
    second = kit.pick([(196, 52, 44), (50, 56, 70), kit.toned(0.7)])
    slits = Row(4, 1.6, 0.7, base * 2.2, storeys=0, pitch=5, clear=4)
    if kit.chance(0.65):
        shaft = kit.striped("shaft", slits, period=u(2.5, 6), second=second)
    else:
        shaft = kit.wall("shaft", slits, Band(-3, 1.5, colour=second))
    rock_radius, rise = u(16, 26), u(2, 5)
    rock = kit.define("rock", Material((112, 106, 96), "rough"))
    b.surroundings().lathe([(rock_radius, 0), (rock_radius * 0.8, rise)], 11, rock, top=rock)
    up = b.at(z=rise)
    top_radius = base * u(0.55, 0.75)
    smooth = sides > 8
    up.lathe([(base, 0), (top_radius, tall)], sides, shaft, smooth=smooth)
    iron = kit.plain("iron", second)
    gallery = up.at(z=tall)
    gallery.lathe([(top_radius, -0.8), (top_radius * 1.5, 0), (top_radius * 1.5, 1.1)], sides, iron,
                  smooth=smooth, top=iron)  # fmt: skip
    glass = kit.define("lamp", Material((190, 200, 200), "glass", 1.2, 0.9, 0.1, glow=0.0))
    lamp = gallery.at(z=1.1)
    lamp.lathe([(top_radius * 0.75, 0), (top_radius * 0.75, 2.8)], 10, glass)
    parts.dome(lamp.at(z=2.8), top_radius * 0.85, top_radius * 0.7, iron, 10)
    parts.needle(lamp.at(z=2.8 + top_radius * 0.6), 2.5, iron, 0.25)
    house = kit.wall("house", Row(1.2, 1.6, 1, 2.6, frame=0.15))
    side = kit.pick([-1, 1])
    at = up.at(x=side * u(6, 9), y=u(-3, 3), yaw=u(-0.5, 0.5))
    parts.house(at, u(5, 7), u(8, 11), u(3.5, 6), house, kit.roofing(), kit.n(0, 1))
    stage = Stage(
        radius=14,
        height=tall + rise + 6,
        sights=(((0, 0, rise + tall), 9), ((0, 0, rise + tall * 0.7), 15)),
        sector=(u(-3, 3), 2.2),
        reach=(1.0, 2.8),
        keep_out=rock_radius * 1.35,
    )
    return Landmark(stage, Ground("water", "sand", rock_radius * u(1.0, 1.3)))


def lattice_tower(kit: Kit) -> Landmark:
    """A tower of iron bars on four legs."""
    u, b = kit.u, kit.b
    tall, foot, bend = u(60, 95), u(13, 20), u(1.6, 3.2)
    iron = kit.plain(
        "iron", kit.pick([(112, 92, 76), (170, 74, 60), (120, 124, 130), (86, 88, 86)])
    )
    levels = kit.n(6, 9)
    cuts = [(k / levels) ** 0.85 for k in range(levels + 1)]
    half = [foot * (1 - t) ** bend + 1.1 for t in cuts]
    z = [tall * t for t in cuts]
    normals = ((0, -1, 0), (1, 0, 0), (0, 1, 0), (-1, 0, 0))
    corners = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    for k in range(levels):
        a, c = half[k], half[k + 1]
        for side in range(4):
            (px, py), (qx, qy) = corners[side], corners[(side + 1) % 4]
            low_p, low_q = (px * a, py * a, z[k]), (qx * a, qy * a, z[k])
            high_p, high_q = (px * c, py * c, z[k + 1]), (qx * c, qy * c, z[k + 1])
            b.beam(low_p, high_p, max(0.6, 0.12 * a), iron)
            normal = normals[side]
            b.beam(high_p, high_q, 0.7, iron, normal)
            if k:
                b.beam(low_p, high_q, 0.45, iron, normal)
                b.beam(low_q, high_p, 0.45, iron, normal)
    decks = sorted({kit.n(1, 2), kit.n(3, levels - 2)})
    for k in decks:
        deck = b.at(z=z[k])
        deck.box(2 * half[k] + 2.5, 2 * half[k] + 2.5, 1.8, iron, iron)
    cabin = kit.define("cabin", Material((90, 100, 110), "glass", 1.5, 1.2, 0.1))
    b.at(z=tall).lathe([(1.5, 0), (2.2, 1), (2.2, 3.5)], 8, cabin, top=iron)
    parts.needle(b.at(z=tall + 3.5), u(5, 14), iron, 0.5)
    arches = kit.chance(0.6)
    if arches:
        for side in range(4):
            at = b.at(yaw=side * math.pi / 2)
            _iron_arch(at, half[0] * 0.92, z[1] * 0.95, -half[0] * 0.97, -half[1], iron)
    stage = Stage(
        radius=foot * 1.3,
        height=tall + 10,
        sights=(((0, 0, z[1]), foot * 1.8), ((0, 0, tall * 0.9), 22)),
        sector=(u(-3, 3), 2.6),
        reach=(0.9, 2.0),
    )
    return Landmark(stage, Ground("grass", "paving", foot * 1.2))


def _iron_arch(at, half, height, y_low, y_high, iron) -> None:
    points = [(half * math.cos(a), height * math.sin(a)) for a in
              (math.pi * k / 8 for k in range(9))]  # fmt: skip
    for (ax, az), (bx, bz) in pairwise(points):
        ay, by = (y_low + (y_high - y_low) * z / height for z in (az, bz))
        at.beam((ax, ay, az), (bx, by, bz), 0.8, iron, (0, -1, 0))


BUILDERS = {
    "clock_tower": clock_tower,
    "lighthouse": lighthouse,
    "lattice_tower": lattice_tower,
}
