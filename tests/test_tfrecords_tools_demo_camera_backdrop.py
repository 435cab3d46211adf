"""Sky, hills and ground."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.demo_checks import scene_of
from tfrecords_tools.demo.camera import backdrop
from tfrecords_tools.demo.camera.light import choose_light
from tfrecords_tools.demo.camera.textures import linear
from tfrecords_tools.demo.plan import generator
from tfrecords_tools.demo.world.builder import Builder
from tfrecords_tools.demo.world.scene import Ground


def light_named(name: str):
    for n in range(500):
        light = choose_light(generator(2, n), (0, 0, 0))
        if light.name == name:
            return light
    raise AssertionError(name)


def floats(*values) -> list[np.ndarray]:
    return [np.array(v, np.float32) for v in values]


def test_the_sky_goes_from_horizon_to_zenith():
    light = replace(light_named("overcast"), clouds=0.0)
    low, high = backdrop.sky(light, *floats([1, 0.01], [0, 0], [0.0, 1]))
    np.testing.assert_allclose(low, light.horizon, atol=1e-5)
    np.testing.assert_allclose(high, light.zenith, atol=0.04)


def test_the_sky_is_brightest_at_the_sun():
    light = replace(light_named("clear"), clouds=0.0)
    sun, opposite = light.sun, (-light.sun[0], -light.sun[1], light.sun[2])
    near, far = backdrop.sky(light, *floats(*zip(sun, opposite, strict=True)))
    assert near.sum() > far.sum() + 1


def test_clouds_cover_more_of_the_sky_when_there_are_more():
    x, y = np.meshgrid(np.linspace(-1, 1, 60), np.linspace(-1, 1, 60))
    directions = floats(x.ravel(), y.ravel(), np.full(3600, 0.5))
    shares = []
    for clouds in (0.2, 0.5, 0.85):
        # Towards the side away from the sun the sky is deep blue, clouds are grey.
        rgb = backdrop.sky(replace(light_named("clear"), clouds=clouds), *directions)
        shares.append(np.mean(rgb[:, 0] > 0.8 * rgb[:, 2]))
    assert shares[0] < shares[1] < shares[2]


def test_hills_rise_to_the_skyline():
    scene = scene_of(Builder())
    scene.skyline[:] = 0.1
    light = light_named("clear")
    directions = floats([1, 1, 0], [0, 0, -1], [0.05, 0.2, 0.09])
    plain = backdrop.sky(light, *directions)
    painted = plain.copy()
    backdrop.hills(scene, light, *directions, painted)
    changed = np.abs(painted - plain).max(axis=1) > 1e-4
    assert changed.tolist() == [True, False, True]


def test_the_skyline_turns_with_the_view():
    scene = scene_of(Builder())
    scene.skyline[: 1024 // 4] = 0.5  # from +x counter-clockwise to +y
    light = light_named("clear")
    directions = floats([1, -1, -1, 1], [1, 1, -1, -1], [0.3, 0.3, 0.3, 0.3])
    plain = backdrop.sky(light, *directions)
    painted = plain.copy()
    backdrop.hills(scene, light, *directions, painted)
    changed = np.abs(painted - plain).max(axis=1) > 1e-4
    assert changed.tolist() == [True, False, False, False]


def test_ground_has_an_inner_disc_and_a_river():
    ground = Ground("grass", "paving", 10, river=(1.0, 0.0, 50.0, 60.0))
    x, y = floats([0, 5, 30, 55], [0, -5, 0, 3])
    kinds = {}
    for kind, indices in backdrop.ground_kind(ground, x, y):
        kinds |= {int(i): kind for i in indices}
    assert kinds == {0: "paving", 1: "paving", 2: "grass", 3: "water"}


@pytest.mark.parametrize("kind", ["grass", "sand", "asphalt", "water", "paving", "cobble"])
def test_every_ground_has_its_colour(kind):
    rng = np.random.default_rng(0)
    x, y = floats(rng.uniform(-50, 50, 4000), rng.uniform(-50, 50, 4000))
    ground = Ground(tint=(150, 140, 130))
    rgb = backdrop.paint_ground(ground, kind, x, y, np.full(4000, 0.02, np.float32))
    assert (rgb > 0).all()
    mean = rgb.mean(axis=0)
    if kind in ("paving", "cobble"):
        np.testing.assert_allclose(mean, linear(ground.tint), rtol=0.15)
    if kind == "grass":
        assert mean[1] > mean[0] > mean[2]
    if kind == "sand":
        assert mean[0] > mean[1] > mean[2]
    if kind == "water":
        assert mean[2] > mean[0]


def test_water_mirrors_what_is_above_the_horizon():
    rgb = np.zeros((40, 20, 3), np.float32)
    rgb[5:10] = (1, 0, 0)  # something red above the horizon at row 20
    water = np.zeros((40, 20), bool)
    water[22:] = True
    backdrop.mirror(rgb, water, horizon=20.0, shift=0.0, strength=1.0)
    red = np.flatnonzero(rgb[22:, :, 0].mean(axis=1) > 0.5) + 22
    assert set(range(32, 34)) <= set(red.tolist())
    assert red.min() >= 28
    assert red.max() <= 38
    assert not rgb[10:20].any(), "only water changes"


def test_bilinear_noise_is_continuous():
    x = np.linspace(0, 3, 3001, dtype=np.float32)
    values = backdrop.bilinear_noise(x, np.full_like(x, 0.4))
    assert np.abs(np.diff(values)).max() < 0.01
    tiled = backdrop.bilinear_noise(x + 256, np.full_like(x, 256.4))
    np.testing.assert_allclose(values, tiled, atol=1e-3)
