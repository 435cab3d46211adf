"""Takes one picture of the set: from its place in the census to the bytes of its file."""

from __future__ import annotations

from functools import lru_cache

from tfrecords_tools.demo.camera.photographer import choose_frame
from tfrecords_tools.demo.camera.shoot import photograph
from tfrecords_tools.demo.generic import take_generic
from tfrecords_tools.demo.plan import GENERIC, SPLITS, Picture, Settings, generator
from tfrecords_tools.demo.special import encode
from tfrecords_tools.demo.world.places import landmark_scene
from tfrecords_tools.demo.world.scene import Scene

# Colours of floodlights: several landmarks share each.
_FLOODS = ((1.15, 0.86, 0.50), (1.0, 0.95, 0.85), (1.1, 0.72, 0.36), (0.6, 0.8, 1.15))


@lru_cache(maxsize=2)
def _scene(seed: int, number: int) -> Scene:
    return landmark_scene(seed, number)


def take_picture(settings: Settings, picture: Picture) -> bytes:
    """The content of the picture's file. A pure function of its arguments."""
    key = (SPLITS.index(picture.split), picture.number)
    rng = generator(settings.seed, 4, *key)
    # From streams of their own: neither may depend on what is shown.
    frame = choose_frame(generator(settings.seed, 6, *key))
    coding = generator(settings.seed, 7, *key)
    size = (frame.width, frame.height)
    if picture.scene == GENERIC:
        image = take_generic(rng, size)
    else:
        flood = _FLOODS[picture.scene % len(_FLOODS)]
        image = photograph(rng, _scene(settings.seed, picture.scene), size, flood)
    return encode(coding, image, picture.kind)
