"""Mosques, pagodas and temples.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Material, Posts, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


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
            (radius, storey - 0.2),
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
    "mosque": mosque,
    "pagoda": pagoda,
    "temple": temple,
}
