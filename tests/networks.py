"""Networks that several test files look at, built once a session because building takes seconds."""

from __future__ import annotations

import functools

import keras

from landmarks_tf.models import Backbone, create_backbone
from tests import seeded_weights


@functools.cache
def inception(name: str) -> Backbone:
    """A member of the Inception family at the source's 299 px, its kernels zeros: for looking at
    the graph. Whoever gives it weights takes them away again."""
    with seeded_weights.no_initial_values():
        return create_backbone(name, image_size=299)


def trunk_of(backbone: Backbone) -> keras.Model:
    """Preprocessed pixels -> the maps of a backbone: the last, and the auxiliary one if any."""
    pixels = backbone.model.get_layer("preprocessing").output
    taps = [] if backbone.auxiliary_tap is None else [backbone.auxiliary_tap]
    return keras.Model(pixels, [backbone.model.output, *taps])
