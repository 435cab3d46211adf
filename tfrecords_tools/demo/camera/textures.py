"""Paints materials: surface coordinates in, colour and light of its own out.

Colours are linear in the sense of a gamma of 2 (linear = sRGB squared), because a square root is
rounded the same way on every machine. For the same reason only + - * / sqrt, comparisons and
integer arithmetic touch pixels: pictures must not depend on the processor.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from tfrecords_tools.demo.world.materials import Band, Braces, Colour, Disc, Material, Posts, Row

_GLASS = np.array([0.010, 0.014, 0.022], np.float32)
_LAMP = np.array([1.0, 0.72, 0.34], np.float32)


@dataclass(slots=True)
class Surface:
    """Points of one material, all arrays (N,).

    Attributes:
        u, v: surface coordinates, metres.
        width, height: extent of the wall, metres.
        footprint: size of a pixel on the surface, metres.
        face: number of the face, for variation between walls, uint32.
    """

    u: np.ndarray
    v: np.ndarray
    width: np.ndarray
    height: np.ndarray
    footprint: np.ndarray
    face: np.ndarray


def linear(colour: Colour) -> np.ndarray:
    """(3,) float32, 0..1, of an sRGB colour 0..255."""
    c = np.array(colour, np.float32) / np.float32(255)
    return c * c


@cache
def noise_table() -> np.ndarray:
    """(256, 256) float32 in -1..1: smooth tileable noise, a texel is a quarter of a metre."""
    rng = np.random.Generator(np.random.PCG64(20_200_401))
    total = np.zeros((256, 256), np.float32)
    for cells, weight in ((8, 0.5), (32, 0.3), (128, 0.2)):
        small = rng.integers(0, 256, (cells, cells), dtype=np.uint8)
        tiled = Image.fromarray(np.tile(small, (3, 3)))
        large = np.asarray(tiled.resize((768, 768), Image.BICUBIC))[256:512, 256:512]
        total += np.float32(weight) * (large.astype(np.float32) / np.float32(127.5) - 1)
    return total


def noise(u: np.ndarray, v: np.ndarray, texels_per_unit: float = 4.0) -> np.ndarray:
    """Smooth noise in -1..1 at surface points."""
    scale = np.float32(texels_per_unit)
    i = (u * scale).astype(np.int32) & 255
    j = (v * scale).astype(np.int32) & 255
    return noise_table()[j, i]


def hashed(*keys: np.ndarray) -> np.ndarray:
    """(N,) float32 in 0..1: a fixed pseudo-random number for each tuple of integers."""
    total = np.uint32(0x9E3779B9)
    for number, key in enumerate(keys):
        total = (total ^ key.astype(np.int32).view(np.uint32)) * np.uint32(0x85EBCA6B + 2 * number)
        total = total ^ (total >> np.uint32(13))
    total = total * np.uint32(0xC2B2AE35)
    return (total >> np.uint32(8)).astype(np.float32) * np.float32(1 / 16_777_216)


def paint(material: Material, surface: Surface, lit_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Colour and emission of points of a material.

    Args:
        material: what to paint.
        surface: where.
        lit_share: fraction of the windows with light behind them, 0 by day.

    Returns:
        Albedo (N, 3) and emitted light (N, 3), linear float32.
    """
    rgb = _pattern(material, surface)
    glow = np.zeros_like(rgb)
    if material.glow:
        glow += rgb * np.float32(material.glow)
    for feature in material.features:
        if isinstance(feature, Row):
            _paint_row(feature, surface, rgb, glow, lit_share)
        elif isinstance(feature, Band):
            low = _from_top(feature.bottom, surface)
            _tint((surface.v >= low) & (surface.v < low + feature.height), feature, rgb)
        elif isinstance(feature, Posts):
            _paint_posts(feature, surface, rgb)
        elif isinstance(feature, Disc):
            _paint_disc(feature, surface, rgb, glow, lit_share)
        elif isinstance(feature, Braces):
            _paint_braces(feature, surface, rgb)
    return rgb, glow


def _fade(size: float, surface: Surface) -> np.ndarray:
    """1 where details of `size` metres are resolved, 0 where they are smaller than a pixel."""
    return np.clip(np.float32(1.3) - surface.footprint / np.float32(0.6 * size), 0, 1)


