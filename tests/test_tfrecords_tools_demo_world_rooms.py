"""Interiors."""

from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.demo.camera.photographer import choose_view_inside
from tfrecords_tools.demo.camera.raster import NOTHING, draw_ids
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.rooms import furnished_room


@pytest.mark.parametrize("seed", range(8))
def test_a_room_closes_the_view(seed):
    rng = generator(31, seed)
    scene = furnished_room(rng)
    assert not scene.landmark.any()
    view = choose_view_inside(rng, scene.stage, 90, 70)
    ids = draw_ids(scene, view, []).ids
    assert np.mean(ids == NOTHING) < 0.01, "one can look out of the room through its walls"
    assert len(np.unique(ids)) >= 4


def test_rooms_differ():
    counts = {len(furnished_room(generator(32, seed)).builder.faces) for seed in range(8)}
    assert len(counts) >= 4
