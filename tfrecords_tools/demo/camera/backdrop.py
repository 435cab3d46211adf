"""What is behind the faces: sky, clouds, hills at the horizon, the ground."""

from __future__ import annotations

import numpy as np

from tfrecords_tools.demo.camera.light import Light
from tfrecords_tools.demo.camera.textures import hashed, linear, noise, noise_table
from tfrecords_tools.demo.world.scene import Ground, Scene

_GROUND_COLOURS = {
    "grass": (104, 122, 66),
    "sand": (206, 184, 140),
    "asphalt": (92, 92, 94),
    "water": (44, 70, 82),
}


PAVED = ("paving", "cobble", "asphalt")  # mirrors when wet


def bilinear_noise(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Smooth noise in -1..1 without visible texels; coordinates in texels."""
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    i, j = x0.astype(np.int32) & 255, y0.astype(np.int32) & 255
    i1, j1 = (i + 1) & 255, (j + 1) & 255
    table = noise_table()
    top = table[j, i] + fx * (table[j, i1] - table[j, i])
    low = table[j1, i] + fx * (table[j1, i1] - table[j1, i])
    return top + fy * (low - top)


def sky(light: Light, dx: np.ndarray, dy: np.ndarray, dz: np.ndarray) -> np.ndarray:
    """(N, 3) linear colour of the sky in directions (dx, dy, dz) of any length."""
    flat = np.sqrt(dx * dx + dy * dy)
    slope = np.clip(dz / flat, 0, 4)
    blend = (slope / (slope + np.float32(0.35)))[:, None]
    horizon = np.array(light.horizon, np.float32)
    rgb = horizon + blend * (np.array(light.zenith, np.float32) - horizon)
    if light.casts_shadows:
        length = np.sqrt(flat * flat + dz * dz)
        s = light.sun
        near = np.maximum((dx * s[0] + dy * s[1] + dz * s[2]) / length, 0).astype(np.float32)
        glow = near * near
        glow = glow * glow
        glow = glow * glow
        halo = glow * glow * glow * glow
        rgb += (0.35 * glow + 1.5 * halo * halo)[:, None] * np.array(light.sun_colour, np.float32)
    if light.clouds > 0:
        _clouds(light, dx, dy, np.maximum(dz, 0.06 * flat), rgb)
    return rgb


def _clouds(light: Light, dx, dy, dz, rgb: np.ndarray) -> None:
    ox, oy = light.seed & 255, light.seed >> 8
    # A layer one unit above the eye.
    x, y = dx / dz * np.float32(6) + ox, dy / dz * np.float32(6) + oy
    shape = bilinear_noise(x, y)
    shape += np.float32(0.45) * bilinear_noise(x * np.float32(3.1), y * np.float32(3.1))
    cover = np.clip((shape + np.float32(1.1 * light.clouds - 0.62)) * np.float32(3.5), 0, 1)
    thick = np.clip((shape + np.float32(light.clouds - 0.9)) * np.float32(1.2), 0, 1)
    colour = np.array(light.cloud_colour, np.float32) * (1 - np.float32(0.35) * thick)[:, None]
    rgb += (np.float32(0.92) * cover)[:, None] * (colour - rgb)


def hills(scene: Scene, light: Light, dx, dy, dz, rgb: np.ndarray) -> None:
    """Paints the hills at the horizon over the sky, in place."""
    flat = np.sqrt(dx * dx + dy * dy)
    # An angle without trigonometry: 0..4 once around.
    along = dx / (np.abs(dx) + np.abs(dy))
    turn = np.where(dy >= 0, 1 - along, 3 + along) * np.float32(len(scene.skyline) / 4)
    left = np.floor(turn).astype(np.int32)
    fraction = turn - left
    table = scene.skyline
    last = len(table) - 1
    a, b = table[left & last], table[(left + 1) & last]
    crest = a + fraction * (b - a)
    slope = dz / flat
    behind = np.flatnonzero(slope < crest)
    tone = np.float32(0.8) + np.float32(0.3) * noise(turn[behind], 60 * slope[behind], 2.0)
    colour = linear(scene.hills) * tone[:, None]
    lit = np.array(light.ambient, np.float32) + np.float32(0.5) * np.array(
        light.sun_colour, np.float32
    )
    colour = colour * (1 - light.snow) + np.float32(0.75 * light.snow)
    haze = np.float32(0.25 + 0.5 * 900 / (900 + light.fog))
    colour = colour * lit
    rgb[behind] = colour + haze * (np.array(light.horizon, np.float32) - colour)


def ground_kind(ground: Ground, x: np.ndarray, y: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Splits ground points by what lies there: [(kind, indices), ...]."""
    kinds = np.zeros(len(x), np.int8)
    if ground.radius > 0:
        edge = ground.radius * ground.radius * (1 + np.float32(0.02) * noise(x, y, 0.5))
        kinds[x * x + y * y < edge] = 1
    if ground.river is not None:
        a, b, low, high = ground.river
        across = x * np.float32(a) + y * np.float32(b)
        kinds[(across > low) & (across < high)] = 2
    names = (ground.base, ground.inner, "water")
    return [(names[k], np.flatnonzero(kinds == k)) for k in range(3)]


def paint_ground(
    ground: Ground, kind: str, x: np.ndarray, y: np.ndarray, footprint: np.ndarray
) -> np.ndarray:
    """(N, 3) linear colour of the ground at points (x, y), metres."""
    if kind in PAVED[:2]:
        size = np.float32(2.0 if kind == "paving" else 0.5)
        i, j = np.floor(x / size), np.floor(y / size)
        fade = np.clip(np.float32(1.3) - footprint / size, 0, 1)
        tone = 1 + np.float32(0.12) * fade * (2 * hashed(i, j) - 1)
        joint = (x / size - i < 0.06) | (y / size - j < 0.06)
        tone -= np.where(joint, np.float32(0.25) * fade, np.float32(0))
        base = linear(ground.tint)
    else:
        strength = {"grass": 0.28, "sand": 0.10, "asphalt": 0.08, "water": 0.0}[kind]
        fade = np.clip(np.float32(1.5) - footprint, 0, 1)
        tone = 1 + np.float32(strength) * (noise(x, y, 0.9) + fade * noise(y, x, 7.0))
        base = linear(_GROUND_COLOURS[kind])
    tone = tone + np.float32(0.08) * noise(x, y, 0.35)
    return base * tone[:, None]


def mirror(rgb: np.ndarray, water: np.ndarray, horizon: float, shift: float, strength: float):
    """Lets water show what is above the horizon line, in place.

    Args:
        rgb: (H, W, 3) picture.
        water: (H, W) bool.
        horizon: row of the horizon at the middle of the frame.
        shift: rows by which the foot of the mirrored things lies below the horizon.
        strength: 0..1.
    """
    rows, columns = np.nonzero(water)
    if not len(rows):
        return
    height, width = water.shape
    below = rows - np.float32(horizon)
    ripple = noise(columns, rows * np.float32(3), 0.35) * (np.float32(1.5) + below * 0.05)
    source = np.rint(2 * (horizon + shift) - rows + ripple).astype(np.int32)
    source = np.clip(source, 0, height - 1)
    across = np.clip(columns + np.rint(ripple * 0.6).astype(np.int32), 0, width - 1)
    seen = rgb[source, across]
    usable = ~water[source, across]
    weight = (np.float32(strength) * usable)[:, None].astype(np.float32)
    rgb[rows, columns] += weight * (seen - rgb[rows, columns])
