"""Castles, gates and towers. Each function adds one landmark to `kit.b`."""

from __future__ import annotations

import math

from tfrecords_tools.demo import parts
from tfrecords_tools.demo.kit import Kit, Landmark
from tfrecords_tools.demo.materials import Band, Braces, Disc, Material, Posts, Row
from tfrecords_tools.demo.scene import Ground, Stage
import itertools


def castle(kit: Kit) -> Landmark:
    """Curtain walls with corner towers and a keep, perhaps on a hill."""
    u, b = kit.u, kit.b
    rise = kit.pick([0.0, 0.0, u(6, 14)])
    width, depth, height = u(30, 48), u(26, 44), u(8, 12)
    if rise:
        rock = kit.define("rock", Material(kit.pick([(120, 116, 92), (110, 120, 74)]), "rough"))
        reach = math.hypot(width, depth) * 0.5
        b.surroundings().lathe([(reach * 1.75, 0), (reach * 1.12, rise)], 14, rock, top=rock)
    up = b.at(z=rise)
    gate = Row(0, 5, 3.6, shape="round", kind="dark", frame=0.5)
    slits = Row(height * 0.55, 1.4, 0.4, u(5, 8), kind="dark")
    wall = kit.wall("wall", slits, Band(-1.2, 0.4, 0.85))
    front = kit.wall("front", gate, slits, Band(-1.2, 0.4, 0.85))
    for side, (length, off) in enumerate(((width, depth), (depth, width)) * 2):
        at = up.at(yaw=side * math.pi / 2).at(y=-off / 2)
        at.box(length, 2.2, height, front if side == 0 else wall, wall)
        parts.merlons(at.at(z=height), length, 2.2, 1.2, wall)
    roof = kit.roofing()
    conical, is_round = kit.chance(0.5), kit.chance(0.65)
    tower = kit.wall("tower", Row(height * 0.6, 1.6, 0.5, 4.5, storeys=2, pitch=4, kind="dark"))
    radius, tall = u(3.2, 4.6), height * u(1.25, 1.7)
    for number, (x, y) in enumerate(((-1, -1), (1, -1), (1, 1), (-1, 1))):
        at = up.at(x=x * width / 2, y=y * depth / 2)
        grown = tall * (1.35 if number == 2 and kit.chance(0.5) else 1.0)
        _castle_tower(at, radius, grown, is_round, conical, tower, roof)
    keep_height = height * u(1.9, 2.8)
    keep = kit.wall("keep", Row(4, 2, 0.9, 3.4, "round", storeys=0, pitch=5, clear=3, frame=0.2))
    at = up.at(x=u(-0.2, 0.2) * width, y=u(-0.05, 0.25) * depth)
    side = u(9, 14)
    at.box(side, side * u(0.8, 1.3), keep_height, keep, roof)
    if kit.chance(0.5):
        parts.merlons(at.at(z=keep_height), side, side, 1.4, keep)
    else:
        at.at(z=keep_height).hip(side + 1, side * 1.3, u(4, 9), 0.8, roof)
    top = rise + keep_height + 6
    stage = Stage(
        radius=max(width, depth) * 0.75,
        height=top,
        sights=(((0, -depth / 2, rise + 4), 16), ((0, 0, top - 8), 22)),
        sector=(u(-0.8, 0.8), 2.4),
        eye=(1.6, 18.0 + rise),
        keep_out=math.hypot(width, depth) * 0.5 * (1.9 if rise else 1.2),
    )
    return Landmark(stage, Ground("grass", "grass", 0))


def _castle_tower(at, radius, tall, is_round, conical, wall, roof) -> None:
    sides = 14 if is_round else 4
    turn = 0.0 if is_round else math.pi / 4
    reach = radius if is_round else radius * 1.25
    at.lathe([(reach, 0), (reach, tall)], sides, wall, smooth=is_round, top=roof, turn=turn)
    if conical:
        cap = [(reach * 1.15, tall), (0, tall + radius * 2.2)]
        at.lathe(cap, sides, roof, smooth=is_round, turn=turn)
        return
    rim = [(reach, tall - 1.6), (reach * 1.12, tall - 0.8), (reach * 1.12, tall)]
    at.lathe(rim, sides, wall, smooth=is_round, turn=turn)
    parts.ring_merlons(at.at(z=tall), reach * 1.1, 9, 1.2, wall)


