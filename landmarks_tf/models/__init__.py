"""Networks: backbones by name, the embedder, and the heads that train it."""

from landmarks_tf.models.backbones import BACKBONES, Backbone, create_backbone
from landmarks_tf.models.freezing import freeze_except
from landmarks_tf.models.landmark_model import (
    CLASSLESS_HEADS,
    LandmarkModel,
    build_embedder,
    build_landmark_model,
)
from landmarks_tf.models.parameters import count_parameters

__all__ = [
    "BACKBONES",
    "CLASSLESS_HEADS",
    "Backbone",
    "LandmarkModel",
    "build_embedder",
    "build_landmark_model",
    "count_parameters",
    "create_backbone",
    "freeze_except",
]
