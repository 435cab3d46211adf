"""Mixup and CutMix in recipes: which losses take mixed labels, and the batches themselves."""

from __future__ import annotations

from experiments.config import Data, Experiment
from landmarks_tf import losses

_LINEAR_IN_THE_TARGET = ("cross_entropy", "norm_softmax")


def is_mixed(data: Data) -> bool:
    """Whether the recipe mixes the pictures of a batch."""
    return data.mixup != 0 or data.cutmix != 0


def mixed_loss(recipe: Experiment, loss):
    """The loss for mixed labels, where the recipe mixes; else the loss itself.

    Raises:
        ValueError: a negative number, or a loss that labels of two classes mean nothing to.
    """
    if not is_mixed(recipe.data):
        return loss
    for name in ("mixup", "cutmix"):
        value = getattr(recipe.data, name)
        if value < 0:
            raise ValueError(
                f"data.{name} is the a of Beta(a, a), above 0, or 0 for none. Received: {value}."
            )
    name = "mixup" if recipe.data.mixup else "cutmix"
    if recipe.loss.name not in _LINEAR_IN_THE_TARGET or isinstance(loss, losses.CenterLoss):
        received = f"loss.name={recipe.loss.name}"
        if isinstance(loss, losses.CenterLoss):
            received += " computed from the class centres (loss.softmax or loss.sample_rate)"
        raise ValueError(
            f"data.{name} gives pictures of two classes, which the losses "
            f"{' and '.join(_LINEAR_IN_THE_TARGET)} over all scores can take: a margin, a pair of "
            f"pictures or a sampled class has one class. Received: {received}. Set data.{name}=0."
        )
    return losses.MixedLoss(loss)


def accuracy_of(data: Data):
    """Keras' accuracy, or that of mixed labels."""
    import keras

    if is_mixed(data):
        return losses.MixedAccuracy(name="accuracy")
    return keras.metrics.SparseCategoricalAccuracy(name="accuracy")


def mixed_batches(dataset, recipe: Experiment, step: int):
    """The batches from `step` on, mixed where the recipe says so."""
    if not is_mixed(recipe.data):
        return dataset
    from landmarks_tf.data.mixing import mix_batches

    data = recipe.data
    return mix_batches(
        dataset, mixup=data.mixup, cutmix=data.cutmix, seed=recipe.train.seed, start_step=step
    )
