"""Palaces and town halls.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Disc, Posts, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


def palace(kit: Kit) -> Landmark:
    """A long front with wings and a raised middle."""
    u, b = kit.u, kit.b
    width, depth, height = u(46, 70), u(12, 16), u(11, 16)
    bay = u(3.2, 4.4)
    storey = height / kit.n(2, 3)
    shape = kit.pick(["rect", "round"])
    windows = Row(1.1, storey * 0.55, bay * 0.36, bay, shape, storeys=0, pitch=storey, frame=0.22)
    extras = (Posts(bay, 0.5),) if kit.chance(0.5) else (Band(storey, 0.4), Band(2 * storey, 0.4))
    walls = kit.wall("walls", windows, *extras, Band(-0.9, 0.9, 1.2))
    mansard = kit.roofing("roof", Row(0.7, 1.7, 1.1, bay * 1.3, "round", frame=0.2))
    tall_roof = u(3, 6.5)
    b.box(width, depth, height, walls, None)
    b.at(z=height).hip(width + 0.6, depth + 0.6, tall_roof, u(0.25, 0.6), mansard)
    wing_depth = depth + u(6, 18)
    for sign in (-1, 1):
        wing = b.at(x=sign * (width / 2 - 4), y=-(wing_depth - depth) / 2)
        tall = height * u(1.0, 1.15) if sign < 0 else height * 1.05
        wing.box(11, wing_depth, tall, walls, None)
        wing.at(z=tall).hip(11.6, wing_depth + 0.6, tall_roof * 1.2, 0.5, mansard)
    middle = b.at(y=-depth / 2 + 1)
    wide = u(11, 17)
    door = Row(0, 4.2, 2.2, wide / 3, "round", kind="dark", frame=0.3)
    upper = Row(storey + 1, storey * 0.6, 1.6, wide / 3, shape, frame=0.3)
    centre = kit.wall("centre", door, upper, Posts(wide / 3, 0.8), Band(-1, 1, 1.25))
    middle.box(wide, 7, height * 1.15, centre, "roof")
    crown = kit.pick(["pediment", "dome", "pavilion"])
    up = middle.at(z=height * 1.15)
    top = height * 1.15 + tall_roof
    if crown == "pediment":
        parts.pediment(up, wide + 0.8, 8, u(3, 4.5), "roof", centre)
    elif crown == "dome":
        radius = wide * 0.36
        up.lathe([(radius, 0), (radius, 2.6)], 16, centre)
        parts.dome(up.at(z=2.6), radius * 1.05, radius * u(1, 1.5), kit.roofing("cupola"), 16)
        top += radius * 1.5
    else:
        up.hip(wide + 0.8, 8, u(6, 9), 0.55, "roof")
        parts.needle(up.at(z=7), 5, "roof", 0.3)
        top += 5
    stage = Stage(
        radius=width * 0.52,
        height=top,
        sights=(((0, -depth / 2, height * 0.7), wide * 1.5), ((-width / 2, -8, height * 0.6), 16)),
        sector=(0.0, u(1.2, 1.7)),
        reach=(0.8, 1.7),
    )
    return Landmark(stage, Ground("grass", "sand", u(30, 55)))


def town_hall(kit: Kit) -> Landmark:
    """A gabled hall over an arcade with a belfry at one end or in the middle."""
    u, b = kit.u, kit.b
    width, depth, height = u(22, 36), u(13, 18), u(11, 15)
    bay = u(3.4, 4.6)
    shape = kit.pick(["pointed", "round", "rect"])
    arcade = Row(0, 4, bay * 0.66, bay, kit.pick(["round", "pointed"]), kind="dark")
    upper = Row(6, height * 0.3, bay * 0.36, bay, shape, frame=0.25)
    walls = kit.wall("walls", arcade, upper, Band(4.9, 0.5), Band(-0.8, 0.8))
    back = kit.wall("back", Row(1.4, 2.2, 1.2, bay, storeys=0, pitch=4, frame=0.2, clear=1))
    roof = kit.roofing("roof", Row(1.5, 1.4, 1.1, 6.5, frame=0.2))
    b.box(width, depth, height, [walls, back, back, walls], None)
    stepped = kit.chance(0.5)
    peak = depth * u(0.5, 0.8)
    turned = b.at(z=height, yaw=math.pi / 2)
    turned.gable(depth, width, peak, roof, back)
    if stepped:
        for end in (-1, 1):
            for k in range(4):
                share = 1 - k / 4
                at = turned.at(y=end * width / 2, z=peak * k / 4 - 0.2)
                at.box(depth * share, 0.8, peak / 4 + 1.0, back, back)
    place = kit.pick([0.0, -0.38, 0.38])
    size, tall = u(5.5, 7.5), height * u(2.0, 3.0)
    clock = Disc(-size * 0.5 - 5.5, size * 0.3, "clock")
    belfry = Row(-4.6, 3.6, 1.1, 2.2, shape, kind="dark", frame=0.2)
    tower = kit.wall(
        "tower", belfry, clock, Row(6, 2.4, 1, storeys=0, pitch=5, clear=13), Band(-5.4, 0.4)
    )
    at = b.at(x=place * width, y=-depth / 2 + size * 0.3)
    at.box(size, size, tall, tower, "roof")
    up = at.at(z=tall)
    cap = kit.pick(["spire", "bulb", "corner", "pyramid"])
    if cap == "corner":
        for x in (-1, 1):
            for y in (-1, 1):
                turret = up.at(x=x * size * 0.45, y=y * size * 0.45, z=-2)
                turret.lathe([(0.9, 0), (0.9, 3.4), (0, 6.4)], 8, ["tower", "roof"], smooth=False)
    if cap == "bulb":
        parts.onion(up, size * 0.46, u(7, 10), "roof")
    else:
        sides = 8 if cap == "spire" else 4
        reach = size * (0.5 if sides == 8 else 0.74)
        up.lathe([(reach, 0), (0, u(8, 14))], sides, "roof", smooth=False, turn=math.pi / sides)
    stage = Stage(
        radius=width * 0.65,
        height=tall + 9,
        sights=(((place * width, -depth / 2, tall * 0.85), 15), ((0, -depth / 2, 5), width * 0.6)),
        sector=(u(-0.4, 0.4), u(1.3, 1.9)),
    )
    return Landmark(stage, Ground("cobble", "paving", u(25, 45), tint=kit.toned(0.85)))


BUILDERS = {
    "palace": palace,
    "town_hall": town_hall,
}
