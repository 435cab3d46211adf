"""Heads of many classes in recipes: the scores computed in the loss, from all centres or some."""

from __future__ import annotations

import keras

from experiments.config import Data, Experiment, Loss
from experiments.stages.margin_schedules import follow_steps
from landmarks_tf.layers import CenterCosines, ClassCenters
from landmarks_tf.losses import CenterLoss

# The settings of `config.Loss` that this module reads.
SETTINGS = ("softmax", "sample_rate")


def center_loss(settings: Loss, data: Data, loss):
    """The loss over class centres, where the recipe asks for it; else the loss itself.

    A P x K batch has P classes, and so has each part of it that a device or a micro-batch has: the
    plan draws them, and the batches' labels are compared with the plan's while they are read.

    Raises:
        ValueError: an unknown form, a rate that is no part, or a loss that needs all scores.
    """
    if not _from_centers(settings):
        return loss
    rate = settings.sample_rate
    if rate is not None and not 0 < rate <= 1:
        raise ValueError(
            f"loss.sample_rate is the part of the classes that a step scores, in (0, 1]. "
            f"Received: loss.sample_rate={rate}."
        )
    balanced = data.sampling == "class_balanced"
    return CenterLoss(
        loss,
        settings.softmax or "fused",
        classes_per_batch=data.classes_per_batch if balanced else None,
    )


def head_options(recipe: Experiment) -> dict:
    """What `build_landmark_model` needs to know of the loss.

    Raises:
        ValueError: centres that are to be split over devices as well.
    """
    if not _from_centers(recipe.loss):
        return {}
    if recipe.train.shard_centers:
        raise ValueError(
            "train.shard_centers=true splits the centres of a head that scores all classes: leave "
            "loss.softmax and loss.sample_rate out. Received both."
        )
    return {"scores_in_loss": True, "sample_rate": recipe.loss.sample_rate or 1.0}


def follow_centers(loss, trainer: keras.Model) -> None:
    """Let a loss over class centres, where there is one, read those of the network."""
    for part in loss.values() if isinstance(loss, dict) else [loss]:
        if isinstance(part, CenterLoss):
            part.follow(trainer.get_layer("cosines"))
            follow_steps(part.loss, trainer)


def class_cosines(trainer: keras.Model, main):
    """What the main head gives, as the scores of all classes."""
    heads = [layer for layer in trainer.layers if isinstance(layer, ClassCenters)]
    return CenterCosines(heads[0], name="class_cosines")(main) if heads else main


def _from_centers(settings: Loss) -> bool:
    return settings.softmax is not None or settings.sample_rate is not None