def _pattern(material: Material, s: Surface) -> np.ndarray:
    base = linear(material.colour)
    count = len(s.u)
    if material.pattern == "flat":
        return np.broadcast_to(base, (count, 3)).copy()
    tone = 1 + np.float32(0.10) * noise(s.u, s.v, 1.0) + np.float32(0.05) * noise(s.v, s.u, 7.0)
    contrast = np.float32(material.contrast)
    size = np.float32(material.size)
    row_at = s.v / size
    row = np.floor(row_at)
    inside = row_at - row
    if material.pattern in ("blocks", "tiles"):
        shift = np.where(row.astype(np.int32) & 1, np.float32(0.5), np.float32(0))
        column_at = s.u / np.float32(material.length) + shift
        column = np.floor(column_at)
        fade = _fade(material.size, s)
        tone += contrast * fade * (2 * hashed(row, column, s.face) - 1)
        if material.pattern == "tiles":
            tone -= 2 * contrast * fade * (1 - inside) * (1 - inside)
        else:
            joint = (inside < 0.1) | (column_at - column < np.float32(0.1 * size / material.length))
            tone -= np.where(joint, 1.6 * contrast * fade, np.float32(0))
    elif material.pattern == "planks":
        column = np.floor(s.u / size)
        fade = _fade(material.size, s)
        tone += contrast * fade * (2 * hashed(column, s.face) - 1)
    elif material.pattern == "rough":
        tone += 2 * contrast * noise(s.u, s.v, 2.0) + contrast * noise(s.v, s.u, 9.0)
    rgb = base * np.maximum(tone, np.float32(0.15))[:, None]
    if material.pattern == "stripes":
        odd = (row.astype(np.int32) & 1).astype(bool)
        rgb[odd] = linear(material.second) * tone[odd, None]
    elif material.pattern == "glass":
        _paint_glass(material, s, rgb, row, inside)
    return rgb


def _paint_glass(material: Material, s: Surface, rgb, row, inside) -> None:
    column_at = s.u / np.float32(material.length)
    column = np.floor(column_at)
    # Panes mirror a brighter sky the higher they are, each a little out of line.
    tone = np.float32(0.75) + np.float32(0.5) * np.clip(s.v / s.height, 0, 1)
    fade = _fade(material.size, s)
    tone += np.float32(material.contrast) * fade * (2 * hashed(row, column, s.face) - 1)
    rgb[:] = linear(material.colour) * tone[:, None]
    mullion = (inside < 0.12) | (column_at - column < 0.1)
    strength = np.where(mullion, np.float32(0.8) * fade, np.float32(0))[:, None]
    rgb += strength * (linear(material.second) - rgb)


def _from_top(value: float, s: Surface) -> np.ndarray | np.float32:
    return np.float32(value) if value >= 0 else s.height + np.float32(value)


def _tint(mask: np.ndarray, feature: Band | Posts, rgb: np.ndarray) -> None:
    if feature.colour is not None:
        rgb[mask] = linear(feature.colour)
    else:
        rgb[mask] *= np.float32(feature.tone)


def _bays(width: np.ndarray, bay: float) -> np.ndarray:
    return np.maximum(np.rint(width / np.float32(bay)), 1)


def _paint_posts(feature: Posts, s: Surface, rgb: np.ndarray) -> None:
    pitch = s.width / _bays(s.width, feature.bay)
    at = s.u / pitch
    distance = np.abs(at - np.rint(at)) * pitch
    mask = distance < np.float32(feature.width / 2)
    if feature.bottom or feature.top:
        mask &= (s.v >= feature.bottom) & (s.v < s.height - np.float32(feature.top))
    _tint(mask, feature, rgb)


def _paint_braces(feature: Braces, s: Surface, rgb: np.ndarray) -> None:
    mask = np.zeros(len(s.u), bool)
    for diagonal in (s.u + s.v, s.u - s.v):
        at = diagonal / np.float32(feature.size)
        mask |= np.abs(at - np.rint(at)) * np.float32(feature.size) < np.float32(feature.width)
    rgb[mask] = linear(feature.colour)


