"""Scenes: tables of their faces, sizes, mistakes."""

from __future__ import annotations

import numpy as np
import pytest

from tests.demo_checks import scene_of
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.materials import Material
from tfrecords_tools.demo.world.mesh import Sprite
from tfrecords_tools.demo.world.scene import Ground, Scene, Stage


def test_tables_follow_the_faces():
    b = Builder()
    b.at(x=1).box(2, 2, 2, "wall", "roof")
    b.surroundings().at(x=9).lathe([(1, 0), (1, 3)], 6, "wall")
    b.sprite(Sprite((0.0, 5.0, 0.0), ()))
    scene = scene_of(b)
    assert [scene.names[k] for k in scene.material_of] == [face.material for face in b.faces]
    np.testing.assert_array_equal(scene.normal, [face.normal for face in b.faces])
    np.testing.assert_array_equal(scene.landmark, [True] * 5 + [False] * 6)
    assert np.isnan(scene.axis[:5]).all()
    np.testing.assert_allclose(scene.axis[5:], [[9, 0]] * 6)
    assert sum(len(numbers) for numbers in scene.cells.values()) == 1


def test_a_missing_material_is_named():
    b = Builder()
    b.box(1, 1, 1, "granite", "slate")
    skyline = np.zeros(1024, np.float32)
    with pytest.raises(ValueError, match=r"materials that the scene lacks: \['slate'\]"):
        Scene(b, {"granite": Material((1, 2, 3))}, Ground(), Stage(5, 5), skyline)


def test_the_size_is_the_larger_of_width_and_height():
    assert Stage(radius=10, height=30).size == 30
    assert Stage(radius=20, height=30).size == 40
