"""Turns face numbers into light: surface coordinates, materials, sun, cast shadows, air."""

from __future__ import annotations

import numpy as np

from tfrecords_tools.demo.camera import backdrop
from tfrecords_tools.demo.camera.light import Light
from tfrecords_tools.demo.camera.raster import NOTHING, Canvas, draw_ids
from tfrecords_tools.demo.camera.shadow import Shadow
from tfrecords_tools.demo.camera.textures import Surface, linear, noise, paint
from tfrecords_tools.demo.camera.view import View
from tfrecords_tools.demo.world.mesh import Sprite, dot
from tfrecords_tools.demo.world.scene import Scene

_FAR = np.float32(1e5)


class Picture3d:
    """One view of a scene in one light.

    Attributes:
        rgb: (H, W, 3) float32, linear light.
        landmark_share: fraction of the pixels that show the landmark.
    """

    def __init__(self, scene: Scene, view: View, light: Light, extra: list[Sprite]) -> None:
        self._scene, self._view, self._light = scene, view, light
        canvas = draw_ids(scene, view, extra)
        self._count = len(scene.builder.faces)
        ids = canvas.ids.reshape(-1)
        shown = ids[(ids >= 0) & (ids < self._count)]
        self.landmark_share = float(np.count_nonzero(scene.landmark[shown])) / len(ids)
        rows, columns = np.divmod(np.arange(len(ids), dtype=np.int32), np.int32(view.width))
        # Direction of the pixel: right * sx + up * sy + forward, depth 1.
        self._sx = (columns + np.float32(0.5 - view.width / 2)) / np.float32(view.scale)
        self._sy = (np.float32(view.height / 2 - 0.5) - rows) / np.float32(view.scale)
        self._shadow = Shadow(scene, light) if light.casts_shadows else None
        self._rgb = np.zeros((len(ids), 3), np.float32)
        self._draw_backdrop(ids == NOTHING)
        self._draw_faces(np.flatnonzero((ids >= 0) & (ids < self._count)), ids)
        self._draw_sprites(canvas, np.flatnonzero(ids >= self._count), ids)
        self.rgb = self._rgb.reshape(view.height, view.width, 3)
        self._reflect()

    # Sky and ground

    def _direction(self, sx: np.ndarray, sy: np.ndarray) -> tuple[np.ndarray, ...]:
        """World direction (x, y, z), depth 1, of points on the image plane."""
        v = self._view
        return tuple(
            sx * np.float32(v.right[i]) + sy * np.float32(v.up[i]) + np.float32(v.forward[i])
            for i in range(3)
        )

    def _draw_backdrop(self, empty: np.ndarray) -> None:
        """Sky and ground, one point for each 2 x 2 pixels: they have no sharp edges."""
        view = self._view
        height, width = (view.height + 1) // 2, (view.width + 1) // 2
        padded = np.zeros((2 * height, 2 * width), bool)
        padded[: view.height, : view.width] = empty.reshape(view.height, view.width)
        blocks = padded.reshape(height, 2, width, 2)
        wanted = np.flatnonzero(blocks.any(axis=(1, 3)))
        rows, columns = np.divmod(wanted, width)
        sx = (2 * columns + (1 - view.width / 2)) / view.scale
        sy = ((view.height / 2 - 1) - 2 * rows) / view.scale
        dx, dy, dz = self._direction(sx.astype(np.float32), sy.astype(np.float32))
        rgb = np.zeros((height * width, 3), np.float32)
        water = np.zeros(height * width, bool)
        up = dz > -1e-4
        above = backdrop.sky(self._light, dx[up], dy[up], dz[up])
        backdrop.hills(self._scene, self._light, dx[up], dy[up], dz[up], above)
        rgb[wanted[up]] = above
        down = ~up
        self._draw_ground(wanted[down], dx[down], dy[down], dz[down], rgb, water)
        large = (slice(view.height), slice(view.width))
        fine = rgb.reshape(height, width, 3).repeat(2, axis=0).repeat(2, axis=1)[large]
        self._rgb[:] = fine.reshape(-1, 3)
        fine_water = water.reshape(height, width).repeat(2, axis=0).repeat(2, axis=1)[large]
        self._water = fine_water & empty.reshape(view.height, view.width)

    def _draw_ground(self, at, dx, dy, dz, rgb: np.ndarray, water: np.ndarray) -> None:
        """Paints the ground seen in directions (dx, dy, dz) into rows `at` of rgb and water."""
        eye, light = self._view.eye, self._light
        depth = np.float32(-eye[2]) / dz
        x = np.float32(eye[0]) + depth * dx
        y = np.float32(eye[1]) + depth * dy
        footprint = depth / np.float32(self._view.scale) * 3
        for kind, pick in backdrop.ground_kind(self._scene.ground, x, y):
            if not len(pick):
                continue
            px, py = x[pick], y[pick]
            colour = backdrop.paint_ground(self._scene.ground, kind, px, py, footprint[pick])
            is_water = kind == "water"
            if light.snow and not is_water:
                colour += np.float32(0.9 * light.snow) * (np.float32(0.82) - colour)
            total = np.broadcast_to(np.array(light.ambient, np.float32), colour.shape).copy()
            if self._shadow is not None:
                clear = self._shadow.clear(px, py, np.zeros_like(px))
                total += clear[:, None] * (
                    np.array(light.sun_colour, np.float32) * np.float32(light.sun[2])
                )
            if max(light.flood):
                # Light that spills from the floodlit landmark.
                spill = np.float32(160) / (160 + px * px + py * py)
                total += (np.float32(0.5) * spill)[:, None] * np.array(light.flood, np.float32)
            rgb[at[pick]] = self._in_air(colour * total, depth[pick])
            if is_water or (light.wet and kind in backdrop.PAVED):
                water[at[pick]] = True

    def _in_air(self, rgb: np.ndarray, depth: np.ndarray) -> np.ndarray:
        square = depth * depth
        haze = (square / (square + np.float32(self._light.fog) ** 2))[:, None]
        rgb *= 1 - haze
        rgb += haze * np.array(self._light.horizon, np.float32)
        return rgb

    def _reflect(self) -> None:
        view = self._view
        if not self._water.any() or abs(view.forward[2]) > 0.7:
            return
        level = np.float32(view.forward[2] / view.up[2])
        horizon = float(view.height / 2 + view.scale * level)
        distance = sum((a - b) ** 2 for a, b in zip(view.eye[:2], (0.0, 0.0), strict=True)) ** 0.5
        shift = view.scale * view.eye[2] / max(distance, 10.0)
        strength = self._light.wet * 0.5 if self._light.wet else 0.65
        backdrop.mirror(self.rgb, self._water, horizon, shift, strength)

    # Faces

    def _draw_faces(self, at: np.ndarray, ids: np.ndarray) -> None:
        if not len(at):
            return
        scene, view = self._scene, self._view
        order = np.argsort(scene.material_of[ids[at]], kind="stable")
        at = at[order]
        face = ids[at]
        sx, sy = self._sx[at], self._sy[at]
        table = [np.take(column, face) for column in _view_table(scene, view)]
        depth = table[0] / (table[1] * sx + table[2] * sy + table[3])
        depth = np.clip(depth, 0, _FAR)
        u = table[4] + depth * (table[5] * sx + table[6] * sy + table[7])
        v = table[8] + depth * (table[9] * sx + table[10] * sy + table[11])
        surface = Surface(
            u=u,
            v=v,
            width=scene.width.astype(np.float32)[face],
            height=scene.height.astype(np.float32)[face],
            footprint=depth / np.float32(view.scale),
            face=_wall_numbers(scene)[face],
        )
        rgb, glow = self._paint(surface, scene.material_of[face])
        dx, dy, dz = self._direction(sx, sy)
        x, y, z = (np.float32(e) + depth * d for e, d in zip(view.eye, (dx, dy, dz), strict=True))
        light = self._light
        sunny, height = self._lambert(face, x, y)
        if light.snow:
            cover = np.float32(light.snow) * np.clip(height * 3 - 1, 0, 1)
            rgb += cover[:, None] * (np.float32(0.85) - rgb)
        near_ground = np.float32(0.72) + np.float32(0.28) * np.clip(z / 4, 0, 1)
        total = self._ambient()[face] * near_ground[:, None]
        if self._shadow is not None:
            lit = np.flatnonzero(sunny > 0)
            clear = self._shadow.clear(x[lit], y[lit], z[lit])
            total[lit] += (sunny[lit] * clear)[:, None] * np.array(light.sun_colour, np.float32)
        if max(light.flood):
            self._flood(face, u, z, total)
        self._rgb[at] = self._in_air(rgb * total + glow, depth)

    def _paint(self, surface: Surface, material: np.ndarray):
        """Paints runs of equal material (`material` is sorted)."""
        count = len(material)
        rgb, glow = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
        edges = np.flatnonzero(np.diff(material)) + 1
        for begin, end in zip([0, *edges.tolist()], [*edges.tolist(), count], strict=True):
            name = self._scene.names[material[begin]]
            part = Surface(
                *(getattr(surface, slot)[begin:end] for slot in Surface.__slots__)
            )  # in the order of the fields
            rgb[begin:end], glow[begin:end] = paint(
                self._scene.materials[name], part, self._light.lit_share
            )
        return rgb, glow

    def _ambient(self) -> np.ndarray:
        """(F, 3) light from the sky and from the ground on each face."""
        up = (0.5 + 0.5 * self._scene.normal[:, 2:3]).astype(np.float32)
        sky, ground = (np.array(c, np.float32) for c in (self._light.ambient, self._light.bounce))
        return up * sky + (1 - up) * ground

    def _lambert(self, face, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Cosine to the sun and z component of the normal; round bodies are smooth."""
        scene, sun = self._scene, self._light.sun
        n = scene.normal
        flat = (n[:, 0] * sun[0] + n[:, 1] * sun[1] + n[:, 2] * sun[2]).astype(np.float32)
        sunny = np.where(scene.two_sided, np.abs(flat), flat)[face]
        height = n[:, 2].astype(np.float32)[face]
        smooth = np.flatnonzero(~np.isnan(scene.axis[:, 0])[face])
        if len(smooth):
            axis = scene.axis.astype(np.float32)[face[smooth]]
            rx, ry = x[smooth] - axis[:, 0], y[smooth] - axis[:, 1]
            nz = height[smooth]
            radial = np.sqrt(np.maximum(1 - nz * nz, 0)) / np.sqrt(rx * rx + ry * ry + 1e-6)
            sunny[smooth] = radial * (rx * np.float32(sun[0]) + ry * np.float32(sun[1])) + (
                nz * np.float32(sun[2])
            )
        return np.maximum(sunny, 0), height

    def _flood(self, face, u, z, total: np.ndarray) -> None:
        """Floodlights at the foot of the landmark, spaced along its walls."""
        own = self._scene.landmark[face]
        reach = np.float32(max(self._scene.stage.height, 12.0) * 0.6)
        fall = 1 / (1 + (z / reach) * (z / reach))
        spot = u / np.float32(7)
        spot = np.abs(spot - np.floor(spot) - np.float32(0.5)) * 2
        strength = np.where(own, fall * (np.float32(0.65) + np.float32(0.35) * spot), 0.04)
        total += strength[:, None] * np.array(self._light.flood, np.float32)

    # Sprites

    def _draw_sprites(self, canvas: Canvas, at: np.ndarray, ids: np.ndarray) -> None:
        if not len(at):
            return
        view, light = self._view, self._light
        shape = ids[at] - self._count
        tints = np.array([linear(tint) for _, tint in canvas.shapes], np.float32)
        glow = np.array([sprite.light for sprite, _ in canvas.shapes], np.float32)
        anchors = np.array([sprite.anchor for sprite, _ in canvas.shapes], np.float64)
        depth = sum((anchors[:, i] - view.eye[i]) * view.forward[i] for i in range(3)).astype(
            np.float32
        )[shape]
        # Texture fixed to the sprite: pixel position over its size on the frame.
        x, y = self._sx[at] * depth, self._sy[at] * depth
        tone = 1 + np.float32(0.22) * noise(x, y, 14.0) + np.float32(0.12) * noise(y, x, 40.0)
        rgb = tints[shape] * tone[:, None]
        if light.snow:
            rgb += np.float32(0.25 * light.snow) * (np.float32(0.8) - rgb)
        behind = dot(view.forward, light.sun)  # > 0: the sun shines into the camera
        lit = np.array(light.ambient, np.float32) * np.float32(0.85)
        lit = lit + np.array(light.sun_colour, np.float32) * np.float32(0.45 - 0.25 * behind)
        lit = lit + np.array(light.flood, np.float32) * np.float32(0.06)
        shine = glow[shape][:, None] * np.array((1.0, 0.8, 0.5), np.float32)
        shine = shine * np.float32(2.0 if light.lit_share > 0.2 else 0.2)
        self._rgb[at] = self._in_air(rgb * lit + shine, depth)


def _view_table(scene: Scene, view: View) -> np.ndarray:
    """(12, F) float32: plane and surface coordinates as functions of the pixel."""
    eye = np.array(view.eye)

    def against(vectors: np.ndarray, other) -> np.ndarray:
        return vectors[:, 0] * other[0] + vectors[:, 1] * other[1] + vectors[:, 2] * other[2]

    axes = (view.right, view.up, view.forward)
    start = eye - scene.origin
    columns = [scene.offset - against(scene.normal, eye)]
    columns += [against(scene.normal, axis) for axis in axes]
    for vectors in (scene.along, scene.up):
        columns.append((start * vectors)[:, 0] + (start * vectors)[:, 1] + (start * vectors)[:, 2])
        columns += [against(vectors, axis) for axis in axes]
    return np.stack(columns).astype(np.float32)


def _wall_numbers(scene: Scene) -> np.ndarray:
    """The same number for all faces of a wall, so that its blocks and windows go on evenly."""
    return np.rint(scene.offset * 8).astype(np.int32).view(np.uint32)
