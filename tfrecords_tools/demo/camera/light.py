"""Time of day and weather."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from tfrecords_tools.demo.world.mesh import Point, unit

# Weight of each condition among photographs.
_CONDITIONS = {
    "clear": 0.40,
    "overcast": 0.20,
    "golden": 0.12,
    "haze": 0.07,
    "dusk": 0.07,
    "night": 0.07,
    "rain": 0.04,
    "snow": 0.03,
}

Rgb = tuple[float, float, float]


@dataclass(frozen=True)
class Light:
    """Light and air of one picture; colours are linear (see textures), 1 = white in sunlight.

    Attributes:
        name: condition.
        sun: unit vector towards the sun (by day also where it is hidden).
        sun_colour: light of the sun on a surface that faces it; zeros: no shadows.
        ambient, bounce: light from above and from the ground.
        zenith, horizon: colours of the sky.
        clouds: fraction of the sky covered, 0..1.
        cloud_colour: brightest colour of the clouds.
        fog: distance at which half of the light is scattered, metres.
        lit_share: fraction of windows with light, 0..1.
        flood: floodlight on the landmark.
        snow: fraction of upward surfaces that is white.
        wet: water on the ground mirrors, 0..1.
        fall: what falls: '', 'rain' or 'snow'.
        seed: offset of the clouds.
    """

    name: str
    sun: Point
    sun_colour: Rgb
    ambient: Rgb
    bounce: Rgb
    zenith: Rgb
    horizon: Rgb
    clouds: float = 0.2
    cloud_colour: Rgb = (0.95, 0.95, 0.95)
    fog: float = 4000.0
    lit_share: float = 0.0
    flood: Rgb = (0.0, 0.0, 0.0)
    snow: float = 0.0
    wet: float = 0.0
    fall: str = ""
    seed: int = 0

    @property
    def casts_shadows(self) -> bool:
        return max(self.sun_colour) > 0.05


def choose_light(rng: np.random.Generator, flood: Rgb) -> Light:
    """Light of a random picture. `flood`: colour of the landmark's own floodlights."""
    draw = rng.random()
    name = "clear"
    for condition, weight in _CONDITIONS.items():
        if draw < weight:
            name = condition
            break
        draw -= weight
    azimuth = rng.uniform(-math.pi, math.pi)
    elevation = math.radians(rng.uniform(4, 14) if name == "golden" else rng.uniform(22, 68))
    sun = _direction(azimuth, elevation)
    light = _CONDITION_LIGHTS[name](rng, flood)
    return replace(light, sun=sun, seed=int(rng.integers(1 << 16)))


def _direction(azimuth: float, elevation: float) -> Point:
    c = math.cos(elevation)
    return unit((c * math.cos(azimuth), c * math.sin(azimuth), math.sin(elevation)))


_UP = (0.0, 0.0, 1.0)


def _clear(rng, flood) -> Light:
    deep = rng.uniform(0.6, 1.2)
    return Light(
        "clear",
        _UP,
        sun_colour=(1.15, 1.06, 0.92),
        ambient=(0.34, 0.41, 0.53),
        bounce=(0.20, 0.18, 0.15),
        zenith=(0.10 * deep, 0.24 * deep, 0.56 * deep),
        horizon=(0.46, 0.62, 0.80),
        clouds=float(rng.choice([0.0, 0.2, 0.4, 0.6])),
        fog=rng.uniform(1500, 6000),
    )


def _golden(rng, flood) -> Light:
    return Light(
        "golden",
        _UP,
        sun_colour=(1.30, 0.74, 0.36),
        ambient=(0.27, 0.28, 0.36),
        bounce=(0.16, 0.12, 0.08),
        zenith=(0.14, 0.22, 0.42),
        horizon=(0.92, 0.58, 0.34),
        clouds=float(rng.choice([0.1, 0.3, 0.5])),
        cloud_colour=(1.0, 0.72, 0.55),
        fog=rng.uniform(700, 2500),
        lit_share=0.06,
    )


