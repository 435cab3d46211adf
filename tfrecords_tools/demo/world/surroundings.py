"""What stands around a landmark: houses, trees, lamps, hills. Fixed, like the landmark."""

from __future__ import annotations

import math

import numpy as np

from tfrecords_tools.demo.world import parts, sprites
from tfrecords_tools.demo.world.kit import Kit
from tfrecords_tools.demo.world.materials import Band, Material, Row
from tfrecords_tools.demo.world.scene import Ground, Stage

_PLASTERS = (
    (214, 196, 160), (200, 150, 116), (226, 218, 204), (178, 168, 156), (168, 104, 84),
    (206, 178, 120), (188, 196, 196),
)  # fmt: skip


def place(azimuth: float, distance: float) -> tuple[float, float]:
    """(x, y) at an azimuth (0 is the front, -y) and distance from the origin."""
    return distance * math.sin(azimuth), -distance * math.cos(azimuth)


def is_dry(ground: Ground, x: float, y: float) -> bool:
    """Whether the ground at (x, y) is not water."""
    if ground.river is not None:
        a, b, low, high = ground.river
        if low - 1 < a * x + b * y < high + 1:
            return False
    if ground.radius and math.hypot(x, y) < ground.radius:
        return ground.inner != "water"
    return ground.base != "water"


def furnish(kit: Kit, stage: Stage, ground: Ground) -> None:
    """Adds houses behind the landmark, trees and lamps around it."""
    b = kit.b.surroundings()
    near = max(stage.keep_out, stage.radius)
    centre, half = stage.sector
    hidden = math.pi - half  # half width of the sector behind the landmark
    if hidden > 0.8 and kit.chance(0.75):
        _houses(kit, b, ground, centre + math.pi, hidden - 0.4, near)
    species = kit.pick(list(sprites.TREES))
    behind, before = kit.pick([(2, 1), (6, 2), (12, 4), (18, 5)])
    spots = []
    for _ in range(behind):
        azimuth = centre + math.pi + kit.u(-hidden, hidden)
        spots.append((*place(azimuth, near * kit.u(1.15, 2.2)), 12.0))
    for _ in range(before):
        # Beside the usual view, close to the walls and lower than they are.
        azimuth = centre + kit.pick([-1, 1]) * kit.u(0.35, 1.0) * half
        low = 2.0 + 0.35 * stage.height
        spots.append((*place(azimuth, near * kit.u(1.02, 1.25)), low))
    if kit.chance(0.25):  # an avenue in front
        step = kit.u(8, 12)
        aside = kit.u(0.6, 0.8) * near
        spots += [(s * aside, -near * 1.1 - step * k, 7.0) for k in range(5) for s in (-1, 1)]
    for x, y, tallest in spots:
        if is_dry(ground, x, y):
            height = min(kit.u(5, 12), tallest)
            b.sprite(sprites.tree(kit.rng, (x, y, 0.0), height, species))
    for _ in range(kit.pick([0, 4, 10])):
        x, y = place(centre + kit.u(-half, half), near * kit.u(1.05, 1.3))
        if is_dry(ground, x, y):
            b.sprite(sprites.bush(kit.rng, (x, y, 0.0), kit.u(0.8, 2)))
    for _ in range(kit.pick([0, 4, 8])):
        x, y = place(centre + kit.u(-half, half), near * kit.u(1.1, 1.5))
        if is_dry(ground, x, y):
            for sprite in sprites.lamp((x, y, 0.0), kit.u(4, 6)):
                b.sprite(sprite)


def house_materials(kit: Kit, count: int) -> list[str]:
    """Walls of ordinary houses: plaster with plain windows."""
    names = []
    for k in range(count):
        pitch = kit.u(2.8, 3.3)
        row = Row(1.0, pitch * 0.48, 0.95, kit.u(2, 3.2), storeys=0, pitch=pitch, clear=0.4,
                  frame=kit.pick([0.0, 0.12]))  # fmt: skip
        plaster = Material(kit.pick(list(_PLASTERS)), "plain", features=(row, Band(0, 0.6, 0.85)))
        names.append(kit.define(f"house{k}", plaster))
    kit.roofing("house_roof", colour=kit.pick([(164, 88, 62), (92, 92, 98), (128, 84, 66)]))
    return names


def _houses(kit: Kit, b, ground: Ground, centre: float, half: float, near: float) -> None:
    walls = house_materials(kit, 3)
    tall = kit.pick([6.0, 9.0, 13.0])
    azimuth = centre - half * 0.85
    while azimuth < centre + half * 0.85:
        distance = near * kit.u(1.35, 1.6) + 8
        width = kit.u(8, 14)
        x, y = place(azimuth, distance)
        if is_dry(ground, x, y):
            at = b.at(x=x, y=y, yaw=azimuth + kit.u(-0.1, 0.1))
            style = kit.n(0, 2) if tall > 10 else kit.n(0, 1)
            parts.house(at, width, kit.u(9, 12), tall * kit.u(0.75, 1.3), kit.pick(walls),
                        "house_roof", style)  # fmt: skip
        azimuth += (width + kit.u(0, 7)) / distance


def skyline(rng: np.random.Generator) -> np.ndarray:
    """(1024,) float32: elevation (tangent) of hills or roofs all around."""
    kind = rng.random()
    height = float(rng.choice([0.0, 0.02, 0.05, 0.10]))
    total = np.full(1024, 0.004)
    cells = 8
    for _ in range(5):
        knots = rng.uniform(-1, 1, cells)
        at = np.arange(1024) * cells / 1024
        left = at.astype(np.int64) % cells
        t = at - np.floor(at)
        t = t * t * (3 - 2 * t)
        wave = knots[left] + t * (knots[(left + 1) % cells] - knots[left])
        total += height * wave * (8 / cells) ** 0.9
        cells *= 2
    if kind < 0.45:  # roofs of a town in front of the hills
        steps = np.repeat(rng.uniform(0.008, 0.035, 128), 8)
        total = np.maximum(total, steps)
    return np.maximum(total, 0.003).astype(np.float32)
