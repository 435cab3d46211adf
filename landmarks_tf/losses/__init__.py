"""Losses: a pure function and a thin Keras class each. They hold no weights."""

from landmarks_tf.losses.arcface import ArcFaceLoss, arcface_logits

__all__ = ["ArcFaceLoss", "arcface_logits"]
