"""Churches, mosques, pagodas and temples. Each function adds one landmark to `kit.b`."""

from __future__ import annotations

import math

from tfrecords_tools.demo import parts
from tfrecords_tools.demo.kit import Kit, Landmark
from tfrecords_tools.demo.materials import Band, Disc, Material, Posts, Row
from tfrecords_tools.demo.scene import Ground, Stage


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


def mosque(kit: Kit) -> Landmark:
    """A domed hall with half domes and two to six minarets."""
    u, b = kit.u, kit.b
    size, height = u(22, 34), u(10, 15)
    bay = u(3.4, 5)
    windows = Row(2, 3, 1.2, bay, "pointed", frame=0.2)
    walls = kit.wall("walls", windows, Row(height * 0.62, 2.2, 1, bay, "round"), Band(-0.7, 0.7))
    b.box(size, size, height, walls, kit.roofing("roof", colour=(140, 146, 152)))
    shell = kit.roofing("shell", colour=kit.roof)
    radius = size * u(0.27, 0.36)
    drum = kit.wall("drum", Row(0.5, 2.4, 0.9, 2.0, "round"))
    tall = u(3, 6)
    up = b.at(z=height)
    up.lathe([(radius, 0), (radius, tall)], 20, drum)
    dome_height = radius * u(0.8, 1.2)
    parts.dome(up.at(z=tall), radius * 1.03, dome_height, shell, 20)
    parts.needle(up.at(z=tall + dome_height), 3, shell, 0.35)
    if kit.chance(0.7):
        for k in range(4):
            half = b.at(yaw=k * math.pi / 2).at(y=-size * 0.3, z=height)
            parts.dome(half, radius * 0.55, radius * 0.5, shell, 12)
    gate = b.at(y=-size / 2 - 2)
    iwan = Row(0, height * 0.95, 5.5, shape="pointed", kind="dark", frame=0.9)
    tile = kit.pick([(64, 116, 160), (60, 140, 140), (180, 160, 120)])
    gate_wall = kit.wall("gate", iwan, Band(-1.6, 1.2, colour=tile), Posts(11, 1.2, colour=tile))
    gate.box(11, 4, height * 1.3, gate_wall, "roof")
    top = _minarets(kit, size, height)
    stage = Stage(
        radius=size * 0.85,
        height=max(top, height + tall + dome_height),
        sights=(((0, -size / 2, height * 0.7), 13), ((0, 0, height + tall), radius * 2.5)),
        sector=(u(-0.8, 0.8), 2.2),
    )
    return Landmark(stage, Ground(kit.pick(["paving", "sand"]), "paving", size * 2))


def _minarets(kit: Kit, size: float, height: float) -> float:
    u = kit.u
    tall, radius = height * u(2.2, 3.4), u(1.1, 1.6)
    shaft = kit.wall("shaft", Band(-3, 0.5), Row(4, 1.2, 0.4, storeys=0, pitch=6, clear=6))
    balconies = kit.n(1, 3)
    corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)][: kit.pick([2, 4, 4])]
    reach = size / 2 + u(0, 3)
    for x, y in corners:
        at = kit.b.at(x=x * reach, y=y * reach)
        at.lathe([(radius * 1.5, 0), (radius * 1.5, height * 0.6), (radius, height * 0.75),
                  (radius * 0.85, tall)], 10, shaft)  # fmt: skip
        for k in range(balconies):
            ring = at.at(z=tall * (1 - 0.16 * (k + 0.4)))
            ring.lathe(
                [(radius, 0), (radius * 1.7, 0.7), (radius * 1.7, 1.6)], 10, shaft, top=shaft
            )
        at.at(z=tall).lathe([(radius, 0), (0, tall * 0.14)], 10, "shell")
    return tall * 1.14


