"""Times of day and weather."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from tfrecords_tools.demo.camera.light import choose_light, indoors
from tfrecords_tools.demo.plan import generator

FLOOD = (1.0, 0.9, 0.7)


@pytest.fixture(scope="module")
def lights():
    return [choose_light(generator(1, n), FLOOD) for n in range(600)]


def brightness(colour) -> float:
    return sum(colour) / 3


def test_every_condition_occurs_and_clear_days_are_the_most_frequent(lights):
    counts = Counter(light.name for light in lights)
    assert counts.keys() == {
        *("clear", "overcast", "golden", "haze", "dusk", "night", "rain", "snow"),
    }
    assert counts.most_common(1)[0][0] == "clear"
    assert min(counts.values()) >= 5


def test_the_sun_is_above_the_horizon_and_low_in_golden_light(lights):
    for light in lights:
        assert math.hypot(*light.sun) == pytest.approx(1)
        elevation = math.degrees(math.asin(light.sun[2]))
        if light.name == "golden":
            assert 3 < elevation < 15
        else:
            assert 20 < elevation < 70
    turns = Counter(
        int(math.atan2(light.sun[1], light.sun[0]) // (math.pi / 2)) for light in lights
    )
    assert min(turns.values()) > 90, "the sun prefers a side"


def test_shadows_are_cast_under_a_free_sun_only(lights):
    casting = {light.name for light in lights if light.casts_shadows}
    assert casting == {"clear", "golden", "haze"}


def test_nights_are_dark_floodlit_and_have_lit_windows(lights):
    night = next(light for light in lights if light.name == "night")
    day = next(light for light in lights if light.name == "clear")
    assert brightness(night.ambient) < 0.2 * brightness(day.ambient)
    assert max(night.flood) > 0.5
    assert max(day.flood) == 0
    assert night.lit_share > 0.3
    assert day.lit_share == 0


def test_weather_falls_and_covers(lights):
    assert {light.fall for light in lights if light.name == "rain"} == {"rain"}
    assert all(light.wet > 0 for light in lights if light.name == "rain")
    assert all(light.snow > 0.5 for light in lights if light.name == "snow")
    assert all(light.snow == 0 for light in lights if light.name != "snow")
    assert max(light.fog for light in lights if light.name == "haze") < 500


def test_the_same_stream_gives_the_same_light():
    assert choose_light(generator(3, 3), FLOOD) == choose_light(generator(3, 3), FLOOD)


def test_indoors_has_no_sun():
    light = indoors(generator(1, 1))
    assert not light.casts_shadows
    assert light.fall == ""
