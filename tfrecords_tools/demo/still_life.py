"""Flat pictures without a landmark: people, flowers, food, animals, printed pages."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Rng = np.random.Generator
Size = tuple[int, int]
Rgb = tuple[int, int, int]


def _colour(rng: Rng, base: tuple[float, float, float], spread: float = 18) -> Rgb:
    return tuple(int(min(255, max(0, c + rng.uniform(-spread, spread)))) for c in base)


def _pick(rng: Rng, choices):
    return choices[int(rng.integers(len(choices)))]


def _any_colour(rng: Rng) -> Rgb:
    return tuple(int(c) for c in rng.integers(20, 240, 3))


def _backdrop(rng: Rng, size: Size, palette) -> Image.Image:
    """A blurred background of soft discs, as behind a motif in focus."""
    width, height = size
    small = Image.new("RGB", (48, 48), _colour(rng, _pick(rng, palette)))
    draw = ImageDraw.Draw(small)
    for _ in range(16):
        x, y, r = rng.uniform(0, 48), rng.uniform(0, 48), rng.uniform(3, 14)
        draw.ellipse([x - r, y - r, x + r, y + r], fill=_colour(rng, _pick(rng, palette)))
    soft = small.filter(ImageFilter.GaussianBlur(4))
    return soft.resize((width, height), Image.BICUBIC)


def _disc(draw, x: float, y: float, rx: float, ry: float, fill: Rgb) -> None:
    draw.ellipse([x - rx, y - ry, x + rx, y + ry], fill=fill)


_OUTDOORS = ((90, 130, 70), (130, 160, 190), (160, 150, 110), (60, 90, 60), (200, 200, 190))
_INDOORS = ((180, 160, 140), (120, 100, 90), (210, 205, 195), (90, 100, 120), (60, 50, 46))


def portrait(rng: Rng, size: Size) -> Image.Image:
    """One to three people from the chest up."""
    image = _backdrop(rng, size, _pick(rng, (_OUTDOORS, _INDOORS)))
    draw = ImageDraw.Draw(image)
    width, height = size
    count = int(rng.integers(1, 4))
    unit = min(height * 0.2, width * 0.3 / count) * rng.uniform(0.8, 1.2)
    for k in range(count):
        x = width * (k + 0.5 + rng.uniform(-0.15, 0.15)) / count
        y = height * rng.uniform(0.36, 0.46)
        skin = _pick(rng, ((228, 184, 154), (156, 110, 80), (98, 68, 50), (242, 208, 182)))
        hair = _colour(rng, _pick(rng, ((46, 34, 26), (22, 20, 20), (188, 150, 92), (140, 70, 40))))
        cloth = _any_colour(rng)
        _disc(draw, x, y - unit * 0.1, unit * 0.98, unit * rng.uniform(1.2, 1.7), hair)
        draw.rectangle(
            [x - unit * 0.35, y + unit * 0.6, x + unit * 0.35, y + unit * 1.7], fill=skin
        )
        _disc(draw, x, y + unit * 3.3, unit * 2.0, unit * 1.9, cloth)
        _disc(draw, x, y + unit * 0.12, unit * 0.8, unit * 1.05, skin)
        dark = tuple(int(c * 0.35) for c in skin)
        for side in (-1, 1):
            _disc(draw, x + side * unit * 0.3, y, unit * 0.12, unit * 0.08, (245, 245, 240))
            _disc(draw, x + side * unit * 0.3, y, unit * 0.06, unit * 0.08, (40, 36, 34))
            near, far = x + side * unit * 0.15, x + side * unit * 0.48
            brow = [near, y - unit * 0.22, far, y - unit * 0.2]
            draw.line(brow, fill=hair, width=max(1, int(unit * 0.07)))
        draw.line([x, y + unit * 0.05, x - unit * 0.05, y + unit * 0.4], fill=dark, width=1)
        box = [x - unit * 0.3, y + unit * 0.4, x + unit * 0.3, y + unit * 0.75]
        draw.chord(box, 10, 170, fill=(176, 70, 70))
        draw.chord(
            [x - unit * 0.85, y - unit * 1.05, x + unit * 0.85, y + unit * 0.5], 190, 350, fill=hair
        )
    return image


def flowers(rng: Rng, size: Size) -> Image.Image:
    """Blossoms of one kind among leaves."""
    image = _backdrop(rng, size, ((50, 90, 44), (80, 120, 60), (40, 70, 40), (120, 140, 80)))
    draw = ImageDraw.Draw(image)
    width, height = size
    petal = _any_colour(rng)
    heart = _pick(rng, ((230, 190, 40), (90, 60, 30), (240, 230, 160)))
    petals = int(rng.integers(5, 14))
    for _ in range(int(rng.integers(1, 14))):
        x, y = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.85) * height
        r = min(size) * rng.uniform(0.07, 0.28)
        draw.line(
            [x, y, x + rng.uniform(-30, 30), height], fill=(60, 110, 50), width=max(2, int(r / 9))
        )
        tone = rng.uniform(0.75, 1.15)
        start = rng.uniform(0, 6)
        for ring in (1.0, 0.72):
            shade = tuple(int(min(255, c * tone * (1.12 - 0.25 * ring))) for c in petal)
            for k in range(petals):
                a = start + 2 * math.pi * k / petals + ring
                cx, cy = x + 0.6 * r * ring * math.cos(a), y + 0.6 * r * ring * math.sin(a)
                half = r * ring * 2.2 / petals + r * 0.08
                tip = (x + r * ring * math.cos(a), y + r * ring * math.sin(a))
                left = (cx - half * math.sin(a), cy + half * math.cos(a))
                right = (cx + half * math.sin(a), cy - half * math.cos(a))
                draw.polygon([(x, y), left, tip, right], fill=shade)
        _disc(draw, x, y, r * 0.24, r * 0.24, heart)
    return image


def food(rng: Rng, size: Size) -> Image.Image:
    """A plate on a table, from above."""
    image = Image.new(
        "RGB", size, _colour(rng, _pick(rng, ((120, 84, 56), (200, 196, 188), (60, 66, 74))))
    )
    draw = ImageDraw.Draw(image)
    width, height = size
    for x in range(0, width, max(8, width // 9)):
        draw.line(
            [x, 0, x + int(rng.integers(-6, 7)), height], fill=_colour(rng, (110, 80, 60)), width=2
        )
    for _ in range(int(rng.integers(1, 4))):
        x, y = width * rng.uniform(0.25, 0.75), height * rng.uniform(0.25, 0.75)
        r = min(size) * rng.uniform(0.26, 0.46)
        _disc(draw, x + r * 0.05, y + r * 0.06, r, r, (50, 42, 38))
        plate = _colour(rng, (232, 230, 224), 14)
        _disc(draw, x, y, r, r, plate)
        _disc(draw, x, y, r * 0.72, r * 0.72, tuple(int(c * 0.93) for c in plate))
        palette = [_any_colour(rng) for _ in range(3)] + [(170, 110, 60), (90, 140, 60)]
        for _ in range(int(rng.integers(8, 40))):
            a, d = rng.uniform(0, 2 * math.pi), r * 0.6 * math.sqrt(rng.random())
            s = r * rng.uniform(0.06, 0.2)
            px, py = x + d * math.cos(a), y + d * math.sin(a)
            colour = _colour(rng, _pick(rng, palette))
            _disc(draw, px, py, s, s * rng.uniform(0.5, 1), colour)
            light = tuple(min(255, c + 40) for c in colour)
            _disc(draw, px - s * 0.25, py - s * 0.25, s * 0.3, s * 0.2, light)
    return image


def animal(rng: Rng, size: Size) -> Image.Image:
    """A four-legged animal or a bird on grass."""
    image = _backdrop(rng, size, _OUTDOORS)
    draw = ImageDraw.Draw(image)
    width, height = size
    ground = height * rng.uniform(0.7, 0.85)
    draw.rectangle([0, ground, width, height], fill=_colour(rng, (100, 130, 66)))
    u = min(size) * rng.uniform(0.16, 0.24)
    x, side = width * rng.uniform(0.4, 0.6), int(_pick(rng, (-1, 1)))
    fur = _colour(rng, _pick(rng, ((120, 84, 56), (60, 54, 50), (214, 200, 176), (170, 120, 70))))
    dark = tuple(int(c * 0.7) for c in fur)
    legs = 2 if rng.random() < 0.3 else 4
    body = ground - u * (0.9 if legs == 4 else 1.2)
    for k in range(legs):
        lx = x + (k - (legs - 1) / 2) * u * (0.6 if legs == 4 else 0.4)
        draw.rectangle([lx - u * 0.09, body, lx + u * 0.09, ground + u * 0.1], fill=dark)
    _disc(draw, x, body, u * 1.25, u * 0.62, fur)
    root = x - side * u * 1.1
    tip = (x - side * u * 1.9, body - u * rng.uniform(-0.3, 0.9))
    draw.polygon([(root, body - u * 0.2), tip, (root, body + u * 0.1)], fill=dark)
    hx, hy = x + side * u * 1.3, body - u * rng.uniform(0.4, 1.0)
    neck = [
        (x + side * u * 0.6, body - u * 0.4),
        (hx - side * u * 0.2, hy - u * 0.2),
        (hx + side * u * 0.2, hy + u * 0.3),
        (x + side * u * 1.1, body + u * 0.2),
    ]
    draw.polygon(neck, fill=fur)
    _disc(draw, hx, hy, u * 0.46, u * 0.4, fur)
    _disc(draw, hx + side * u * 0.4, hy + u * 0.1, u * 0.3, u * 0.2, dark)
    for ear in (-0.15, 0.2):
        middle = hx + ear * u
        low = [(middle - u * 0.12, hy - u * 0.3), (middle + u * 0.12, hy - u * 0.3)]
        draw.polygon([*low, (middle - side * u * 0.1, hy - u * 0.75)], fill=dark)
    _disc(draw, hx + side * u * 0.15, hy - u * 0.1, u * 0.06, u * 0.06, (16, 16, 16))
    return image


def page(rng: Rng, size: Size) -> Image.Image:
    """A printed page, a plan or an old engraving."""
    width, height = size
    paper = _colour(rng, (236, 230, 214), 16)
    table = _any_colour(rng)
    image = Image.new("RGB", size, table)
    draw = ImageDraw.Draw(image)
    margin = int(min(size) * rng.uniform(0.02, 0.12))
    draw.rectangle([margin, margin, width - margin, height - margin], fill=paper)
    ink = _colour(rng, (50, 46, 44), 20)
    y, step = 2 * margin + 4, max(4, height // int(rng.integers(16, 34)))
    while y < height - 2 * margin:
        if rng.random() < 0.12 and y < height * 0.6:
            tall = int(height * rng.uniform(0.15, 0.3))
            draw.rectangle(
                [2 * margin, y, width - 2 * margin, y + tall], outline=ink, fill=_any_colour(rng)
            )
            y += tall + step
            continue
        x = 2 * margin
        while x < width - 2 * margin - 4:
            word = int(rng.integers(4, 22))
            draw.line(
                [x, y, min(x + word, width - 2 * margin), y], fill=ink, width=max(1, step // 3)
            )
            x += word + 4
        y += step
    return image.rotate(rng.uniform(-4, 4), Image.BICUBIC, fillcolor=table)


PAINTERS: dict[str, Callable[[Rng, Size], Image.Image]] = {
    "portrait": portrait,
    "flowers": flowers,
    "food": food,
    "animal": animal,
    "page": page,
}