def _overcast(rng, flood) -> Light:
    grey = rng.uniform(0.75, 1.05)
    return Light(
        "overcast",
        _UP,
        sun_colour=(0.0, 0.0, 0.0),
        ambient=(0.74 * grey, 0.76 * grey, 0.80 * grey),
        bounce=(0.28 * grey, 0.28 * grey, 0.28 * grey),
        zenith=(0.50 * grey, 0.54 * grey, 0.60 * grey),
        horizon=(0.72 * grey, 0.74 * grey, 0.77 * grey),
        clouds=0.85,
        cloud_colour=(0.78 * grey, 0.79 * grey, 0.82 * grey),
        fog=rng.uniform(700, 2500),
    )


def _haze(rng, flood) -> Light:
    return Light(
        "haze",
        _UP,
        sun_colour=(0.45, 0.41, 0.34),
        ambient=(0.58, 0.60, 0.62),
        bounce=(0.25, 0.25, 0.24),
        zenith=(0.55, 0.60, 0.66),
        horizon=(0.76, 0.77, 0.78),
        clouds=0.0,
        fog=rng.uniform(180, 420),
    )


def _dusk(rng, flood) -> Light:
    return Light(
        "dusk",
        _UP,
        sun_colour=(0.0, 0.0, 0.0),
        ambient=(0.15, 0.19, 0.32),
        bounce=(0.07, 0.07, 0.09),
        zenith=(0.03, 0.06, 0.18),
        horizon=(0.42, 0.26, 0.28) if rng.random() < 0.6 else (0.16, 0.22, 0.40),
        clouds=float(rng.choice([0.0, 0.3])),
        cloud_colour=(0.30, 0.22, 0.28),
        fog=rng.uniform(1200, 4000),
        lit_share=0.35,
        flood=tuple(0.5 * c for c in flood),
    )


def _night(rng, flood) -> Light:
    return Light(
        "night",
        _UP,
        sun_colour=(0.0, 0.0, 0.0),
        ambient=(0.040, 0.046, 0.075),
        bounce=(0.030, 0.024, 0.016),
        zenith=(0.002, 0.003, 0.009),
        horizon=(0.018, 0.017, 0.026),
        clouds=0.0,
        fog=5000.0,
        lit_share=0.40,
        flood=tuple(rng.uniform(0.7, 1.1) * c for c in flood),
    )


def _rain(rng, flood) -> Light:
    return replace(
        _overcast(rng, flood),
        name="rain",
        ambient=(0.44, 0.47, 0.52),
        fog=rng.uniform(250, 700),
        lit_share=0.12,
        wet=0.5,
        fall="rain",
    )


def _snow(rng, flood) -> Light:
    return replace(
        _overcast(rng, flood),
        name="snow",
        fog=rng.uniform(300, 1500),
        snow=rng.uniform(0.75, 1.0),
        bounce=(0.5, 0.5, 0.54),
        fall="snow" if rng.random() < 0.6 else "",
    )


_CONDITION_LIGHTS = {
    "clear": _clear,
    "overcast": _overcast,
    "golden": _golden,
    "haze": _haze,
    "dusk": _dusk,
    "night": _night,
    "rain": _rain,
    "snow": _snow,
}


def indoors(rng: np.random.Generator) -> Light:
    """Light of a room or a table."""
    warm = rng.uniform(0, 0.18)
    return Light(
        "indoors",
        _UP,
        sun_colour=(0.0, 0.0, 0.0),
        ambient=(0.62 + warm, 0.60, 0.58 - warm),
        bounce=(0.40 + warm, 0.38, 0.34 - warm),
        zenith=(0.6, 0.7, 0.9),
        horizon=(0.8, 0.85, 0.9),
        clouds=0.0,
        fog=4000.0,
    )
