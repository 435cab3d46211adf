"""Draws face numbers: which face or sprite shape is seen at each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from tfrecords_tools.demo.camera.view import View
from tfrecords_tools.demo.world.mesh import Point, Sprite
from tfrecords_tools.demo.world.scene import Scene

NEAR = 0.4  # metres; nothing nearer than that is drawn
NOTHING = -1


@dataclass
class Canvas:
    """The result of drawing.

    Attributes:
        ids: (H, W) int32: NOTHING, a face number 0..F-1, or F + the number of a sprite shape.
        shapes: for each sprite shape (sprite, tint) in the order of its numbers.
    """

    ids: np.ndarray
    shapes: list[tuple[Sprite, tuple[float, float, float]]]


def draw_ids(scene: Scene, view: View, extra: list[Sprite]) -> Canvas:
    """Draws all faces and sprites of a scene, and `extra` sprites, back to front."""
    image = Image.new("I", (view.width, view.height), NOTHING)
    draw = ImageDraw.Draw(image)
    tree = scene.tree
    sprites = scene.builder.sprites + extra
    towards = tuple(-c for c in view.forward)
    x, y, z = view.project(tree.points)
    if view.eye is not None:
        drawable, straddling = _in_front(z, tree.starts)
        depth = np.maximum(z, NEAR)
    else:
        drawable = straddling = None
        depth = z
    columns, rows = view.frame(x, y, depth)
    coordinates = np.stack([columns, rows], axis=1).reshape(-1).tolist()
    starts = (2 * tree.starts).tolist()
    owner = tree.owner.tolist()
    wanted = _facing(scene, view, towards)[tree.owner] if len(owner) else np.zeros(0, bool)
    if drawable is not None and len(owner):
        wanted &= drawable
    wanted &= _inside(columns, rows, tree.starts, view)
    wanted = wanted.tolist()
    shapes: list = []
    first_shape = len(scene.builder.faces)
    cells = _cells(scene, view, sprites, towards)
    for piece in tree.order(view.eye, towards, cells):
        if piece < 0:
            _draw_sprite(draw, view, sprites[-piece - 1], first_shape, shapes)
        elif wanted[piece]:
            flat = coordinates[starts[piece] : starts[piece + 1]]
            if straddling is not None and straddling[piece]:
                span = slice(starts[piece] // 2, starts[piece + 1] // 2)
                flat = _clipped(view, x[span], y[span], z[span])
            draw.polygon(flat, fill=owner[piece])
    return Canvas(np.asarray(image, np.int32), shapes)


def _in_front(z: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, list[bool]]:
    if not len(z):
        return np.zeros(0, bool), []
    nearest = np.minimum.reduceat(z, starts[:-1])
    farthest = np.maximum.reduceat(z, starts[:-1])
    return farthest > NEAR, (nearest <= NEAR).tolist()


def _inside(columns, rows, starts, view: View) -> np.ndarray:
    """Pieces whose bounding box touches the frame (clamped corners only make it larger)."""
    if not len(columns):
        return np.zeros(0, bool)
    begin = starts[:-1]
    return (
        (np.minimum.reduceat(columns, begin) < view.width)
        & (np.maximum.reduceat(columns, begin) > 0)
        & (np.minimum.reduceat(rows, begin) < view.height)
        & (np.maximum.reduceat(rows, begin) > 0)
    )


def _facing(scene: Scene, view: View, towards: Point) -> np.ndarray:
    n = scene.normal
    if view.eye is None:
        side = n[:, 0] * towards[0] + n[:, 1] * towards[1] + n[:, 2] * towards[2]
        side -= 0.02  # walls in grazing light cast no useful shadow and spoil the depth test
        return (side > 0) | (scene.two_sided & (side < -0.04))
    eye = view.eye
    side = n[:, 0] * eye[0] + n[:, 1] * eye[1] + n[:, 2] * eye[2] - scene.offset
    return (side > 0) | scene.two_sided


def _cells(scene: Scene, view: View, sprites: list[Sprite], towards: Point) -> dict[int, list[int]]:
    """Sprites by cell, farthest first, as the negative numbers that `Tree.order` wants."""
    cells = {key: list(numbers) for key, numbers in scene.cells.items()}
    for number in range(len(scene.builder.sprites), len(sprites)):
        cells.setdefault(scene.tree.cell(sprites[number].anchor), []).append(number)

    def nearness(number: int) -> float:
        return sum(a * t for a, t in zip(sprites[number].anchor, towards, strict=True))

    return {
        key: [-number - 1 for number in sorted(numbers, key=nearness)]
        for key, numbers in cells.items()
    }


def _clipped(view: View, x, y, z) -> list[float]:
    """Pixel coordinates of a polygon cut off at the near plane."""
    flat: list[float] = []
    corners = list(zip(x.tolist(), y.tolist(), z.tolist(), strict=True))
    for (ax, ay, az), (bx, by, bz) in zip(corners, corners[1:] + corners[:1], strict=True):
        if az >= NEAR:
            flat += view.frame(ax, ay, az)
        if (az < NEAR) != (bz < NEAR):
            t = (NEAR - az) / (bz - az)
            flat += view.frame(ax + t * (bx - ax), ay + t * (by - ay), NEAR)
    return flat


def _draw_sprite(draw, view: View, sprite: Sprite, first: int, shapes: list) -> None:
    base = view.eye or view.centre
    offset = tuple(a - b for a, b in zip(sprite.anchor, base, strict=True))
    x, y, z = (sum(o * c for o, c in zip(offset, axis, strict=True)) for axis in
               (view.right, view.up, view.forward))  # fmt: skip
    if view.eye is not None:
        if z < 2 * NEAR:
            return
        scale = view.scale / z
    else:
        scale = view.scale
        z = 1.0
    column, row = view.frame(x, y, z)
    for tint, shape in sprite.shapes:
        number = first + len(shapes)
        if isinstance(shape[0], tuple):
            flat = [c for px, py in shape for c in (column + scale * px, row - scale * py)]
            draw.polygon(flat, fill=number)
        else:
            px, py, rx, ry = shape
            left, right = column + scale * (px - rx), column + scale * (px + rx)
            top, bottom = row - scale * (py + ry), row - scale * (py - ry)
            if right < 0 or bottom < 0 or left > view.width or top > view.height:
                continue
            draw.ellipse([left, top, right, bottom], fill=number)
        shapes.append((sprite, tint))
