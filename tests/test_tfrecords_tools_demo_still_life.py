"""Flat pictures: people, flowers, food, animals, pages."""

from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.still_life import PAINTERS


@pytest.mark.parametrize("name", PAINTERS)
@pytest.mark.parametrize("size", [(160, 120), (90, 150)])
def test_painters_fill_the_frame_with_something_new_each_time(name, size):
    images = [PAINTERS[name](generator(8, n), size) for n in range(4)]
    assert all(image.size == size and image.mode == "RGB" for image in images)
    assert len({image.tobytes() for image in images}) == 4
    assert all(np.asarray(image).std() > 8 for image in images)
    assert PAINTERS[name](generator(8, 0), size).tobytes() == images[0].tobytes()
