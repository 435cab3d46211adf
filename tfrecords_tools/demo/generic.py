"""Pictures that show no landmark."""

from __future__ import annotations

import numpy as np
from PIL import Image

from tfrecords_tools.demo.scenes import ordinary_scene

_KINDS = ("street", "house", "landscape")


def take_generic(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A random picture without a landmark, (width, height) = size."""
    from tfrecords_tools.demo.studio import photograph

    kind = _KINDS[int(rng.integers(len(_KINDS)))]
    return photograph(rng, ordinary_scene(rng, kind), size, (0.0, 0.0, 0.0))
