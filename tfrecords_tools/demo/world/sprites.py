"""Trees, people, cars, lamps: flat figures that face the viewer. Anchors stand on the ground."""

from __future__ import annotations

import math

import numpy as np

from tfrecords_tools.demo.world.mesh import Point, Sprite

Rng = np.random.Generator
_CLOTHES = (
    (190, 50, 50), (40, 60, 110), (230, 225, 215), (40, 40, 44), (210, 180, 60), (90, 140, 190),
    (120, 60, 110), (70, 110, 70), (150, 120, 90),
)  # fmt: skip
_PAINTS = (
    (200, 200, 204), (36, 38, 42), (240, 240, 238), (150, 30, 34), (40, 70, 130), (110, 116, 120),
    (220, 190, 70),
)  # fmt: skip
TREES = ("broad", "broad", "conifer", "cypress", "palm")


def _shade(colour: Point, tone: float) -> Point:
    return tuple(min(255.0, c * tone) for c in colour)


def _pick(rng: Rng, choices):
    return choices[int(rng.integers(len(choices)))]


def tree(rng: Rng, anchor: Point, height: float, species: str) -> Sprite:
    """A tree of a species of TREES."""
    trunk = (96, 78, 60)
    leaf = (
        58 + rng.uniform(-10, 30),
        92 + rng.uniform(-14, 22),
        40 + rng.uniform(-8, 14),
    )
    h = height
    stem = (trunk, ((-0.03 * h, 0), (0.03 * h, 0), (0.02 * h, 0.5 * h), (-0.02 * h, 0.5 * h)))
    shapes = [stem]
    if species == "broad":
        crown = []
        for k in range(24):
            angle = k * 2.4
            reach = 0.27 * h * math.sqrt((k + 0.5) / 24)
            x = reach * math.cos(angle) * 1.1 + rng.uniform(-0.02, 0.02) * h
            y = 0.64 * h + reach * math.sin(angle) * 1.15
            radius = h * rng.uniform(0.06, 0.11)
            tone = 0.55 + 0.62 * (y / h) - 0.25 * x / h + rng.uniform(-0.12, 0.12)
            crown.append((_shade(leaf, tone), (x, y, radius, radius * rng.uniform(0.7, 1))))
        middle = (_shade(leaf, 0.8), (0.0, 0.64 * h, 0.24 * h, 0.26 * h))
        shapes += [middle, *sorted(crown, key=lambda shape: shape[1][1])]
    elif species == "conifer":
        for k in range(5):
            low, half = (0.1 + 0.17 * k) * h, (0.23 - 0.035 * k) * h
            tone = 0.62 + 0.05 * k + rng.uniform(0, 0.1)
            shapes.append((_shade(leaf, tone), ((-half, low), (half, low), (0, low + 0.32 * h))))
    elif species == "cypress":
        for k in range(4):
            tone = 0.6 + 0.1 * k
            middle = (0.02 * h * (k % 2), (0.4 + 0.09 * k) * h)
            shapes.append(
                (_shade(leaf, tone), (*middle, (0.1 - 0.018 * k) * h, (0.38 - 0.04 * k) * h))
            )
    else:
        shapes = [(trunk, ((-0.025 * h, 0), (0.025 * h, 0), (0.03 * h, 0.85 * h), (0, 0.85 * h)))]
        for k in range(9):
            a = math.pi * (k / 8) * 1.3 - 0.47
            tip = (0.3 * h * math.cos(a), 0.86 * h + 0.22 * h * math.sin(a) - 0.05 * h)
            side = (0.14 * h * math.cos(a + 0.25), 0.88 * h + 0.16 * h * math.sin(a + 0.25))
            shapes.append((_shade(leaf, rng.uniform(0.8, 1.15)), ((0.01 * h, 0.84 * h), tip, side)))
    return Sprite(anchor, tuple(shapes))


def bush(rng: Rng, anchor: Point, height: float) -> Sprite:
    leaf = (64 + rng.uniform(-8, 20), 98 + rng.uniform(-12, 18), 46)
    shapes = [
        (_shade(leaf, rng.uniform(0.75, 1.15)),
         (rng.uniform(-0.6, 0.6) * height, 0.45 * height, height * 0.5, height * 0.5))
        for _ in range(5)
    ]  # fmt: skip
    return Sprite(anchor, tuple(shapes))


def person(rng: Rng, anchor: Point) -> Sprite:
    h = rng.uniform(1.5, 1.9)
    top, bottom = _pick(rng, _CLOTHES), _pick(rng, _CLOTHES)
    skin = _pick(rng, ((224, 180, 150), (150, 104, 76), (96, 66, 48), (240, 204, 176)))
    hair = _pick(rng, ((50, 36, 26), (24, 22, 22), (190, 150, 90), (150, 148, 146)))
    stride = rng.uniform(0.05, 0.16) * h
    lean = rng.uniform(-0.02, 0.02) * h
    shapes = [
        (bottom, ((-stride, 0), (-stride + 0.09 * h, 0), (0.06 * h, 0.5 * h), (-0.1 * h, 0.5 * h))),
        (bottom, ((stride, 0), (stride - 0.09 * h, 0), (-0.06 * h, 0.5 * h), (0.1 * h, 0.5 * h))),
        (
            top,
            (
                (-0.12 * h, 0.46 * h),
                (0.12 * h, 0.46 * h),
                (0.14 * h, 0.8 * h),
                (-0.14 * h, 0.8 * h),
            ),
        ),
        (_shade(top, 0.8), ((0.11 * h, 0.42 * h), (0.17 * h, 0.44 * h), (0.15 * h, 0.8 * h))),
        (skin, (lean, 0.89 * h, 0.065 * h, 0.085 * h)),
        (hair, (lean, 0.935 * h, 0.068 * h, 0.05 * h)),
    ]
    if rng.random() < 0.12:
        colour = _pick(rng, _CLOTHES)
        shapes.append((colour, ((-0.35 * h, 1.08 * h), (0.35 * h, 1.08 * h), (0, 1.25 * h))))
    return Sprite(anchor, tuple(shapes))


