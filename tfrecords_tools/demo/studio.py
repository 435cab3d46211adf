"""Takes one picture of the set: scene, camera, light, development, file."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from tfrecords_tools.demo import generic
from tfrecords_tools.demo.darkroom import develop, finish
from tfrecords_tools.demo.light import choose_light
from tfrecords_tools.demo.photographer import choose_frame, choose_occluders, choose_view
from tfrecords_tools.demo.plan import GENERIC, SPLITS, Picture, Settings, generator
from tfrecords_tools.demo.scene import Scene
from tfrecords_tools.demo.scenes import landmark_scene
from tfrecords_tools.demo.shade import Picture3d
from tfrecords_tools.demo.special import encode

_SUPERSAMPLING = 1.8
_ATTEMPTS = 4
# A picture of a landmark shows it on at least this share of the frame.
_LEAST_SHARE = 0.05
_FLOODS = ((1.15, 0.86, 0.50), (1.0, 0.95, 0.85), (1.1, 0.72, 0.36), (0.6, 0.8, 1.15))


@lru_cache(maxsize=2)
def _scene(seed: int, number: int) -> Scene:
    return landmark_scene(seed, number)


def take_picture(settings: Settings, picture: Picture) -> bytes:
    """The content of the picture's file. A pure function of its arguments."""
    rng = generator(settings.seed, 4, SPLITS.index(picture.split), picture.number)
    # From streams of their own: neither may depend on what is shown.
    frame = choose_frame(generator(settings.seed, 6, SPLITS.index(picture.split), picture.number))
    coding = generator(settings.seed, 7, SPLITS.index(picture.split), picture.number)
    size = (frame.width, frame.height)
    if picture.scene == GENERIC:
        image = generic.take_generic(rng, size)
    else:
        flood = _FLOODS[picture.scene % len(_FLOODS)]
        image = photograph(rng, _scene(settings.seed, picture.scene), size, flood)
    return encode(coding, image, picture.kind)


def photograph(rng: np.random.Generator, scene: Scene, size: tuple[int, int], flood) -> Image.Image:
    """A picture of a scene, (width, height) = size.

    Tries again, from the same random stream, when the landmark is hardly to be seen.
    """
    large = tuple(round(_SUPERSAMPLING * side) for side in size)
    owns = bool(scene.landmark.any())
    for attempt in range(_ATTEMPTS):
        light = choose_light(rng, flood)
        view = choose_view(rng, scene.stage, *large)
        extra = choose_occluders(rng, scene, view)
        shot = Picture3d(scene, view, light, extra)
        if not owns or shot.landmark_share >= _LEAST_SHARE or attempt == _ATTEMPTS - 1:
            break
    image = develop(rng, shot.rgb, light).resize(size, Image.BOX)
    return finish(rng, image, light)