def pagoda(kit: Kit) -> Landmark:
    """Storeys that shrink upwards, each under a flared roof."""
    u, b = kit.u, kit.b
    sides = kit.pick([4, 4, 6, 8])
    storeys, radius, storey = kit.n(3, 8), u(7, 11), u(3.4, 5)
    shrink, flare = u(0.84, 0.93), u(1.35, 1.6)
    red = kit.pick([(150, 52, 42), (120, 70, 48), kit.stone])
    roof = kit.roofing(colour=kit.pick([(70, 84, 80), (84, 90, 104), (52, 96, 76), (150, 96, 60)]))
    wall = kit.define(
        "wall",
        Material(
            red, "planks", size=0.5, contrast=0.1,
            features=(Row(0.8, storey * 0.45, 1.1, 2.2, kit.pick(["rect", "round"])),
                      Band(-0.5, 0.5, 0.7)),
        ),
    )  # fmt: skip
    stone = kit.wall("base")
    turn = math.pi / sides
    parts.steps(b, radius * 2.6, radius * 2.6, 2.4, 3, stone)
    z = 2.4
    for _ in range(storeys):
        at = b.at(z=z)
        at.lathe([(radius, 0), (radius, storey)], sides, wall, smooth=False, turn=turn)
        eaves = [
            (radius * flare, storey - 0.6),
            (radius * 1.12, storey + 0.5),
            (radius * shrink * 0.95, storey + 1.5),
        ]
        at.lathe(eaves, sides, roof, smooth=False, turn=turn)
        z += storey + 0.7
        radius *= shrink
        storey *= 0.95
    b.at(z=z + 0.6).lathe(
        [(radius * 1.3, -0.8), (0.25, 2.5), (0, 4)], sides, roof, smooth=False, turn=turn
    )
    parts.needle(b.at(z=z + 3), u(3, 8), kit.plain("gold", (190, 150, 60)), 0.5)
    stage = Stage(
        radius=16,
        height=z + 8,
        sights=(((0, 0, z * 0.8), 16), ((0, 0, 6), 16)),
        sector=(u(-3, 3), 2.4),
    )
    return Landmark(stage, Ground("grass", "sand", u(16, 28)))


def temple(kit: Kit) -> Landmark:
    """A classical temple: columns all around a cella, on steps; perhaps a ruin."""
    u, b = kit.u, kit.b
    across, deep = kit.n(4, 8), kit.n(7, 13)
    gap, height = u(2.6, 3.4), u(8, 12)
    width, depth = (across - 1) * gap, (deep - 1) * gap
    stone = kit.wall("stone")
    base = u(1.5, 5)
    parts.steps(b, width + 3, depth + 3, base, kit.n(3, 5), stone)
    up = b.at(z=base)
    ruin = kit.chance(0.4)
    shaft = kit.wall("shaft", Posts(0.5, 0.12, 0.8), tone=1.06)
    for sign in (-1, 1):
        parts.colonnade(up.at(y=sign * depth / 2), across, width, 0.62, height, shaft)
        for k in range(1, deep - 1):
            if ruin and sign == 1 and k > deep * 0.6:
                continue
            side = up.at(x=sign * width / 2, y=(k / (deep - 1) - 0.5) * depth)
            parts.column(side, 0.62, height, shaft)
    frieze = kit.wall("frieze", Posts(1.1, 0.35, 0.8), Band(-0.4, 0.4), tone=1.05)
    roof = kit.roofing()
    if not ruin:
        door = Row(0, height * 0.7, 3, kind="dark", frame=0.4)
        cella = kit.wall("cella", door)
        up.box(width - 4, depth - 5, height, cella, None)
        parts.pediment(up.at(z=height), width + 2, depth + 2, u(3, 4.5), roof, frieze)
    else:
        up.at(z=height, y=-depth / 2 + 1).box(width + 2, 3, 2, frieze, frieze)
        up.at(z=height, x=-width / 2).box(2, depth, 1.4, frieze, frieze)
        up.at(z=height + 2, y=-depth / 2 + 1).gable(width + 2, 3, u(3, 4.5), frieze, frieze)
        up.box(width - 5, depth * 0.4, height * 0.5, stone, stone)
    return Landmark(_temple_stage(kit, width, depth, base + height), Ground("grass", "sand", depth))


def _temple_stage(kit: Kit, width: float, depth: float, height: float) -> Stage:
    return Stage(
        radius=depth * 0.6,
        height=height + 5,
        sights=(((0, -depth / 2, height * 0.85), width * 0.7), ((0, -depth / 2, 4), width * 0.6)),
        sector=(kit.u(-0.5, 0.5), kit.u(1.8, 2.6)),
    )


BUILDERS = {
    "cathedral": cathedral,
    "basilica": basilica,
    "onion_church": onion_church,
    "mosque": mosque,
    "pagoda": pagoda,
    "temple": temple,
}
