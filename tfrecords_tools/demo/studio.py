"""Takes one picture of the set: scene, camera, light, development, file."""

from __future__ import annotations

import io
import math
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from tfrecords_tools.demo.bsp import Tree
from tfrecords_tools.demo.mesh import Builder, dot, unit
from tfrecords_tools.demo.plan import SPLITS, Picture, Settings, generator


@lru_cache(maxsize=2)
def _scene(seed: int, number: int):
    rng = generator(seed, 5, number)
    b = Builder()
    stone = ["sand", "grey", "red", "white"][int(rng.integers(4))]
    roof = ["tile", "slate", "copper"][int(rng.integers(3))]
    w, d, h = rng.uniform(14, 40), rng.uniform(10, 30), rng.uniform(8, 18)
    b.box(w, d, h, stone, roof)
    b.at(z=h).gable(w, d, rng.uniform(4, 9), roof, stone)
    for _ in range(int(rng.integers(1, 4))):
        x, y = rng.uniform(-w / 2, w / 2), rng.uniform(-d / 2, d / 2)
        r, t = rng.uniform(2, 5), rng.uniform(h + 4, h + 30)
        at = b.at(x, y)
        sides = int(rng.choice([4, 8, 14]))
        at.lathe([(r, 0), (r, t)], sides, stone, smooth=sides > 8)
        if rng.random() < 0.5:
            at.lathe([(r * 1.15, t), (0, t + rng.uniform(3, 14))], sides, roof)
        else:
            ring = [(r * math.cos(a), t + r * math.sin(a)) for a in np.linspace(0, 1.5, 6)]
            at.lathe([*ring, (0, t + r)], max(sides, 8), roof)
    return b.faces, Tree(b.faces)


_COLOURS = {
    "sand": (200, 170, 120),
    "grey": (150, 150, 145),
    "red": (170, 90, 70),
    "white": (225, 220, 205),
    "tile": (170, 80, 50),
    "slate": (80, 85, 100),
    "copper": (90, 160, 140),
}


def take_picture(settings: Settings, picture: Picture) -> bytes:
    """The content of the picture's file. A pure function of its arguments."""
    rng = generator(settings.seed, 4, SPLITS.index(picture.split), picture.number)
    scene = picture.scene if picture.scene >= 0 else 10_000 + int(rng.integers(1 << 30))
    faces, tree = _scene(settings.seed, scene)
    width = int(rng.integers(160, 257))
    height = round(width * rng.uniform(0.62, 0.8))
    if rng.random() < 0.35:
        width, height = height, width
    image = _render(rng, faces, tree, width * 2, height * 2).resize((width, height), Image.BOX)
    out = io.BytesIO()
    kind = picture.kind
    if kind == "grey":
        image = image.convert("L")
    elif kind == "cmyk":
        image = image.convert("CMYK")
    elif kind == "panorama":
        image = image.resize((256, 40))
    elif kind == "strip":
        image = image.resize((12, 240))
    image.save(
        out,
        "PNG" if kind == "png" else "JPEG",
        **({} if kind == "png" else {"quality": int(rng.integers(50, 95))}),
    )
    content = out.getvalue()
    if kind == "truncated":
        content = content[: len(content) // 3]
    elif kind == "empty":
        content = b""
    elif kind == "not_an_image":
        content = b"<!DOCTYPE html><html><title>404 Not Found</title></html>\n"
    return content


def _render(rng, faces, tree, width, height):
    azimuth = rng.uniform(-math.pi, math.pi)
    distance = rng.uniform(50, 110)
    eye = (distance * math.sin(azimuth), -distance * math.cos(azimuth), rng.uniform(2, 20))
    forward = unit((-eye[0], -eye[1], rng.uniform(8, 16) - eye[2]))
    right = unit((forward[1], -forward[0], 0.0))
    up = (
        right[1] * forward[2] - right[2] * forward[1],
        right[2] * forward[0] - right[0] * forward[2],
        right[0] * forward[1] - right[1] * forward[0],
    )
    focal = max(width, height) * rng.uniform(0.8, 1.4)
    sun_azimuth = rng.uniform(-3, 3)
    sun = unit((math.cos(sun_azimuth), math.sin(sun_azimuth), rng.uniform(0.3, 1.2)))
    light = rng.uniform(0.5, 1.1)
    image = Image.new(
        "RGB", (width, height), (int(120 * light), int(160 * light), int(210 * light))
    )
    draw = ImageDraw.Draw(image)
    horizon = height / 2 + focal * forward[2] / math.hypot(forward[0], forward[1])
    draw.rectangle(
        [0, horizon, width, height], fill=(int(100 * light), int(120 * light), int(80 * light))
    )
    p = tree.points - np.array(eye)
    z = p[:, 0] * forward[0] + p[:, 1] * forward[1] + p[:, 2] * forward[2]
    x = p[:, 0] * right[0] + p[:, 1] * right[1]
    y = p[:, 0] * up[0] + p[:, 1] * up[1] + p[:, 2] * up[2]
    z = np.maximum(z, 0.5)
    xy = np.stack([width / 2 + focal * x / z, height / 2 - focal * y / z], 1).reshape(-1).tolist()
    starts = tree.starts.tolist()
    for piece in tree.order(eye):
        face = faces[tree.owner[piece]]
        if dot(face.normal, eye) <= face.offset:
            continue
        shade = light * (0.45 + 0.6 * max(0.0, dot(face.normal, sun)))
        colour = tuple(min(255, int(c * shade)) for c in _COLOURS[face.material])
        draw.polygon(xy[2 * starts[piece] : 2 * starts[piece + 1]], fill=colour)
    return image
