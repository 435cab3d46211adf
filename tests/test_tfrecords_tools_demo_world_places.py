"""Scenes of landmarks and of ordinary places."""

from __future__ import annotations

import numpy as np
import pytest

from tfrecords_tools.demo.names import kind_of
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.places import BUILDERS, landmark_scene, ordinary_scene


def corners(scene) -> np.ndarray:
    return np.array([p for face in scene.builder.faces for p in face.points])


def test_a_landmark_is_always_the_same():
    one, two = landmark_scene(0, 3), landmark_scene(0, 3)
    np.testing.assert_array_equal(corners(one), corners(two))
    assert one.materials == two.materials
    np.testing.assert_array_equal(one.skyline, two.skyline)
    assert [s.anchor for s in one.builder.sprites] == [s.anchor for s in two.builder.sprites]


def test_two_landmarks_of_a_kind_are_different_buildings():
    kinds = len(BUILDERS)
    assert kind_of(0, 2) == kind_of(0, 2 + kinds)
    one, two = landmark_scene(0, 2), landmark_scene(0, 2 + kinds)
    assert corners(one).shape != corners(two).shape or not np.allclose(corners(one), corners(two))
    other_seed = landmark_scene(1, 2)
    assert corners(other_seed).shape != corners(one).shape


def test_a_landmark_scene_has_landmark_and_surroundings():
    scenes = [landmark_scene(5, n) for n in range(4)]
    assert all(scene.landmark.any() for scene in scenes)
    assert any(scene.builder.sprites for scene in scenes)
    assert all(scene.stage.height > 5 for scene in scenes)


@pytest.mark.parametrize("kind", ["street", "house", "landscape"])
def test_ordinary_places_have_no_landmark(kind):
    scene = ordinary_scene(generator(1, 2), kind)
    assert not scene.landmark.any()
    assert bool(scene.builder.faces) == (kind != "landscape")