def _paint_disc(feature: Disc, s: Surface, rgb, glow, lit_share: float) -> None:
    x = s.u - s.width / 2
    y = s.v - _from_top(feature.centre, s)
    radius = np.float32(feature.radius)
    square = x * x + y * y
    outer = square < radius * radius * np.float32(1.2)
    if not outer.any():
        return
    inner = square < radius * radius
    rgb[outer] *= np.float32(1.2)
    if feature.kind == "clock":
        rgb[inner] = linear((238, 234, 220))
        ring = inner & (square > radius * radius * np.float32(0.72))
        hands = inner & (
            ((np.abs(x) < radius * 0.07) & (y > 0) & (y < radius * 0.75))
            | ((np.abs(y) < radius * 0.07) & (x > 0) & (x < radius * 0.55))
        )
        rgb[ring | hands] = linear((40, 38, 36))
        if lit_share:
            glow[inner & ~hands] = _LAMP * np.float32(0.5)
        return
    rgb[inner] = linear(feature.colour) if feature.kind == "rose" else _GLASS
    if feature.kind == "rose":
        hub = square < radius * radius * np.float32(0.08)
        spokes = (np.abs(x) < radius * 0.08) | (np.abs(y) < radius * 0.08)
        spokes |= np.abs(np.abs(x) - np.abs(y)) < radius * np.float32(0.1)
        rgb[inner & (spokes | hub)] = linear((190, 180, 160))
        if lit_share:
            glow[inner & ~spokes] = _LAMP * np.float32(0.35)


def _opening(shape: str, dx, dy, half: float, height: float) -> np.ndarray:
    """Mask of points (dx from the middle, dy from the sill) inside an opening."""
    across = np.abs(dx)
    half, height = np.float32(half), np.float32(height)
    if shape == "circle":
        middle = dy - height / 2
        return dx * dx + middle * middle < height * height / 4
    inside = (across < half) & (dy >= 0)
    if shape == "rect":
        return inside & (dy < height)
    if shape == "round":
        over = np.maximum(dy - (height - half), 0)
        return inside & (across * across + over * over < half * half)
    if shape == "pointed":
        # Two arcs of radius 2 * half about the opposite springing points.
        over = np.maximum(dy - (height - half * np.float32(1.732)), 0)
        reach = across + half
        return inside & (reach * reach + over * over < 4 * half * half)
    raise ValueError(f"Unknown shape of an opening: {shape!r}.")


def _paint_row(row: Row, s: Surface, rgb, glow, lit_share: float) -> None:
    room = s.width - np.float32(2 * row.margin)
    bays = _bays(room, row.bay) if row.bay else np.float32(1)
    pitch = room / bays
    at = (s.u - np.float32(row.margin)) / pitch - np.float32(row.shift)
    column = np.floor(at)
    dx = (at - column - np.float32(0.5)) * pitch
    dy = s.v - _from_top(row.bottom, s)
    valid = (column >= 0) & (column < bays)
    storey = np.float32(0)
    if row.storeys != 1:
        storey = np.maximum(np.floor(dy / np.float32(row.pitch)), 0)
        if row.storeys:
            storey = np.minimum(storey, row.storeys - 1)
        else:
            highest = s.height - np.float32(row.clear + row.bottom + row.height)
            storey = np.minimum(storey, np.floor(highest / np.float32(row.pitch)))
        dy = dy - storey * np.float32(row.pitch)
    if row.frame:
        wide = _opening(
            row.shape, dx, dy + row.frame, row.width / 2 + row.frame, row.height + 2 * row.frame
        )
        rgb[valid & wide] *= np.float32(1.28)
    inside = np.flatnonzero(valid & _opening(row.shape, dx, dy, row.width / 2, row.height))
    if not len(inside):
        return
    x, y = dx[inside], dy[inside]
    if row.kind == "niche":
        rgb[inside] *= np.float32(0.55)
        return
    # The head of an opening lies in the shadow of its lintel.
    depth = np.float32(0.55) + np.float32(0.45) * np.clip((row.height - y) / row.height * 2, 0, 1)
    if row.kind == "dark":
        rgb[inside] *= (np.float32(0.13) * depth)[:, None]
        if lit_share > 0.2:
            glow[inside] += _LAMP * np.float32(0.08)
        return
    level = np.broadcast_to(storey, s.u.shape)[inside]
    draw = hashed(column[inside], level, s.face[inside])
    tone = depth * (np.float32(0.6) + np.float32(2.2) * draw * draw)
    rgb[inside] = _GLASS * tone[:, None]
    if row.width > 0.9 and row.shape != "circle":
        bar = (np.abs(x) < 0.06) & (s.footprint[inside] < 0.15)
        rgb[inside[bar]] = np.float32(0.35)
    if lit_share:
        lit = inside[draw < lit_share]
        glow[lit] = _LAMP * (np.float32(0.35) + np.float32(0.6) * draw[draw < lit_share, None])
