"""From light to a file: exposure, tone, weather in the air, lens faults, noise, JPEG."""

from __future__ import annotations

import io
import math
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tfrecords_tools.demo.camera.light import Light

_STEPS = 4096
_WHITEST = 4.0  # light that no exposure can show brighter


@cache
def _tone_curve() -> np.ndarray:
    """(4096,) uint8: a film-like curve over light in 0..4, ending in a square root."""
    values = []
    for step in range(_STEPS):
        x = step / (_STEPS - 1) * _WHITEST
        y = 1 - math.exp(-1.55 * x)
        values.append(round(255 * math.sqrt(min(1.0, 1.06 * y))) if y < 1 / 1.06 else 255)
    return np.array(values, np.uint8)


def develop(rng: np.random.Generator, light: np.ndarray, condition: Light) -> Image.Image:
    """(H, W, 3) linear light -> RGB picture, with exposure and white balance of this shot."""
    mean = _mean(light)
    wanted = {"night": 0.10, "dusk": 0.20}.get(condition.name, 0.36)
    # The camera half corrects for a dark or bright motif; the person adds an error of their own.
    exposure = math.sqrt(wanted / max(mean, 0.02)) * 2.0 ** rng.normal(0, 0.28)
    exposure = min(exposure, 2.2)
    warm, tint = rng.normal(0, 0.06), rng.normal(0, 0.025)
    if rng.random() < 0.08:
        warm += rng.choice([-0.16, 0.16])
    gains = (exposure * (1 + warm), exposure * (1 + tint), exposure * (1 - warm))
    scale = np.array(gains, np.float32) * np.float32((_STEPS - 1) / _WHITEST)
    steps = np.clip(light * scale, 0, _STEPS - 1).astype(np.int32)
    image = Image.fromarray(_tone_curve()[steps])
    saturation = rng.normal(1.0, 0.14)
    if rng.random() < 0.02:
        saturation = 0.0
    return _saturate(image, max(0.0, saturation)) if abs(saturation - 1) > 0.03 else image


def _mean(light: np.ndarray) -> float:
    """Mean light. In whole numbers: a sum of floats depends on the order of summation."""
    whole = np.clip(light[::4, ::4] * np.float32(4096), 0, 16384).astype(np.int64)
    return int(whole.sum()) / whole.size / 4096


def _saturate(image: Image.Image, factor: float) -> Image.Image:
    grey = image.convert("L").convert("RGB")
    return Image.blend(grey, image, factor)


def finish(rng: np.random.Generator, image: Image.Image, condition: Light) -> Image.Image:
    """What weather, lens and sensor add, at the final size."""
    if condition.fall:
        image = _falling(rng, image, condition.fall)
    draw = rng.random()
    if draw < 0.16:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.3)))
    elif draw < 0.20:
        image = _shaken(rng, image)
    elif draw < 0.40:
        image = image.filter(ImageFilter.UnsharpMask(1.2, int(rng.integers(40, 130)), 2))
    pixels = np.asarray(image).astype(np.int16)
    if rng.random() < 0.25:
        pixels = _vignette(pixels, rng.uniform(0.15, 0.45))
    strength = rng.uniform(0, 5)
    if condition.name in ("night", "dusk"):
        strength += rng.uniform(1, 7)
    if strength > 0.8:
        pixels = _noisy(rng, pixels, strength)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def _falling(rng: np.random.Generator, image: Image.Image, what: str) -> Image.Image:
    layer = image.copy()
    draw = ImageDraw.Draw(layer)
    width, height = image.size
    slant = rng.uniform(-0.25, 0.25)
    for _ in range(width * height // (260 if what == "rain" else 320)):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        if what == "rain":
            length = rng.uniform(5, 16)
            draw.line([x, y, x + slant * length, y + length], fill=(205, 210, 216))
        else:
            r = rng.uniform(0.4, 1.5)
            draw.ellipse([x - r, y - r, x + r, y + r], fill=(246, 247, 250))
    return Image.blend(image, layer, 0.4 if what == "rain" else 0.85)


def _shaken(rng: np.random.Generator, image: Image.Image) -> Image.Image:
    """Camera shake: the mean of a few shifted copies."""
    length, angle = rng.uniform(1.5, 4), rng.uniform(0, math.pi)
    pixels = np.asarray(image).astype(np.int32)
    total = np.zeros_like(pixels)
    for k in range(5):
        t = (k / 4 - 0.5) * length
        shift = (round(t * math.sin(angle)), round(t * math.cos(angle)))
        total += np.roll(pixels, shift, axis=(0, 1))
    return Image.fromarray((total // 5).astype(np.uint8))


def _vignette(pixels: np.ndarray, strength: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, width, dtype=np.float32)[None, :]
    dim = 1 - np.float32(strength) * (x * x + y * y) / 2
    return (pixels * dim[:, :, None]).astype(np.int16)


def _noisy(rng: np.random.Generator, pixels: np.ndarray, strength: float) -> np.ndarray:
    """Adds noise with a triangular distribution of standard deviation `strength`."""
    one, two = (rng.integers(0, 256, pixels.shape, dtype=np.uint8).astype(np.int32) for _ in "ab")
    return pixels + ((one - two) * round(strength * 65_536 / 104.5) // 65_536).astype(np.int16)


def encode_jpeg(rng: np.random.Generator, image: Image.Image) -> bytes:
    """JPEG with a quality and colour subsampling drawn independently of the picture."""
    out = io.BytesIO()
    quality = int(rng.integers(42, 94))
    image.save(out, "JPEG", quality=quality, subsampling=int(rng.choice([0, 2, 2])))
    return out.getvalue()
