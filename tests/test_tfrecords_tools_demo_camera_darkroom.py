"""Development: exposure, faults of lens and sensor, JPEG."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tfrecords_tools.demo.camera.darkroom import develop, encode_jpeg, finish
from tfrecords_tools.demo.camera.light import indoors
from tfrecords_tools.demo.plan import generator

DAY = indoors(generator(0, 0))


def grey(value: float) -> np.ndarray:
    return np.full((40, 60, 3), value, np.float32)


def test_brighter_light_gives_brighter_pictures_less_than_in_proportion():
    means = [
        np.mean([np.asarray(develop(generator(1, n), grey(v), DAY)).mean() for n in range(20)])
        for v in (0.05, 0.2, 0.8)
    ]
    assert means[0] < means[1] < means[2]
    assert means[2] < 6 * means[0], "the exposure corrects half of it"


def test_exposure_and_white_balance_vary_from_shot_to_shot():
    shots = [np.asarray(develop(generator(2, n), grey(0.3), DAY))[0, 0] for n in range(60)]
    shots = np.array(shots, float)
    assert 8 < shots.mean(axis=1).std() < 50
    assert (shots[:, 0] - shots[:, 2]).std() > 4


def test_extreme_light_stays_in_range():
    for value in (0.0, 1e-6, 1e4):
        image = np.asarray(develop(generator(3, 1), grey(value), DAY))
        assert image.dtype == np.uint8
        assert image.max() == 0 if value == 0 else True
    assert np.asarray(develop(generator(3, 1), grey(1e4), DAY)).min() > 200


def smooth() -> Image.Image:
    x = np.linspace(60, 190, 120)
    return Image.fromarray(np.repeat(np.repeat(x[None, :, None], 90, 0), 3, 2).astype(np.uint8))


def test_finishing_changes_little_and_not_always_the_same():
    differences = []
    for n in range(60):
        done = finish(generator(4, n), smooth(), DAY)
        assert done.size == (120, 90)
        differences.append(np.abs(np.asarray(done, float) - np.asarray(smooth(), float)).mean())
    assert max(differences) < 25
    assert min(differences) < 1.0
    assert np.std(differences) > 0.5


def test_noise_has_the_stated_strength_and_no_bias():
    from tfrecords_tools.demo.camera.darkroom import _noisy

    pixels = np.full((200, 300, 3), 100, np.int16)
    noise = _noisy(generator(5, 5), pixels, 4.0).astype(float) - 100
    assert noise.std() == pytest.approx(4.0, rel=0.05)
    assert abs(noise.mean()) < 0.7


@pytest.mark.parametrize("fall", ["rain", "snow"])
def test_rain_and_snow_are_seen(fall):
    dark = Image.new("RGB", (160, 120), (40, 40, 40))
    done = np.asarray(finish(generator(6, 1), dark, replace(DAY, name="rain", fall=fall)), float)
    dry = np.asarray(finish(generator(6, 1), dark, replace(DAY, name="rain")), float)
    share = np.mean(done.mean(axis=2) > dry.mean() + 25)
    assert 0.005 < share < 0.3


def test_qualities_are_spread():
    image = smooth()
    tables = Counter()
    for n in range(40):
        done = Image.open(io.BytesIO(encode_jpeg(generator(7, n), image)))
        assert done.format == "JPEG"
        tables[done.quantization[0][0]] += 1
    assert len(tables) >= 8
