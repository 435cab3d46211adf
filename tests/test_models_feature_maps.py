"""What a network hands on, for every backbone of the table."""

from __future__ import annotations

import keras
import pytest

from landmarks_tf.models import BACKBONES
from landmarks_tf.models.feature_maps import FeatureMaps


@pytest.mark.parametrize("name", [name for name in BACKBONES if "269" not in name])
def test_maps_are_where_the_table_says(name):
    entry = BACKBONES[name]
    side = entry.min_image_size
    maps = entry.features(keras.Input((side, side, 3)))
    assert isinstance(maps, FeatureMaps)
    assert len(maps.last.shape) == 4 and min(maps.last.shape[1:3]) >= 1
    assert (maps.auxiliary is not None) == entry.has_auxiliary_tap
    if maps.skips:
        assert [skip.shape[1] for skip in maps.skips] == [
            side // 2,
            side // 4,
            side // 8,
            side // 16,
        ]
