"""Skyscrapers and museums of our time.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Braces, Material, Posts, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


def skyscraper(kit: Kit) -> Landmark:
    """A glass tower: set back, tapered, twisted, round, twin or sliced."""
    u = kit.u
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
    kit.plain("roof", (120, 122, 124))
    form = kit.pick([_setback, _tapered, _twisted, _bulging, _twins, _sliced])
    form(kit, tall, size)
    podium = kit.wall("podium", Row(0.5, 5, 3, 4.2), Band(-0.8, 0.8))
    at = kit.b.at(y=u(-6, 6), x=u(-8, 8))
    at.box(size * 1.8, size * 1.5, u(5, 8), podium, "roof")
    stage = Stage(
        radius=size * 1.15,
        height=tall,
        sights=(((0, 0, tall * 0.85), tall * 0.35), ((0, 0, tall * 0.2), tall * 0.3)),
        sector=(u(-3, 3), 2.2),
        eye=(1.6, 40.0),
        reach=(0.8, 2.0),
    )
    return Landmark(stage, Ground("asphalt", "paving", size * 1.6))


def _setback(kit: Kit, tall: float, size: float) -> None:
    z, side = 0.0, size
    for share in (kit.u(0.35, 0.5), kit.u(0.25, 0.35), kit.u(0.15, 0.25)):
        kit.b.at(z=z).box(side, side * 0.9, tall * share, "glass", "roof")
        z += tall * share
        side *= kit.u(0.65, 0.8)
    parts.needle(kit.b.at(z=z), kit.u(8, 24), "roof", 1.0)


def _tapered(kit: Kit, tall: float, size: float) -> None:
    sides = kit.pick([4, 6, 8])
    profile = [(size * 0.75, 0), (size * kit.u(0.15, 0.5), tall)]
    kit.b.lathe(profile, sides, "glass", smooth=False, top="roof", turn=math.pi / sides)


def _twisted(kit: Kit, tall: float, size: float) -> None:
    floors, turn = 9, kit.u(0.05, 0.11)
    for k in range(floors):
        at = kit.b.at(z=tall * k / floors, yaw=turn * k)
        side = size * (1 - 0.02 * k)
        at.box(side, side, tall / floors, "glass", "roof", bottom="roof")


def _bulging(kit: Kit, tall: float, size: float) -> None:
    shape = [(0.5, 0), (0.58, 0.4), (0.4, 0.85), (0.12, 1)]
    kit.b.lathe([(size * r, tall * z) for r, z in shape], 18, "glass", top="roof")


def _twins(kit: Kit, tall: float, size: float) -> None:
    gap = size * kit.u(0.6, 0.8)
    for sign, share in ((-1, 1.0), (1, kit.u(0.8, 1))):
        kit.b.at(x=sign * gap).box(size * 0.8, size * 0.8, tall * share, "glass", "roof")
    kit.b.at(z=tall * kit.u(0.4, 0.6)).box(2 * gap, 4, 5, "glass", "roof", bottom="roof")


def _sliced(kit: Kit, tall: float, size: float) -> None:
    x, y, low = size / 2, size * 0.45, tall * kit.u(0.6, 0.8)
    kit.b.box(size, size * 0.9, low, "glass", None)
    up, rest = kit.b.at(z=low), tall - low
    wall = (0, size, rest)
    up.face([(-x, -y, 0), (x, -y, 0), (-x, -y, rest)], "glass", wall=wall)
    up.face([(x, y, 0), (-x, y, 0), (-x, y, rest)], "glass", wall=wall)
    up.face([(-x, y, 0), (-x, -y, 0), (-x, -y, rest), (-x, y, rest)], "glass")
    up.face([(x, -y, 0), (x, y, 0), (-x, y, rest), (-x, -y, rest)], "glass")


def museum(kit: Kit) -> Landmark:
    """Modern forms: stacked boxes, shells, rings, a folded roof or a net of lozenges."""
    u = kit.u
    skin = kit.pick([(228, 228, 224), (190, 192, 190), (150, 92, 70), (70, 74, 80), kit.stone])
    kit.define("skin", Material(skin, "blocks", 1.6, 3.0, 0.06))
    pane = kit.pick([(96, 120, 132), (120, 140, 130), (70, 80, 92)])
    glass = Material(pane, "glass", u(1.6, 3), u(1.6, 3), 0.12, (210, 212, 210))
    kit.define("glass", glass)
    kit.define("net", Material(pane, features=(Braces(u(2.6, 5), u(0.25, 0.45), skin),)))
    kit.plain("roof", tuple(0.8 * c for c in skin))
    reach = u(20, 30)
    form = kit.pick([_stack, _shells, _rings, _folds, _net])
    top = form(kit, reach)
    stage = Stage(
        radius=reach,
        height=top,
        sights=(((0, -8, top * 0.6), top * 1.2), ((reach * 0.4, -6, top * 0.5), top * 1.1)),
        sector=(u(-0.8, 0.8), u(1.6, 2.4)),
    )
    base = kit.pick(["paving", "grass", "water"])
    return Landmark(stage, Ground(base, "paving", reach * u(1.2, 1.8)))


def _stack(kit: Kit, reach: float) -> float:
    z = 0.0
    for k in range(kit.n(3, 5)):
        height = kit.u(4.5, 7)
        at = kit.b.at(x=kit.u(-7, 7), y=kit.u(-5, 5), z=z, yaw=kit.u(-0.25, 0.25))
        walls = ["skin", "skin", "glass", "glass"] if k % 2 else ["glass", "skin", "skin", "skin"]
        at.box(kit.u(16, 34), kit.u(14, 24), height, walls, "roof", bottom="roof")
        z += height
    return z


def _shells(kit: Kit, reach: float) -> float:
    kit.b.box(reach * 2, 26, 3, "skin", "skin")
    top = 0.0
    for k in range(kit.n(3, 5)):
        at = kit.b.at(x=(k - 1.5) * 10, y=kit.u(-3, 3), z=3)
        w, d, h = kit.u(7, 9), kit.u(10, 13), kit.u(14, 26)
        tip = (0.0, -d * kit.u(0.8, 1.2), h)
        left, right, back = (-w, d * 0.3, 0), (w, d * 0.3, 0), (0.0, d, 0)
        at.face([back, left, tip], "skin", two_sided=True)
        at.face([right, back, tip], "skin", two_sided=True)
        at.face([left, right, tip], "glass", two_sided=True)
        top = max(top, h + 3)
    return top


def _rings(kit: Kit, reach: float) -> float:
    height, slope = kit.u(7, 14), kit.u(0.85, 1.25)
    windows = Row(height * 0.35, height * 0.25, 4, 5)
    skin = kit.materials["skin"].colour
    ring = kit.define("ring", Material(skin, features=(windows,)))
    profile = [(reach * 0.75, 0), (reach * 0.75 * slope, height)]
    kit.b.lathe(profile, 24, ring, top="roof")
    inner = [(reach * 0.4, 0), (reach * 0.5 * slope, height * 0.8)]
    kit.b.at(z=height).lathe(inner, 20, "skin", top="roof")
    return height * 1.8


def _folds(kit: Kit, reach: float) -> float:
    bays, height = kit.n(4, 7), kit.u(8, 13)
    wide = reach * 2 / bays
    for k in range(bays):
        at = kit.b.at(x=(k - (bays - 1) / 2) * wide)
        at.box(wide, 22, height, "glass", None)
        at.at(z=height).gable(wide, 24, wide * kit.u(0.5, 1.3), "skin", "skin")
    return height + wide


def _net(kit: Kit, reach: float) -> float:
    height = kit.u(14, 24)
    kit.b.box(reach * 1.1, reach, height, "net", "roof")
    return height


BUILDERS = {
    "skyscraper": skyscraper,
    "museum": museum,
}
