"""Networks that several test files look at, built once a session because building takes seconds."""

from __future__ import annotations

import functools

import keras

from landmarks_tf.models import Backbone, create_backbone


@functools.cache
def inception(name: str) -> Backbone:
    """A member of the Inception family at the source's 299 px. Whoever changes it, mends it."""
    keras.utils.set_random_seed(0)
    return create_backbone(name, image_size=299)


def trunk_of(backbone: Backbone) -> keras.Model:
    """The network inside a backbone, after its preprocessing."""
    return next(layer for layer in backbone.model.layers if isinstance(layer, keras.Model))
