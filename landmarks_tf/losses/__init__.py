"""Losses: a pure function and a thin Keras class each. They hold no weights."""

from landmarks_tf.losses.arcface import ArcFaceLoss, arcface_logits
from landmarks_tf.losses.reconstruction import ReconstructionLoss, mean_squared_difference

__all__ = [
    "ArcFaceLoss",
    "ReconstructionLoss",
    "arcface_logits",
    "mean_squared_difference",
]
