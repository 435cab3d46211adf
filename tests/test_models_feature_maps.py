"""What a network hands on, for every builder of the table: another depth adds no map."""

from __future__ import annotations

import keras
import pytest

from landmarks_tf.models import BACKBONES
from landmarks_tf.models.feature_maps import FeatureMaps
from tests import seeded_weights

NAMES = (
    *("inception_v200", "resnet50", "resnet50_v1", "res2net200_vd", "efficientnet_b0"),
    *("vgg16", "resnet50_keras", "mobilenet_v2"),
)


@pytest.mark.parametrize("name", NAMES)
def test_maps_are_where_the_table_says(name):
    entry = BACKBONES[name]
    side = entry.min_image_size
    with seeded_weights.no_initial_values():
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
