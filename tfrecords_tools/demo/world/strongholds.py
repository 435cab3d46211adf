"""Castles and city gates.

Each public function adds one landmark to `kit.b`, its front towards -y.
"""

from __future__ import annotations

import math

from tfrecords_tools.demo.world import parts
from tfrecords_tools.demo.world.kit import Kit, Landmark
from tfrecords_tools.demo.world.materials import Band, Material, Row
from tfrecords_tools.demo.world.scene import Ground, Stage


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
        cap = [(reach * 0.9, tall), (reach * 1.15, tall), (0, tall + radius * 2.2)]
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
            up.lathe(
                [(radius * 0.9, 0), (radius * 1.15, 0), (0, u(7, 11))],
                sides,
                roof,
                smooth=is_round,
                turn=turn,
            )
        elif cap == "dome":
            parts.dome(up, radius * 1.05, radius * 1.1, roof)
        elif cap == "bell":
            up.lathe(
                [
                    (radius * 0.9, 0),
                    (radius * 1.15, 0),
                    (radius * 0.6, 3),
                    (radius * 0.45, 6),
                    (0, 9),
                ],
                16,
                roof,
            )
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
    runs = (u(8, 20), u(8, 20))
    for sign, run in zip((-1, 1), runs, strict=True):
        at = b.at(x=sign * (span / 2 + radius * 1.6 + run / 2))
        at.box(run, 2.4, height * 0.5, low, low)
        parts.merlons(at.at(z=height * 0.5), run, 2.4, 1.1, low)
    stage = Stage(
        radius=span / 2 + radius * 1.6 + 0.7 * max(runs),
        height=tall + 9,
        sights=(((0, -deep / 2, height * 0.5), span), ((span * 0.6, 0, tall), 12)),
        sector=(kit.pick([0.0, math.pi]), 1.3),
    )
    return Landmark(stage, Ground("cobble", "paving", 12))


BUILDERS = {
    "castle": castle,
    "city_gate": city_gate,
}
