"""Photographs of whole scenes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.demo_checks import scene_of
from tfrecords_tools.demo.camera import shoot
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.scene import Stage

FLOOD = (1.0, 0.9, 0.7)


@pytest.fixture(scope="module")
def scene():
    b = Builder()
    b.box(16, 16, 30, "wall", "wall")
    return scene_of(b, stage=Stage(radius=12, height=30))


def test_a_photograph_has_the_asked_size_and_is_repeatable(scene):
    one = shoot.photograph(generator(1, 1), scene, (171, 128), FLOOD)
    two = shoot.photograph(generator(1, 1), scene, (171, 128), FLOOD)
    assert one.size == (171, 128)
    assert one.mode == "RGB"
    assert one.tobytes() == two.tobytes()
    other = shoot.photograph(generator(1, 2), scene, (171, 128), FLOOD)
    assert other.tobytes() != one.tobytes()


def test_views_that_miss_the_landmark_are_taken_again(scene, monkeypatch):
    shares = iter([0.0, 0.01, 0.5, 0.9])
    taken = []

    class Shot(shoot.Picture3d):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.landmark_share = next(shares)
            taken.append(self.landmark_share)

    monkeypatch.setattr(shoot, "Picture3d", Shot)
    shoot.photograph(generator(1, 1), scene, (64, 48), FLOOD)
    assert taken == [0.0, 0.01, 0.5]


def test_a_place_without_landmark_is_taken_once(monkeypatch):
    taken = []

    class Shot(shoot.Picture3d):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            taken.append(self.landmark_share)

    monkeypatch.setattr(shoot, "Picture3d", Shot)
    empty = scene_of(Builder(), stage=Stage(radius=12, height=9))
    image = shoot.photograph(generator(2, 1), empty, (64, 48), FLOOD)
    assert taken == [0.0]
    assert np.asarray(image).std() > 1
