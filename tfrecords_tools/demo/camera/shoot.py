"""Photographs a scene: light, camera, occluders, drawing, development."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tfrecords_tools.demo.camera.darkroom import develop, finish
from tfrecords_tools.demo.camera.light import Rgb, choose_light
from tfrecords_tools.demo.camera.photographer import choose_occluders, choose_view
from tfrecords_tools.demo.camera.shade import Picture3d
from tfrecords_tools.demo.world.scene import Scene

SUPERSAMPLING = 1.8
_ATTEMPTS = 4
# A picture of a landmark shows it on at least this share of the frame.
_LEAST_SHARE = 0.06


def photograph(
    rng: np.random.Generator, scene: Scene, size: tuple[int, int], flood: Rgb
) -> Image.Image:
    """A picture of a scene, (width, height) = size.

    Tries again, from the same random stream, when the landmark is hardly to be seen.

    Args:
        rng: stream of this picture.
        scene: what to photograph.
        size: (width, height) in pixels.
        flood: colour of the landmark's floodlights at night.
    """
    large = tuple(round(SUPERSAMPLING * side) for side in size)
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
