"""Cast shadows: which points the sun reaches, from a picture of the face numbers that it sees."""

from __future__ import annotations

import numpy as np

from tfrecords_tools.demo.camera.light import Light
from tfrecords_tools.demo.camera.raster import NOTHING, draw_ids
from tfrecords_tools.demo.camera.view import along, sunlight
from tfrecords_tools.demo.world.mesh import dot
from tfrecords_tools.demo.world.scene import Scene

_PIXELS = 320
_BIAS = 0.3  # metres


class Shadow:
    """The shadows of a scene in the direction of a light's sun.

    Around the landmark only; farther away everything is in the sun.
    """

    def __init__(self, scene: Scene, light: Light) -> None:
        stage = scene.stage
        radius = 1.25 * max(stage.radius, stage.height * 0.8) + 6
        self._view = sunlight(light.sun, (0.0, 0.0, stage.height * 0.3), radius, _PIXELS)
        canvas = draw_ids(scene, self._view, [])
        self._ids = canvas.ids
        view = self._view
        base = dot(view.centre, view.forward)
        normal = scene.normal
        towards = np.array([along(view, tuple(n)) for n in normal]).reshape(-1, 3)
        centre = normal[:, 0] * view.centre[0] + normal[:, 1] * view.centre[1]
        centre = scene.offset - centre - normal[:, 2] * view.centre[2]
        depth = np.where(np.abs(towards[:, 2]) < 1e-3, 1e-3, towards[:, 2])
        rows = np.stack([centre / depth, -towards[:, 0] / depth, -towards[:, 1] / depth], axis=1)
        flat = [(dot(sprite.anchor, view.forward) - base, 0.0, 0.0) for sprite, _ in canvas.shapes]
        flat = np.array(flat, np.float64).reshape(-1, 3)
        nothing = np.array([[1e6, 0.0, 0.0]])  # the last row: reached by the id NOTHING = -1
        self._planes = np.concatenate([rows, flat, nothing]).astype(np.float32)

    def clear(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        """(N,) float32: 1 where the sun shines, 0 in shadow."""
        view = self._view
        px, py, pz = (part - np.float32(c) for part, c in zip((x, y, z), view.centre, strict=True))
        a, b, depth = (
            px * np.float32(axis[0]) + py * np.float32(axis[1]) + pz * np.float32(axis[2])
            for axis in (view.right, view.up, view.forward)
        )
        scale, half = np.float32(view.scale), np.float32(_PIXELS / 2)
        column = (half + scale * a).astype(np.int32)
        row = (half - scale * b).astype(np.int32)
        last = _PIXELS - 1
        inside = (column >= 0) & (column <= last) & (row >= 0) & (row <= last)
        seen = self._ids[np.clip(row, 0, last), np.clip(column, 0, last)]
        plane = self._planes[np.where(inside, seen, NOTHING)]
        hit = plane[:, 0] + a * plane[:, 1] + b * plane[:, 2]
        return (hit > depth - np.float32(_BIAS)).astype(np.float32)
