"""Bridges and aqueducts.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math
from itertools import pairwise

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Material, Posts, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


def arch_bridge(kit: Kit) -> Landmark:
    """A stone bridge of several arches over a river, perhaps with towers or houses on it."""
    u, b = kit.u, kit.b
    count, gap, pier = kit.n(2, 6), u(9, 15), u(2.2, 4)
    rise = gap * u(0.3, 0.5)
    spring, crown = u(1.5, 3), u(1.5, 2.6)
    width = count * (gap + pier) + pier + 2 * u(6, 14)
    height, deep = spring + rise + crown, u(5, 8)
    xs = [(k - (count - 1) / 2) * (gap + pier) for k in range(count)]
    wall = kit.wall("wall", Band(-1.1, 0.4, 1.3), Band(-2.2, 0.3, 0.8))
    kit.plain("deck", (140, 134, 124))
    arches = [(x, gap, spring, rise) for x in xs]
    parts.arch_wall(b, width, height, deep, arches, wall, top="deck", segments=8)
    for k in range(count - 1):
        x = (xs[k] + xs[k + 1]) / 2
        for sign in (-1, 1):
            cut = b.at(x=x, y=sign * deep / 2)
            shape = [(pier * 0.62, 0), (pier * 0.62, spring + 1), (0, spring + 3)]
            cut.lathe(shape, 6, wall, smooth=False)
    kit.roofing()
    ends = (xs[0] - (gap + pier) / 2, xs[-1] + (gap + pier) / 2)
    top = _on_the_deck(kit, xs, ends, width, height, deep)
    bank = width / 2 - 5
    stage = Stage(
        radius=width * 0.5,
        height=top,
        sights=(((xs[0], -deep / 2, height * 0.6), gap * 1.5), ((0, 0, height), gap * 2)),
        sector=(kit.pick([0.0, math.pi]), 1.05),
        eye=(2.0, 16.0),
        reach=(0.7, 1.7),
    )
    return Landmark(stage, Ground("grass", "grass", 0, river=(1.0, 0.0, -bank, bank)))


def _on_the_deck(kit: Kit, xs, ends, width: float, height: float, deep: float) -> float:
    """Gate towers, statues, houses or parapets; returns the height of the whole bridge."""
    kind = kit.pick(["plain", "tower", "towers", "statues", "houses"])
    up = kit.b.at(z=height)
    if kind in ("tower", "towers"):
        tall = kit.u(9, 14)
        tower = kit.wall("tower", Row(5, 2, 0.9, 2.8, "round"), Band(-0.7, 0.7))
        for x in ends if kind == "towers" else ends[:1]:
            at = up.at(x=x, yaw=math.pi / 2)
            parts.arch_wall(at, deep + 1.5, tall, 5, [(0, 3.2, 3, 1.6)], tower, top="roof")
            at.at(z=tall).hip(deep + 2.2, 6, kit.u(4, 7), 0.9, "roof")
        return height + tall + 5
    if kind == "houses":
        shops = kit.wall("shops", Row(1.2, 1.5, 1.0, 2.2, storeys=2, pitch=2.6), tone=1.1)
        length = ends[1] - ends[0] - 4
        up.box(length, deep * 0.8, 6.5, shops, None)
        up.at(z=6.5, yaw=math.pi / 2).gable(deep * 0.9, length, 2.6, "roof", shops)
        return height + 9
    for sign in (-1, 1):
        up.at(y=sign * (deep / 2 - 0.25)).box(width, 0.4, 1.0, "wall", "wall")
    if kind == "statues":
        bronze = kit.plain("bronze", (84, 90, 84))
        for x in xs:
            for sign in (-1, 1):
                at = up.at(x=x, y=sign * (deep / 2 - 0.5))
                at.box(1.2, 1.2, 1.6, "wall", "wall")
                parts.statue(at.at(z=1.6), 3.2, bronze)
    return height + 2


def suspension_bridge(kit: Kit) -> Landmark:
    """Two pylons, main cables, hangers and a slender deck over water."""
    u, b = kit.u, kit.b
    span, tall, deck = u(70, 110), u(26, 40), u(7, 11)
    side, wide = span * u(0.35, 0.5), u(7, 9)
    steel = kit.plain(
        "steel", kit.pick([(176, 66, 48), (150, 156, 160), (70, 96, 84), (196, 190, 176)])
    )
    legs = kit.wall("legs", Band(-1, 1)) if kit.chance(0.5) else steel
    stone = legs != steel
    road = kit.define("road", Material((90, 92, 96), features=(Posts(4, 0.4, 0.7),)))
    asphalt = kit.plain("asphalt", (100, 100, 102))
    b.at(z=deck - 1.2).box(span + 2 * side, wide, 1.4, road, asphalt, bottom=asphalt)
    for sign in (-1, 1):
        at = b.at(x=sign * span / 2, yaw=math.pi / 2)
        if stone:
            gates = [
                (-wide * 0.27, wide * 0.4, deck + 5, 2.6),
                (wide * 0.27, wide * 0.4, deck + 5, 2.6),
            ]
            parts.arch_wall(at, wide * 1.5, tall, 4, gates, legs, top=legs, segments=6)
        else:
            for y in (-1, 1):
                at.at(x=y * wide * 0.55).box(1.6, 2.4, tall, steel, steel)
            for level in (0.55, 0.98):
                at.at(z=tall * level).box(wide * 1.2, 1.2, 1.4, steel, steel, bottom=steel)
            if kit.chance(0.5):
                at.beam((-wide / 2, 0, deck), (wide / 2, 0, tall * 0.55), 0.8, steel, (0, -1, 0))
                at.beam((wide / 2, 0, deck), (-wide / 2, 0, tall * 0.55), 0.8, steel, (0, -1, 0))
        at.box(wide * 1.8, 7, 2.5, kit.wall("foot"), "foot")
    _cables(kit, span, side, tall, deck, wide, steel)
    stage = Stage(
        radius=span * 0.62,
        height=tall,
        sights=(((-span / 2, 0, tall * 0.6), tall), ((span / 2, 0, tall * 0.7), tall * 0.8)),
        sector=(kit.pick([0.0, math.pi]), 1.1),
        eye=(2.0, 20.0),
        reach=(0.75, 1.7),
    )
    bank = span / 2 + side * 0.75
    return Landmark(stage, Ground("grass", "grass", 0, river=(1.0, 0.0, -bank, bank)))


def _cables(kit: Kit, span, side, tall, deck, wide, steel) -> None:
    sag = tall - deck - kit.u(2, 5)
    cuts = 10
    for y in (-wide / 2, wide / 2):
        low = [(span * (k / cuts - 0.5), tall - sag * (1 - (2 * k / cuts - 1) ** 2))
               for k in range(cuts + 1)]  # fmt: skip
        line = [(-span / 2 - side, deck), *low, (span / 2 + side, deck)]
        for (ax, az), (bx, bz) in pairwise(line):
            kit.b.beam((ax, y, az), (bx, y, bz), 0.6, steel, (0, -1, 0))
        for x, z in low[1:-1]:
            if z > deck + 0.8:
                kit.b.beam((x, y, deck), (x, y, z), 0.28, steel, (0, -1, 0))


def aqueduct(kit: Kit) -> Landmark:
    """Two or three tiers of arches across a valley."""
    u, b = kit.u, kit.b
    tiers, count = kit.n(2, 3), kit.n(4, 7)
    gap, pier = u(6, 9), u(1.8, 2.6)
    pitch = gap + pier
    width = count * pitch + pier
    wall = kit.wall("wall", Band(-0.5, 0.5, 1.25))
    z, deep = 0.0, 4.5
    for tier in range(tiers):
        tall = (u(9, 13), u(7, 10), u(3.5, 5))[
            tier if tiers == 3 else (0 if tier == 0 else 2 - kit.n(0, 1))
        ]
        small = tier == 2 or (tier == tiers - 1 and tall < 6)
        cells = 3 * count if small else count
        hole = gap if not small else pitch / 3 - 0.9
        step = pitch if not small else pitch / 3
        rise = hole / 2
        xs = [(k - (cells - 1) / 2) * step for k in range(cells)]
        arches = [(x, hole, max(0.3, tall - rise - 0.9), rise) for x in xs]
        parts.arch_wall(
            b.at(z=z), width, tall, deep, arches, wall, top=wall, segments=4 if small else 6
        )
        z += tall
        deep *= 0.85
    if kit.chance(0.6):
        bank = width * u(0.12, 0.25)
        river = (1.0, 0.0, -bank, bank)
    else:
        river = None
    stage = Stage(
        radius=width * 0.5,
        height=z,
        sights=(((0, 0, z * 0.6), pitch * 2), ((pitch, 0, z * 0.8), pitch * 2.2)),
        sector=(kit.pick([0.0, math.pi]), 1.1),
        reach=(0.7, 1.8),
    )
    return Landmark(stage, Ground("grass", "sand", 0, river=river))


BUILDERS = {
    "arch_bridge": arch_bridge,
    "suspension_bridge": suspension_bridge,
    "aqueduct": aqueduct,
}
