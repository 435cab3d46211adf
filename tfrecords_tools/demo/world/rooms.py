"""Interiors: a room with furniture, seen from inside."""

from __future__ import annotations

import math

import numpy as np

from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.kit import Kit
from tfrecords_tools.demo.world.materials import Band, Disc, Material, Posts, Row
from tfrecords_tools.demo.world.mesh import Sprite
from tfrecords_tools.demo.world.scene import Ground, Scene, Stage

_PAINTS = (
    (222, 214, 198), (196, 206, 200), (214, 190, 160), (176, 186, 200), (226, 226, 222),
    (204, 160, 140),
)  # fmt: skip
_WOODS = ((134, 96, 62), (92, 64, 46), (176, 138, 92), (206, 196, 180))


def furnished_room(rng: np.random.Generator) -> Scene:
    """A room with windows, pictures, a table, shelves, chairs and a plant."""
    kit = Kit(rng)
    kit.b.landmark = False
    b = kit.b
    width, depth, height = kit.u(4, 9), kit.u(4.5, 11), kit.u(2.5, 3.8)
    paint, wood = kit.pick(list(_PAINTS)), kit.pick(list(_WOODS))
    sash = Row(0.9, height * 0.5, kit.u(0.9, 1.5), kit.u(1.8, 3), frame=0.12)
    pictures = Row(1.3, kit.u(0.5, 1.0), kit.u(0.6, 1.2), kit.u(1.5, 3), kind="niche", frame=0.06)
    kit.define("windows", Material(paint, "plain", features=(sash, Band(0, 0.15, 1.2))))
    kit.define("pictures", Material(paint, "plain", features=(pictures, Band(0, 0.15, 1.2))))
    kit.define("ceiling", Material((232, 230, 224), "plain"))
    kit.define("floor", Material(wood, "planks", 0.22, contrast=0.16))
    kit.define("wood", Material(kit.pick(list(_WOODS)), "planks", 0.3, contrast=0.08))
    kit.define(
        "cloth", Material(kit.pick([(150, 60, 56), (70, 90, 120), (120, 130, 96), (90, 86, 90)]))
    )
    books = (
        Posts(0.09, 0.03, 0.5),
        Band(0.45, 0.06, 0.4),
        Band(0.95, 0.06, 0.4),
        Band(1.45, 0.06, 0.4),
    )
    kit.define("books", Material((150, 92, 70), "planks", 0.07, contrast=0.6, features=books))
    kit.define("clock", Material(paint, "plain", features=(Disc(height * 0.7, 0.25, "clock"),)))
    _shell(b, width, depth, height, kit.pick(["pictures", "clock", "windows"]))
    for _ in range(kit.n(1, 3)):
        at = b.at(x=kit.u(-0.3, 0.3) * width, y=kit.u(-0.1, 0.35) * depth, yaw=kit.u(-0.4, 0.4))
        _table(at, kit.u(0.9, 2.0), kit.u(0.7, 1.1))
    for _ in range(kit.n(0, 3)):
        at = b.at(x=kit.u(-0.35, 0.35) * width, y=kit.u(-0.2, 0.3) * depth, yaw=kit.u(0, 6.2))
        at.box(0.7, 0.7, 0.45, "cloth", "cloth")
        at.at(y=0.3).box(0.7, 0.12, 0.95, "cloth", "cloth")
    if kit.chance(0.6):
        shelf = b.at(x=kit.u(-0.3, 0.3) * width, y=depth / 2 - 0.2)
        shelf.box(kit.u(1, 2.4), 0.35, 2.0, "books", "wood")
    if kit.chance(0.5):
        b.sprite(_pot_plant(rng, (kit.u(-0.4, 0.4) * width, depth * 0.35, 0.0)))
    stage = Stage(radius=depth / 2, height=height)
    return Scene(b, kit.materials, Ground(), stage, np.zeros(1024, np.float32) + 0.01)


def _shell(b: Builder, width: float, depth: float, height: float, far: str) -> None:
    """Walls, floor and ceiling that face inwards."""
    x, y, h = width / 2, depth / 2, height
    b.face([(-x, y, 0), (x, y, 0), (x, y, h), (-x, y, h)], far)
    b.face([(x, -y, 0), (-x, -y, 0), (-x, -y, h), (x, -y, h)], "pictures")
    b.face([(x, y, 0), (x, -y, 0), (x, -y, h), (x, y, h)], "windows")
    b.face([(-x, -y, 0), (-x, y, 0), (-x, y, h), (-x, -y, h)], "pictures")
    b.face([(-x, -y, 0.01), (x, -y, 0.01), (x, y, 0.01), (-x, y, 0.01)], "floor")
    b.face([(-x, y, h), (x, y, h), (x, -y, h), (-x, -y, h)], "ceiling")


def _table(b: Builder, width: float, depth: float) -> None:
    for x in (-1, 1):
        for y in (-1, 1):
            b.at(x=x * (width / 2 - 0.06), y=y * (depth / 2 - 0.06)).box(
                0.07, 0.07, 0.7, "wood", None
            )
    b.at(z=0.7).box(width, depth, 0.05, "wood", "wood")
    b.at(x=width * 0.2, z=0.75).lathe([(0.06, 0), (0.1, 0.12), (0.05, 0.3)], 8, "cloth")


def _pot_plant(rng: np.random.Generator, anchor) -> Sprite:
    pot = ((170, 96, 66), ((-0.16, 0), (0.16, 0), (0.2, 0.35), (-0.2, 0.35)))
    leaves = []
    for k in range(14):
        angle = math.pi * (0.08 + 0.84 * k / 13)
        length = rng.uniform(0.5, 0.9)
        tip = (length * math.cos(angle), 0.35 + length * math.sin(angle))
        side = (0.45 * tip[0] + 0.07, 0.45 * tip[1] + 0.2)
        tone = rng.uniform(0.7, 1.2)
        leaves.append(((60 * tone, 110 * tone, 52 * tone), ((0.0, 0.33), side, tip)))
    return Sprite(anchor, (pot, *leaves))
