"""Where the camera stands and what gets in the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tfrecords_tools.demo.camera.view import View, look
from tfrecords_tools.demo.world import sprites
from tfrecords_tools.demo.world.mesh import Point, Sprite, unit
from tfrecords_tools.demo.world.scene import Scene, Stage
from tfrecords_tools.demo.world.surroundings import is_dry, place

_ASPECTS = ((4 / 3, 0.46), (3 / 2, 0.30), (16 / 9, 0.10), (1.0, 0.08), (5 / 4, 0.06))
# Nearly everybody stays on the side with the entrance, the square or the view.
_WIDEST_SECTOR = 1.7
_NARROWEST, _WIDEST = math.radians(3), math.radians(80)


@dataclass(frozen=True)
class Frame:
    """Size of the finished picture in pixels. Drawn independently of what is shown."""

    width: int
    height: int


def choose_frame(rng: np.random.Generator) -> Frame:
    longer = int(rng.integers(160, 257))
    draw, aspect = rng.random(), 4 / 3
    for value, weight in _ASPECTS:
        if draw < weight:
            aspect = value
            break
        draw -= weight
    shorter = round(longer / aspect)
    return Frame(shorter, longer) if rng.random() < 0.32 else Frame(longer, shorter)


def choose_view(rng: np.random.Generator, stage: Stage, width: int, height: int) -> View:
    """A camera as somebody might hold it: mostly the whole landmark, now and then a detail."""
    draw = rng.random()
    if draw < 0.10 and stage.sights:
        return _detail(rng, stage, width, height)
    far = draw > 0.94
    size = stage.size
    distance = size * (rng.uniform(2.4, 3.8) if far else rng.uniform(*stage.reach))
    distance = max(distance, 1.12 * max(stage.keep_out, stage.radius) + 4)
    azimuth = _azimuth(rng, stage)
    x, y = place(azimuth, distance)
    eye = (x, y, _eye_height(rng, stage))
    fill = rng.uniform(0.28, 0.5) if far else rng.uniform(0.62, 1.12)
    middle = stage.height * rng.uniform(0.38, 0.5)
    crop = 0.0 if far else rng.uniform(0, 0.45)
    field = _field_for(stage, distance, fill, crop, width, height)
    # Off the centre of the frame, as far as the motif leaves room.
    slack = max(0.0, 1.15 - fill) * 0.32
    spread = distance * math.tan(field / 2)
    aside = rng.uniform(-slack, slack) * spread
    target = (
        aside * math.cos(azimuth),
        aside * math.sin(azimuth),
        max(1.0, middle + rng.uniform(-0.6, 0.8) * slack * spread),
    )
    return look(
        eye, target, field_of_view=field, roll=_roll(rng), width=width, height=height
    )  # fmt: skip


def _azimuth(rng: np.random.Generator, stage: Stage) -> float:
    centre, half = stage.sector
    half = min(half, _WIDEST_SECTOR)
    if rng.random() < 0.7:
        # Most people stand where most people stand.
        return centre + max(-half, min(half, rng.normal(0, 0.33 * half)))
    return centre + rng.uniform(-half, half)


def _within(stage: Stage, azimuth: float) -> float:
    """The nearest azimuth from where the landmark is freely seen."""
    centre, half = stage.sector
    off = (azimuth - centre + math.pi) % (2 * math.pi) - math.pi
    return centre + max(-half, min(half, off))


def _eye_height(rng: np.random.Generator, stage: Stage) -> float:
    draw = rng.random()
    if draw < 0.62:
        return rng.uniform(1.5, 2.1)
    if draw < 0.90:
        return rng.uniform(*stage.eye)
    return rng.uniform(0.4, 1.0) * stage.height + 8


def _roll(rng: np.random.Generator) -> float:
    return math.radians(rng.normal(0, 1.2) if rng.random() < 0.92 else rng.uniform(-7, 7))


def _field_for(
    stage: Stage, distance: float, fill: float, crop: float, width: int, height: int
) -> float:
    """Field of view of the longer side at which the landmark fills `fill` of the frame.

    `crop` 0: all of it is inside; 1: it fills both sides of the frame and is cut off on one.
    """
    longer = max(width, height)
    across = 2 * stage.radius / fill * longer / width
    tall = stage.height / fill * longer / height
    needed = max(across, tall)
    needed += crop * (min(across, tall) - needed)
    return min(_WIDEST, max(_NARROWEST, 2 * math.atan(needed / 2 / distance)))


def _detail(rng: np.random.Generator, stage: Stage, width: int, height: int) -> View:
    point, size = stage.sights[int(rng.integers(len(stage.sights)))]
    if math.hypot(point[0], point[1]) > 0.3 * stage.radius:
        azimuth = _within(stage, math.atan2(point[0], -point[1]) + rng.normal(0, 0.45))
    else:
        azimuth = _azimuth(rng, stage)
    distance = stage.size * rng.uniform(0.75, 1.4)
    distance = max(distance, 1.12 * max(stage.keep_out, stage.radius) + 4)
    x, y = place(azimuth, distance)
    eye = (x, y, _eye_height(rng, stage))
    away = math.dist(eye, point)
    field = 2 * math.atan(size * rng.uniform(0.9, 1.5) / 2 / away)
    target = tuple(c + rng.uniform(-0.15, 0.15) * size for c in point)
    field = min(_WIDEST, max(_NARROWEST, field))
    return look(
        eye, target, field_of_view=field, roll=_roll(rng), width=width, height=height
    )  # fmt: skip


def choose_view_inside(rng: np.random.Generator, stage: Stage, width: int, height: int) -> View:
    """A camera in a room that is 2 * `stage.radius` deep, from its front wall."""
    depth = 2 * stage.radius
    eye = (rng.uniform(-0.9, 0.9), -0.44 * depth, rng.uniform(1.2, 1.8))
    target = (rng.uniform(-1.2, 1.2), 0.4 * depth, rng.uniform(0.8, 1.5))
    field = math.radians(rng.uniform(50, 78))
    roll = math.radians(rng.normal(0, 1.5))
    return look(eye, target, field_of_view=field, roll=roll, width=width, height=height)


def choose_occluders(rng: np.random.Generator, scene: Scene, view: View) -> list[Sprite]:
    """Things between the camera and the motif, for about half of the pictures."""
    found: list[Sprite] = []
    if rng.random() < 0.32:
        for _ in range(int(rng.integers(1, 10))):
            anchor = _on_the_way(rng, scene, view, 0.25, 0.95)
            if anchor is not None:
                found.append(sprites.person(rng, anchor))
    if rng.random() < 0.12:
        for _ in range(int(rng.integers(1, 4))):
            anchor = _on_the_way(rng, scene, view, 0.3, 0.8, nearest=12.0)
            if anchor is not None:
                found.append(sprites.car(rng, anchor))
    if rng.random() < 0.06:
        anchor = _on_the_way(rng, scene, view, 0.12, 0.3)
        if anchor is not None:
            found.append(sprites.pole(rng, anchor))
    if rng.random() < 0.10:
        anchor = _on_the_way(rng, scene, view, 0.35, 0.75, nearest=14.0)
        if anchor is not None:
            species = sprites.TREES[int(rng.integers(len(sprites.TREES)))]
            found.append(sprites.tree(rng, anchor, rng.uniform(4, 8), species))
    if rng.random() < 0.08:
        found.append(_in_the_corner(rng, view))
    if rng.random() < 0.05:
        anchor = _on_the_way(rng, scene, view, 0.06, 0.2, spread=0.0)
        if anchor is not None:
            found.append(sprites.fence(anchor, math.dist(anchor, view.eye) * 1.1))
    return found


def _on_the_way(
    rng: np.random.Generator,
    scene: Scene,
    view: View,
    low: float,
    high: float,
    *,
    spread: float = 0.8,
    nearest: float = 3.5,
) -> Point | None:
    """A dry point on the ground that the camera sees, between it and the motif."""
    way = math.hypot(view.eye[0], view.eye[1]) - max(scene.stage.keep_out, scene.stage.radius)
    depth = max(nearest, way * rng.uniform(low, high))
    half = depth * view.width / 2 / view.scale
    aside = rng.uniform(-spread, spread) * half
    ahead = unit((view.forward[0], view.forward[1], 0.0))
    x = view.eye[0] + ahead[0] * depth + ahead[1] * aside
    y = view.eye[1] + ahead[1] * depth - ahead[0] * aside
    return (x, y, 0.0) if is_dry(scene.ground, x, y) else None


def _in_the_corner(rng: np.random.Generator, view: View) -> Sprite:
    """Leaves close to the camera at an upper corner of the frame."""
    depth = rng.uniform(4, 9)
    x = rng.choice([-1.0, 1.0]) * depth * view.width / 2 / view.scale * rng.uniform(0.7, 1.0)
    y = depth * view.height / 2 / view.scale * rng.uniform(0.7, 1.0)
    anchor = tuple(
        e + depth * f + x * r + y * u
        for e, f, r, u in zip(view.eye, view.forward, view.right, view.up, strict=True)
    )
    size = depth * min(view.width, view.height) / view.scale * rng.uniform(0.25, 0.55)
    return sprites.branch(rng, anchor, size)
