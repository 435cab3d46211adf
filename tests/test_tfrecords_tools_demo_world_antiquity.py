"""Builders of the demo set: antiquity."""

from __future__ import annotations

import pytest

from tests.demo_checks import check_landmark
from tfrecords_tools.demo.names import KINDS
from tfrecords_tools.demo.world.antiquity import BUILDERS


@pytest.mark.parametrize("kind", BUILDERS)
def test_every_seed_gives_a_closed_building_of_the_stated_size(kind):
    assert kind in KINDS
    check_landmark(BUILDERS[kind], seeds=range(4))
