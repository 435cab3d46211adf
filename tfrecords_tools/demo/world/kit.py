"""Style of one landmark: its stone, roof and manner, and the materials made from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.materials import ROOFS, STONES, Colour, Feature, Material
from tfrecords_tools.demo.world.scene import Ground, Stage


@dataclass(frozen=True)
class Landmark:
    """What a builder of landmarks returns: how to photograph it and what it stands on."""

    stage: Stage
    ground: Ground


class Kit:
    """Random choices of one landmark, and the table of its materials.

    Attributes:
        rng: stream of this landmark.
        b: where its faces go; the front is towards -y.
        materials: name -> Material, filled by the methods below.
        stone, roof: sRGB colours of the style.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.b = Builder()
        self.materials: dict[str, Material] = {}
        self.stone_name = self.pick(list(STONES))
        self.stone = self._near(STONES[self.stone_name], 8)
        self.roof = self._near(ROOFS[self.pick(list(ROOFS))], 8)
        self._brick = self.stone_name == "brick" or self.chance(0.12)
        self._pattern = self.pick(["blocks", "blocks", "plain"])
        self._course = self.u(0.22, 0.32) if self._brick else self.u(0.45, 1.1)

    # Random choices

    def u(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def n(self, low: int, high: int) -> int:
        """A whole number, low..high inclusive."""
        return int(self.rng.integers(low, high + 1))

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def pick(self, choices: list):
        return choices[int(self.rng.integers(len(choices)))]

    def _near(self, colour: Colour, spread: float) -> Colour:
        shift = self.u(-spread, spread)
        return tuple(min(250.0, c + shift + self.u(-3, 3)) for c in colour)

    def toned(self, tone: float, colour: Colour | None = None) -> Colour:
        """A colour (default: the stone) made lighter or darker."""
        return tuple(min(250.0, c * tone) for c in colour or self.stone)

    # Materials

    def define(self, name: str, material: Material) -> str:
        self.materials[name] = material
        return name

    def wall(self, name: str, *features: Feature, tone: float = 1.0) -> str:
        """Masonry of the landmark's stone with windows, bands, ..."""
        pattern = "blocks" if self._brick else self._pattern
        return self.define(
            name,
            Material(
                self.toned(tone),
                pattern,
                size=self._course,
                length=self._course * (2.4 if self._brick else 1.9),
                contrast=0.16,
                features=features,
            ),
        )

    def striped(self, name: str, *features: Feature, period: float, second: Colour) -> str:
        """Masonry in two alternating colours."""
        material = Material(self.stone, "stripes", size=period, second=second, features=features)
        return self.define(name, material)

    def roofing(self, name: str = "roof", *features: Feature, colour: Colour | None = None) -> str:
        tint = colour or self.roof
        tiles = Material(tint, "tiles", size=0.5, length=0.5, contrast=0.14, features=features)
        return self.define(name, tiles)

    def plain(self, name: str, colour: Colour, glow: float = 0.0) -> str:
        return self.define(name, Material(colour, "plain", glow=glow))
