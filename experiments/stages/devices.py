"""Devices in recipes: which strategy, what is gathered or split over it; what does not fit."""

from __future__ import annotations

import keras

from experiments.config import Experiment
from landmarks_tf.layers import CosineClassifier
from landmarks_tf.training.gather import GatheredLoss, GatherReplicas

# Heads whose losses compare the rows of a batch with each other.
_OF_PAIRS = ("embedding", "ge2e")
# Losses of other heads that compare them too, and gather for themselves.
_OF_BATCHES = ("proxy_anchor",)


def strategy_of(recipe: Experiment):
    """The strategy that the recipe trains under.

    Raises:
        ValueError: devices that are not there, or that the Keras backend does not know.
    """
    from landmarks_tf.training.distribution import create_strategy

    return create_strategy(recipe.train.strategy, shard_centers=recipe.train.shard_centers)


def check_devices(recipe: Experiment, replicas: int) -> None:
    """Refuse what the devices cannot share, and settings that the recipe has no use for.

    Args:
        recipe: a stage's own.
        replicas: devices that share a batch.

    Raises:
        ValueError: the batch, or P classes of it, do not divide; or a setting does not apply.
    """
    from landmarks_tf.training.distribution import check_divisible

    data, train, head = recipe.data, recipe.train, recipe.model.head
    if train.gather and head not in _OF_PAIRS and recipe.loss.name not in _OF_BATCHES:
        raise ValueError(
            f"train.gather=true gathers for a loss that compares the pictures of a batch, with "
            f"model.head=embedding or ge2e, or loss.name={_OF_BATCHES[0]}. Received: "
            f"model.head={head!r} with loss.name={recipe.loss.name!r}."
        )
    if train.shard_centers and head != "cosine":
        raise ValueError(
            f"train.shard_centers=true splits the class centres of the cosine head. "
            f"Received: model.head={head!r}."
        )
    classes = data.classes_per_batch if head in _OF_PAIRS else 0
    smallest = 2
    if keras.backend.backend() == "jax" and train.micro_batches == 1:
        classes = 0  # a step is that of one device
    elif keras.backend.backend() == "jax" or train.gather:
        smallest = max(1, 2 // replicas)
    check_divisible(
        data.batch_size,
        replicas,
        micro_batches=train.micro_batches,
        classes_per_batch=classes,
        smallest=smallest,
    )


def head_options(recipe: Experiment) -> dict:
    """What `build_landmark_model` needs to know of devices."""
    from landmarks_tf.training.mesh import CENTERS_MULTIPLE

    train = recipe.train
    return {
        "gather": GatherReplicas(name="gathered") if train.gather else None,
        "centers_multiple": CENTERS_MULTIPLE if train.shard_centers else 1,
    }


def gathered(recipe: Experiment, loss):
    """The loss, over gathered embeddings where the recipe gathers them."""
    return GatheredLoss(loss) if recipe.train.gather else loss


def use_parts(recipe: Experiment, trainer: keras.Model) -> None:
    """Let a compiled model take its batches in the recipe's micro-batches.

    Raises:
        ValueError: the recipe splits the class centres, but its head is one that cannot.
    """
    from landmarks_tf.training.micro_batches import use_micro_batches

    heads = {layer.name: type(layer) for layer in trainer.layers}
    if recipe.train.shard_centers and heads.get("cosines") is not CosineClassifier:
        raise ValueError(
            "train.shard_centers=true splits the centres of the plain cosine head. This recipe's "
            "loss reads them by another way (streamed, or a sample of them): use one of the two."
        )
    if recipe.train.micro_batches > 1:
        use_micro_batches(trainer, recipe.train.micro_batches)