def city_gate(kit: Kit) -> Landmark:
    """A gatehouse between two towers, with a passage through it."""
    u, b = kit.u, kit.b
    span, height, deep = u(9, 13), u(11, 17), u(6, 9)
    wall = kit.wall(
        "wall", Row(height * 0.62, 2.6, 1.1, u(2.4, 3.4), "round", frame=0.2), Band(-1, 1)
    )
    parts.arch_wall(
        b, span, height, deep, [(0, span * 0.45, height * 0.28, span * 0.22)], wall, top=wall
    )
    roof = kit.roofing()
    is_round = kit.chance(0.6)
    radius, tall = u(3.4, 5), height * u(1.2, 1.7)
    openings = Row(4, 1.8, 0.8, 3, storeys=0, pitch=4.4, clear=3, frame=0.15)
    tower = kit.wall("tower", openings, Band(height * 0.5, 0.5), Band(-0.8, 0.8))
    cap = kit.pick(["cone", "merlons", "dome", "bell"])
    for sign in (-1, 1):
        at = b.at(x=sign * (span / 2 + radius * 0.8))
        sides = 16 if is_round else kit.pick([4, 8])
        turn = 0 if is_round else math.pi / sides
        at.lathe([(radius * 1.1, 0), (radius, 3), (radius, tall)], sides, tower, smooth=is_round,
                 turn=turn, top=roof)  # fmt: skip
        up = at.at(z=tall)
        if cap == "cone":
            up.lathe([(radius * 1.15, 0), (0, u(7, 11))], sides, roof, smooth=is_round, turn=turn)
        elif cap == "dome":
            parts.dome(up, radius * 1.05, radius * 1.1, roof)
        elif cap == "bell":
            up.lathe([(radius * 1.15, 0), (radius * 0.6, 3), (radius * 0.45, 6), (0, 9)], 16, roof)
        else:
            parts.ring_merlons(up, radius, 8, 1.3, tower)
    middle = b.at(z=height)
    manner = kit.pick(["gable", "hip", "merlons"])
    if manner == "gable":
        middle.gable(span, deep, span * 0.45, roof, wall)
    elif manner == "hip":
        middle.hip(span + 1, deep + 1, u(4, 7), 0.7, roof)
    else:
        parts.merlons(middle, span, deep, 1.3, wall)
    low = kit.wall("city_wall", Band(-1, 0.4, 0.85))
    for sign in (-1, 1):
        run = u(8, 20)
        at = b.at(x=sign * (span / 2 + radius * 1.6 + run / 2))
        at.box(run, 2.4, height * 0.5, low, low)
        parts.merlons(at.at(z=height * 0.5), run, 2.4, 1.1, low)
    stage = Stage(
        radius=span * 1.5,
        height=tall + 9,
        sights=(((0, -deep / 2, height * 0.5), span), ((span * 0.6, 0, tall), 12)),
        sector=(kit.pick([0.0, math.pi]), 1.3),
    )
    return Landmark(stage, Ground("cobble", "paving", 12))


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
    if kit.chance(0.75):
        hall = kit.wall("hall", Row(1, 4, 2.6, 4.4, shape, kind="dark"), Row(7, 2.6, 1.4, 4.4, frame=0.3),
                        Band(5.8, 0.5), Band(-0.8, 0.8))  # fmt: skip
        w, d = u(18, 34), u(12, 18)
        at = b.at(x=kit.pick([-1, 1]) * (w / 2 + size * 0.3), y=u(2, 8))
        at.box(w, d, 12, hall, None)
        at.at(z=12).hip(w + 1, d + 1, u(3, 5), 0.7, "roof")
    stage = Stage(
        radius=24,
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
    for (ax, az), (bx, bz) in itertools.pairwise(points):
        ay, by = (y_low + (y_high - y_low) * z / height for z in (az, bz))
        at.beam((ax, ay, az), (bx, by, bz), 0.8, iron, (0, -1, 0))


def skyscraper(kit: Kit) -> Landmark:
    """A glass tower: set back, tapered, twisted, round or sliced."""
    u, b = kit.u, kit.b
    tall, size = u(70, 120), u(18, 26)
    colour = kit.pick(
        [(92, 122, 140), (70, 92, 104), (128, 150, 160), (96, 110, 96), (110, 100, 92)]
    )
    frame = kit.pick([(214, 216, 214), (60, 64, 70), kit.stone])
    extra = kit.pick([(), (Braces(u(8, 14), 0.5, frame),), (Posts(u(3, 6), 0.7, colour=frame),),
                      (Band(-6, 3, colour=frame),)])  # fmt: skip
    lights = Row(1, 2.2, 2.0, 2.6, storeys=0, pitch=3.6, clear=2)
    glass = Material(colour, "glass", u(3, 4.2), u(1.6, 3.5), 0.12, frame, (lights, *extra))
    kit.define("glass", glass)
    roof = kit.plain("roof", (120, 122, 124))
    form = kit.pick(["setback", "taper", "twist", "round", "twin", "wedge"])
    if form == "setback":
        z, side = 0.0, size
        for share in (u(0.35, 0.5), u(0.25, 0.35), u(0.15, 0.25)):
            b.at(z=z).box(side, side * 0.9, tall * share, "glass", roof)
            z += tall * share
            side *= u(0.65, 0.8)
        parts.needle(b.at(z=z), u(8, 24), roof, 1.0)
    elif form == "taper":
        sides = kit.pick([4, 6, 8])
        b.lathe([(size * 0.75, 0), (size * u(0.15, 0.5), tall)], sides, "glass", smooth=False,
                top=roof, turn=math.pi / sides)  # fmt: skip
    elif form == "twist":
        floors, turn = 9, u(0.05, 0.11)
        for k in range(floors):
            at = b.at(z=tall * k / floors, yaw=turn * k)
            at.box(size * (1 - 0.02 * k), size * (1 - 0.02 * k), tall / floors, "glass", roof)
    elif form == "round":
        b.lathe([(size * 0.5, 0), (size * 0.58, tall * 0.4), (size * 0.4, tall * 0.85),
                 (size * 0.12, tall)], 18, "glass", top=roof)  # fmt: skip
    elif form == "twin":
        gap = size * u(0.6, 0.8)
        for sign in (-1, 1):
            b.at(x=sign * gap).box(
                size * 0.8, size * 0.8, tall * (1 if sign < 0 else u(0.8, 1)), "glass", roof
            )
        b.at(z=tall * u(0.4, 0.6)).box(2 * gap, 4, 5, "glass", roof)
    else:
        x, y, low = size / 2, size * 0.45, tall * u(0.6, 0.8)
        b.box(size, size * 0.9, low, "glass", None)
        up = b.at(z=low)
        rest = tall - low
        up.face([(-x, -y, 0), (x, -y, 0), (-x, -y, rest)], "glass", wall=(0, size, rest))
        up.face([(x, y, 0), (-x, y, 0), (-x, y, rest)], "glass", wall=(0, size, rest))
        up.face([(-x, y, 0), (-x, -y, 0), (-x, -y, rest), (-x, y, rest)], "glass")
        up.face([(x, -y, 0), (x, y, 0), (-x, y, rest), (-x, -y, rest)], "glass")
    podium = kit.wall("podium", Row(0.5, 5, 3, 4.2, kind="window"), Band(-0.8, 0.8))
    b.at(y=u(-6, 6), x=u(-8, 8)).box(size * 1.8, size * 1.5, u(5, 8), podium, roof)
    stage = Stage(
        radius=size,
        height=tall,
        sights=(((0, 0, tall * 0.85), tall * 0.35), ((0, 0, tall * 0.2), tall * 0.3)),
        sector=(u(-3, 3), 2.2),
        eye=(1.6, 40.0),
        reach=(0.8, 2.0),
    )
    return Landmark(stage, Ground("asphalt", "paving", size * 1.6))


BUILDERS = {
    "castle": castle,
    "city_gate": city_gate,
    "clock_tower": clock_tower,
    "lighthouse": lighthouse,
    "lattice_tower": lattice_tower,
    "skyscraper": skyscraper,
}
