"""Pictures that show no landmark."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tfrecords_tools.demo import still_life
from tfrecords_tools.demo.camera.darkroom import develop, finish
from tfrecords_tools.demo.camera.light import indoors
from tfrecords_tools.demo.camera.photographer import choose_view_inside
from tfrecords_tools.demo.camera.shade import Picture3d
from tfrecords_tools.demo.camera.shoot import SUPERSAMPLING, photograph
from tfrecords_tools.demo.world.places import ordinary_scene
from tfrecords_tools.demo.world.rooms import furnished_room

# Kind of picture -> weight.
_KINDS = {
    "street": 0.16,
    "house": 0.14,
    "landscape": 0.14,
    "room": 0.14,
    "portrait": 0.12,
    "flowers": 0.10,
    "food": 0.08,
    "animal": 0.07,
    "page": 0.05,
}


def take_generic(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A random picture without a landmark, (width, height) = size."""
    draw, kind = rng.random(), "street"
    for name, weight in _KINDS.items():
        if draw < weight:
            kind = name
            break
        draw -= weight
    if kind in ("street", "house", "landscape"):
        return photograph(rng, ordinary_scene(rng, kind), size, (0.0, 0.0, 0.0))
    large = tuple(round(SUPERSAMPLING * side) for side in size)
    light = indoors(rng)
    if kind == "room":
        scene = furnished_room(rng)
        shot = Picture3d(scene, choose_view_inside(rng, scene.stage, *large), light, [])
        image = develop(rng, shot.rgb, light)
    else:
        image = still_life.PAINTERS[kind](rng, large)
    return finish(rng, image.resize(size, Image.BOX), light)