def car(rng: Rng, anchor: Point) -> Sprite:
    paint = _pick(rng, _PAINTS)
    length, height = rng.uniform(3.9, 4.8), rng.uniform(1.4, 1.6)
    x, glass = length / 2, (52, 60, 68)
    if rng.random() < 0.18:
        x, height = 5.0, 3.0  # a coach
    body = ((-x, 0.3), (x, 0.3), (x * 0.98, height * 0.58), (-x * 0.98, height * 0.6))
    cabin = (
        (-x * 0.72, height * 0.58), (x * 0.62, height * 0.58), (x * 0.36, height),
        (-x * 0.5, height),
    )  # fmt: skip
    window = (
        (-x * 0.58, height * 0.62), (x * 0.48, height * 0.62), (x * 0.3, height * 0.93),
        (-x * 0.44, height * 0.93),
    )  # fmt: skip
    wheels = [((24, 24, 26), (sign * x * 0.62, 0.33, 0.34, 0.34)) for sign in (-1, 1)]
    return Sprite(anchor, ((paint, body), (_shade(paint, 0.9), cabin), (glass, window), *wheels))


def lamp(anchor: Point, height: float) -> list[Sprite]:
    """A street lamp: the post, and its light."""
    post = Sprite(
        anchor, (((52, 54, 56), ((-0.07, 0), (0.07, 0), (0.05, height), (-0.05, height))),)
    )
    head = (anchor[0], anchor[1], anchor[2] + height)
    return [post, Sprite(head, (((230, 226, 210), (0.0, 0.1, 0.17, 0.24)),), light=1.0)]


def pole(rng: Rng, anchor: Point) -> Sprite:
    """A post with a road sign or a flag, close to the camera."""
    height, colour = (
        rng.uniform(2.6, 5.5),
        _pick(rng, ((90, 92, 96), (60, 62, 60), (150, 150, 150))),
    )
    shapes = [(colour, ((-0.06, 0), (0.06, 0), (0.06, height), (-0.06, height)))]
    sign = _pick(rng, ((200, 40, 40), (40, 80, 170), (240, 240, 240), (230, 200, 60)))
    if rng.random() < 0.5:
        shapes.append((sign, (0.0, height - 0.4, 0.4, 0.4)))
    else:
        shapes.append(
            (sign, ((0.05, height - 0.9), (1.5, height - 0.7), (1.4, height), (0.05, height)))
        )
    return Sprite(anchor, tuple(shapes))


def branch(rng: Rng, anchor: Point, size: float) -> Sprite:
    """Leaves that hang into the picture."""
    leaf = (54 + rng.uniform(-10, 30), 90 + rng.uniform(-20, 20), 38)
    wood = (66, 54, 44)
    shapes = []
    for _ in range(6):
        angle, length = rng.uniform(-2.6, -0.5), size * rng.uniform(0.5, 1.0)
        tip = (length * math.cos(angle), length * math.sin(angle))
        side = 0.012 * size
        shapes.append((wood, ((-side, 0.3 * size), (side, 0.3 * size), tip)))
        for k in range(9):
            t = (k + 1) / 9
            x = tip[0] * t + rng.normal(0, 0.05) * size
            y = 0.3 * size * (1 - t) + tip[1] * t + rng.normal(0, 0.05) * size
            turn, r = rng.uniform(0, math.pi), size * rng.uniform(0.03, 0.06)
            dx, dy = r * math.cos(turn), r * math.sin(turn)
            blade = ((x - dx, y - dy), (x + dy * 0.5, y - dx * 0.5), (x + dx, y + dy),
                     (x - dy * 0.5, y + dx * 0.5))  # fmt: skip
            shapes.append((_shade(leaf, rng.uniform(0.6, 1.2)), blade))
    return Sprite(anchor, tuple(shapes))


def fence(anchor: Point, half: float) -> Sprite:
    """A railing across the picture."""
    iron = (44, 46, 48)
    bars = [
        (iron, ((x - 0.03, 0), (x + 0.03, 0), (x + 0.03, 1.05), (x - 0.03, 1.05)))
        for x in (half * (k / 12 - 1) for k in range(25))
    ]
    rails = [
        (iron, ((-half, z), (half, z), (half, z + 0.07), (-half, z + 0.07))) for z in (0.2, 1.0)
    ]
    return Sprite(anchor, (*bars, *rails))
