"""What a recipe says of its training and export, checked before the first picture is converted.

A run belongs to its recipe. A number that makes no sense would otherwise show when the whole data
set has been converted, in a folder that then belongs to the wrong recipe.

What hangs on the pictures (their number, the sizes of their classes), on the whole network or on
the devices is checked where the training is planned (experiments.stages.planned).
"""

from __future__ import annotations

import math

from experiments.config import Data, Experiment, Export, Model, Train
from experiments.startup import import_keras
from experiments.training_sets import SUBSETS
from experiments.training_stages import stage_recipes

# float16 alone has no scaled loss: gradients are lost below 6e-8, and Adam's epsilon with them.
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16", "bfloat16", "float64")

# As `tfrecords_tools convert --validation-split` has them.
SPLITS = ("random", "per-class", "one-per-class")

# Stands for a length that only the pictures tell: longer than any warm-up.
_UNKNOWN_STEPS = 2**31 - 1


def check_recipe(experiment: Experiment) -> None:
    """Refuse a recipe that no data could be trained with.

    Raises:
        ValueError: a setting that does not exist, is out of its range or contradicts another. Of a
            training in stages the message names the stage.
    """
    import_keras()
    from experiments.stages.planned import named_stage

    for stage in stage_recipes(experiment):
        with named_stage(stage.title if stage.name else ""):
            _check_train(stage.recipe.train)
            _check_split(stage.recipe.data)
            _check_pictures(stage.recipe)
            _check_model(stage.recipe.model, stage.recipe.data.image_size)
            _check_optimization(stage.recipe)
    _check_export(experiment.export)


def _check_train(train: Train) -> None:
    if train.steps < 0 or (train.steps == 0 and train.epochs < 1):
        raise ValueError(
            f"A training has at least one step: set train.steps above 0, or to 0 and train.epochs "
            f"to 1 or more. Received: train.steps={train.steps}, train.epochs={train.epochs}."
        )
    if not 0 <= train.seed < 2**32:
        raise ValueError(f"train.seed is within 0..{2**32 - 1}. Received: {train.seed}.")
    if train.precision not in PRECISIONS:
        raise ValueError(
            f"train.precision is one of {', '.join(PRECISIONS)}. Received: {train.precision!r}."
        )


def _check_split(data: Data) -> None:
    """What `convert` would refuse, but in a folder that is this recipe's by then."""
    if data.train_set is not None and data.train_set not in SUBSETS:
        raise ValueError(
            f"data.train_set is one of {', '.join(SUBSETS)}, or none. Received: {data.train_set!r}."
        )
    if not 0 <= data.validation_fraction < 1:
        raise ValueError(
            f"data.validation_fraction is a part in [0, 1). Received: {data.validation_fraction}."
        )
    if data.validation_split not in SPLITS:
        raise ValueError(
            f"data.validation_split is one of {', '.join(SPLITS)}. Received: "
            f"{data.validation_split!r}."
        )
    if data.validation_split == "one-per-class" and data.validation_fraction:
        raise ValueError(
            "data.validation_split=one-per-class takes one picture of each class: set "
            f"data.validation_fraction to 0. Received: {data.validation_fraction}."
        )
    if data.min_images_per_class < 1:
        raise ValueError(
            f"data.min_images_per_class is at least 1. Received: {data.min_images_per_class}."
        )


def _check_pictures(recipe: Experiment) -> None:
    from experiments.stages.planned import check_sampling
    from landmarks_tf.data.preparation import Preparation
    from landmarks_tf.training.fit import FitPlan

    data, train = recipe.data, recipe.train
    FitPlan(
        steps=train.steps or 1,
        batch_size=data.batch_size,
        log_every=train.log_every,
        checkpoint_every=train.checkpoint_every,
        validate_every=train.validate_every,
    )
    check_sampling(data)
    Preparation(data.image_size, data.resize, data.augment, train.seed, data.decoding)


def _check_model(model: Model, image_size: int) -> None:
    import keras

    from landmarks_tf.models.backbones import find_backbone
    from landmarks_tf.models.neck import apply_neck
    from landmarks_tf.models.pooling import pool
    from landmarks_tf.models.preprocessing import find_preprocessing
    from landmarks_tf.models.weights import check_weights

    find_backbone(model.backbone, image_size)
    check_weights(model.backbone, model.weights)
    if model.preprocessing is not None:
        find_preprocessing(model.preprocessing)
    if not 0 <= model.dropout < 1:
        raise ValueError(f"model.dropout is a rate in [0, 1). Received: {model.dropout}.")
    if model.auxiliary_weight < 0:
        raise ValueError(
            f"model.auxiliary_weight is a weight above 0, or 0 for no auxiliary classifier. "
            f"Received: {model.auxiliary_weight}."
        )
    if model.subcenters < 1 or (model.subcenters > 1 and model.head != "cosine"):
        raise ValueError(
            f"model.subcenters is the number of centres of each class of the cosine head, 1 for "
            f"any other. Received: {model.subcenters} with model.head={model.head!r}."
        )
    # On the smallest map there is, of a size that every pooling takes.
    pool(keras.Input((3, 3, 4)), model.pooling)
    apply_neck(keras.Input((4,)), model.neck, dim=model.embedding_dim, dropout=model.dropout)


def _check_optimization(recipe: Experiment) -> None:
    import numpy as np

    from experiments.stages.devices import check_devices
    from experiments.stages.networks import losses_of
    from experiments.stages.optimization import optimizer_of
    from landmarks_tf.training.distribution import check_strategy

    check_strategy(recipe.train.strategy, shard_centers=recipe.train.shard_centers)
    check_devices(recipe, replicas=1)
    # Any two classes: how large they are decides margins and weights, not what may be asked for.
    losses_of(recipe, np.array([2, 1]))
    optimizer_of(recipe, recipe.train.steps or _UNKNOWN_STEPS)


def _check_export(export: Export) -> None:
    if not 0 < export.parity_tolerance < math.inf or export.parity_images < 1:
        raise ValueError(
            f"An export is compared on at least one picture, with a tolerance above 0. Received: "
            f"export.parity_images={export.parity_images}, "
            f"export.parity_tolerance={export.parity_tolerance}."
        )
