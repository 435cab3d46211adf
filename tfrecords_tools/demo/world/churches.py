"""Churches.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Disc, Posts, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


def cathedral(kit: Kit) -> Landmark:
    """A nave with aisles and transept, one or two west towers, perhaps a crossing tower."""
    u, b = kit.u, kit.b
    width, length, eave = u(12, 17), u(38, 58), u(14, 21)
    pointed = "pointed" if kit.chance(0.7) else "round"
    bay = u(4.5, 6.5)
    roof = kit.roofing()
    tall = Row(eave * 0.35, eave * 0.48, bay * 0.34, bay, pointed, frame=0.25)
    side = kit.wall("nave", tall, Posts(bay, 0.9, 1.15), Band(-0.8, 0.8))
    low = kit.wall("aisle", Row(2.0, 4.0, bay * 0.3, bay, pointed), Posts(bay, 1.0, 1.15))
    portal = Row(0, 6.5, 4.0, shape=pointed, kind="dark", frame=0.8)
    front = kit.wall(
        "front", portal, Disc(eave * 0.72, width * 0.19), Band(eave * 0.5, 0.6), Posts(width, 1.4)
    )
    back = kit.wall("back", Row(4, eave * 0.6, 1.6, 4.2, pointed, frame=0.3), Band(2.5, 0.5))
    b.box(width, length, eave, [front, side, back, side], None)
    gable = width * u(0.55, 0.95)
    b.at(z=eave).gable(width, length, gable, roof, front)
    aisle = u(4, 6)
    for sign in (-1, 1):
        at = b.at(x=sign * (width + aisle) / 2, y=1.5)
        at.box(aisle, length - 6, eave * 0.48, low, roof)
    if kit.chance(0.75):
        arms = b.at(y=length * 0.18)
        span = width + 2 * aisle + u(5, 10)
        arms.box(span, width * 0.8, eave, [side, back, side, back], None)
        arms.at(z=eave, yaw=math.pi / 2).gable(width * 0.8, span, gable * 0.8, roof, back)
    apse = b.at(y=length / 2)
    apse.lathe([(width * 0.42, 0), (width * 0.42, eave * 0.8)], 12, low)
    apse.at(z=eave * 0.8).lathe([(width * 0.46, 0), (0, gable * 0.7)], 12, roof)
    top = _west_towers(kit, width, length, eave, pointed)
    if kit.chance(0.45):
        crossing = b.at(y=length * 0.18, z=eave)
        size = width * 0.5
        lantern = kit.wall("lantern", Row(gable, 4.5, 1.2, 2.6, pointed), Band(-0.6, 0.6))
        crossing.box(size, size, gable + 7, lantern, None)
        spire = u(6, 22)
        crossing.at(z=gable + 7).lathe([(size * 0.6, 0), (0, spire)], 8, roof, smooth=False)
        top = max(top, eave + gable + 7 + spire)
    stage = Stage(
        radius=length * 0.62,
        height=top,
        sights=(((0, -length / 2, eave * 0.6), width), ((0, -length / 2, top * 0.8), top * 0.4)),
        sector=(u(-0.9, 0.9), u(1.5, 2.2)),
    )
    return Landmark(stage, Ground("cobble", "paving", length))


def _west_towers(kit: Kit, width: float, length: float, eave: float, shape: str) -> float:
    """Towers at the front of a nave; returns the height of the highest."""
    u = kit.u
    size, tall = u(6.5, 9), eave * u(1.5, 2.2)
    belfry = Row(-7.5, 5.5, 1.5, 3.0, shape, kind="dark", frame=0.3)
    lower = Row(4, 4, 1.2, shape=shape, storeys=0, pitch=u(6, 9), clear=11)
    tower = kit.wall("tower", lower, belfry, Band(-9, 0.6), Band(-1.0, 1.0), Posts(size, 1.4))
    manner = kit.pick(["spire", "flat", "hip", "bulb", "spire"])
    height = u(9, 24)
    xs = kit.pick([(-1, 1), (-1, 1), (0,), (1,)])
    highest = 0.0
    for place, x in enumerate(xs):
        grow = 1.0 if place == 0 or kit.chance(0.6) else u(0.7, 0.9)
        offset = x * (width / 2 + size * 0.2)
        at = kit.b.at(x=offset, y=-length / 2 - (size * 0.25 if x else size * 0.48))
        at.box(size, size, tall * grow, tower, "roof")
        up = at.at(z=tall * grow)
        if manner == "spire":
            up.lathe([(size * 0.55, 0), (0, height)], 8, "roof", smooth=False, turn=math.pi / 8)
        elif manner == "hip":
            up.hip(size + 0.8, size + 0.8, height * 0.6, 1, "roof")
        elif manner == "bulb":
            parts.onion(up, size * 0.45, height * 0.7, "roof")
        else:
            parts.merlons(up, size, size, 1.3, tower)
        highest = max(highest, tall * grow + (0 if manner == "flat" else height * 0.7))
    return highest


def basilica(kit: Kit) -> Landmark:
    """A block with portico under a great dome on a drum."""
    u, b = kit.u, kit.b
    width, depth, height = u(24, 40), u(24, 38), u(11, 17)
    roof = kit.roofing()
    bay = u(4, 5.5)
    rows = (
        Row(2.2, 3.6, 1.5, bay, kit.pick(["rect", "round"]), frame=0.3),
        Row(height * 0.6, 2.4, 1.5, bay, "rect", frame=0.3),
    )
    walls = kit.wall("walls", *rows, Posts(bay, 0.7), Band(-1.2, 1.2), Band(height * 0.5, 0.5))
    b.box(width, depth, height, walls, roof)
    marble = kit.plain("marble", kit.toned(1.12))
    portico_width = width * u(0.4, 0.7)
    count = kit.n(4, 8)
    porch = b.at(y=-depth / 2 - 3)
    parts.colonnade(porch.at(y=-2), count, portico_width - 2, 0.75, height * 0.8, marble)
    porch.box(portico_width, 7, 0.8, marble, marble)
    parts.pediment(porch.at(z=height * 0.8), portico_width, 7.5, u(3.5, 5.5), roof, marble)
    radius = min(width, depth) * u(0.26, 0.38)
    drum = kit.wall(
        "drum", Row(1.5, u(3.5, 5), 1.4, u(2.8, 3.6), "round", frame=0.3), Posts(3.2, 0.8, 1.2),
        Band(-0.8, 0.8),
    )  # fmt: skip
    drum_height = u(6, 10)
    up = b.at(y=u(-1, depth * 0.15), z=height)
    up.lathe([(radius * 1.12, 0), (radius * 1.12, 1.2), (radius, 1.2)], 20, "walls")
    up.lathe([(radius, 1.2), (radius, drum_height)], 20, drum)
    shell = kit.roofing("shell", Posts(radius * 0.78, 0.5, 1.25))
    dome_height = radius * u(0.85, 1.5)
    parts.dome(up.at(z=drum_height), radius * 1.04, dome_height, shell, 20)
    lamp = up.at(z=drum_height + dome_height * 0.98)
    lamp.lathe([(radius * 0.16, 0), (radius * 0.16, 3.2), (0, 5.5)], 8, marble)
    parts.cross_finial(lamp.at(z=5.2), 3.0, marble)
    corners = kit.pick([None, "towers", "cupolas"])
    for sx in (-1, 1):
        for sy in (-1,) if corners == "towers" else (-1, 1):
            if corners is None:
                continue
            at = b.at(x=sx * (width / 2 - 3), y=sy * (depth / 2 - 3), z=height)
            tall = u(7, 9) if corners == "towers" else 2.5
            at.box(5, 5, tall, drum, roof)
            parts.dome(at.at(z=tall), 2.6, 3.2, shell, 10)
    top = height + drum_height + dome_height + 6
    stage = Stage(
        radius=max(width, depth) * 0.7,
        height=top,
        sights=(((0, -depth / 2, height * 0.6), portico_width), ((0, 0, top - 12), radius * 2.6)),
        sector=(u(-0.7, 0.7), u(1.5, 2.3)),
    )
    return Landmark(stage, Ground("grass", "paving", width * u(1.0, 1.6)))


def onion_church(kit: Kit) -> Landmark:
    """A cluster of drums with onion domes in several colours."""
    u, b = kit.u, kit.b
    size, height = u(13, 20), u(9, 15)
    zakomara = Row(-4.5, 4.2, 4.0, 4.8, "round", kind="niche")
    walls = kit.wall("walls", zakomara, Row(3, 4, 1.1, 4.8, "round", frame=0.35), Posts(4.8, 0.7))
    b.box(size, size * u(1.0, 1.5), height, walls, kit.roofing())
    gold = kit.plain("gold", kit.pick([(214, 170, 60), (70, 130, 190), (60, 140, 100)]))
    swirl = kit.striped(
        "swirl", period=u(0.6, 1.1), second=kit.pick([(230, 210, 120), (40, 90, 160)])
    )
    drum = kit.wall("drum", Row(1.2, 3.2, 0.8, 1.9, "round"), Band(-0.6, 0.6, 1.3))
    spots = kit.pick([
        [(-1, -1), (1, -1), (-1, 1), (1, 1)],
        [(-1, 0), (1, 0), (0, -1), (0, 1)],
        [(-1, -1), (1, -1), (0, 1)],
    ])  # fmt: skip
    central = u(6, 15)
    domes = [(0.0, 0.0, u(2.6, 3.6), central)]
    domes += [
        (x * size * 0.32, y * size * 0.34, u(1.7, 2.4), central * u(0.35, 0.7)) for x, y in spots
    ]
    top = height
    for number, (x, y, radius, tall) in enumerate(domes):
        at = b.at(x=x, y=y, z=height)
        at.lathe([(radius, 0), (radius, tall)], 12, drum)
        bulb = radius * u(2.0, 2.8)
        parts.onion(at.at(z=tall), radius * 1.15, bulb, gold if number % 2 == 0 else swirl)
        parts.cross_finial(at.at(z=tall + bulb * 0.97), 2.2, gold)
        top = max(top, height + tall + bulb)
    if kit.chance(0.6):
        bell = b.at(x=kit.pick([-1, 1]) * size * u(0.9, 1.2), y=-size * 0.3)
        tower = kit.wall("bells", Row(-4.5, 3.4, 1.3, 2.4, "round", kind="dark"), Band(-6, 0.5))
        bell.lathe([(3, 0), (3, height * 1.5)], 8, tower, smooth=False)
        bell.at(z=height * 1.5).lathe([(3.4, 0), (0.6, 6), (0, 8)], 8, "roof", smooth=False)
    stage = Stage(
        radius=size * 1.2,
        height=top,
        sights=(((0, 0, top - 6), 12), ((0, -size / 2, height * 0.5), size * 0.8)),
        sector=(u(-3, 3), 2.6),
    )
    return Landmark(stage, Ground(kit.pick(["grass", "cobble"]), "paving", size))


BUILDERS = {
    "cathedral": cathedral,
    "basilica": basilica,
    "onion_church": onion_church,
}
