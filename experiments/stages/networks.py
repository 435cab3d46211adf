"""From a recipe to a network, a loss and batches."""

from __future__ import annotations

from dataclasses import asdict

import keras
import numpy as np

from experiments.config import Experiment, Loss
from experiments.stages import large_heads, margin_schedules
from experiments.stages.devices import gathered, head_options
from experiments.stages.mixed_batches import accuracy_of, mixed_loss
from landmarks_tf import losses
from landmarks_tf.models import (
    CLASSLESS_HEADS,
    build_embedder,
    build_landmark_model,
    create_backbone,
    freeze_except,
)


def build_network(experiment: Experiment, num_classes: int, *, weights: bool = True):
    """The recipe's network with the weights it starts from.

    The same seed gives the same random weights each time, so that the untrained network can be
    made again after training.

    Args:
        weights: load the pre-trained weights; False for counting parameters alone.
    """
    keras.utils.set_random_seed(experiment.train.seed)
    keras.config.set_dtype_policy(experiment.train.precision)
    model = experiment.model
    backbone = create_backbone(
        model.backbone,
        image_size=experiment.data.image_size,
        weights=model.weights if weights else None,
        preprocessing=model.preprocessing,
    )
    if model.trainable:
        freeze_except(backbone.model, model.trainable)
    embedder = build_embedder(
        backbone,
        dim=model.embedding_dim,
        pooling=model.pooling,
        neck=model.neck,
        dropout=model.dropout,
    )
    return build_landmark_model(
        embedder,
        backbone,
        num_classes=num_classes,
        head=model.head,
        head_dropout=model.dropout,
        subcenters=model.subcenters,
        images_per_class=experiment.data.images_per_class,
        auxiliary=model.auxiliary_weight > 0,
        count_steps=(
            0 if experiment.loss.margin_schedule is None else experiment.train.micro_batches
        ),
        **head_options(experiment),
        **large_heads.head_options(experiment),
    )


def class_scores(experiment: Experiment, trainer: keras.Model) -> keras.Model | None:
    """(B, S, S, 3) -> (B, N): logits or cosines, without the auxiliary head.

    None for a network that knows no classes, such as one trained on the pairs of a batch.
    """
    if experiment.model.head in CLASSLESS_HEADS:
        return None
    main = trainer.output["main"] if isinstance(trainer.output, dict) else trainer.output
    main = large_heads.class_cosines(trainer, main)
    return keras.Model(trainer.input, main, name="class_scores")


_OVER_CLASSES = ("label_smoothing", "class_weights")
_MARGINS = (
    "margin",
    "dynamic_margin",
    "margin_low",
    "margin_high",
    "margin_power",
    *margin_schedules.SETTINGS,
)

# name -> (the head it trains, its class, the settings of `config.Loss` that it reads)
_LOSSES = {
    "cross_entropy": ("softmax", losses.CrossEntropyLoss, _OVER_CLASSES),
    "arcface": (
        "cosine",
        losses.ArcFaceLoss,
        ("scale", "form", *_MARGINS, *_OVER_CLASSES, *large_heads.SETTINGS),
    ),
    "cosface": (
        "cosine",
        losses.CosFaceLoss,
        ("scale", *_MARGINS, *_OVER_CLASSES, *large_heads.SETTINGS),
    ),
    "adacos": (
        "cosine",
        losses.AdaCosLoss,
        ("adaptive", *_OVER_CLASSES, *large_heads.SETTINGS),
    ),
    "norm_softmax": (
        "cosine",
        losses.NormSoftmaxLoss,
        ("temperature", *_OVER_CLASSES, *large_heads.SETTINGS),
    ),
    "proxy_anchor": ("cosine", losses.ProxyAnchorLoss, ("margin", "scale")),
    "ge2e": ("ge2e", losses.GE2ELoss, ("form", "epsilon")),
    "triplet": (
        "embedding",
        losses.TripletLoss,
        ("margin", "soft_margin", "mining", "distance", "average"),
    ),
    "contrastive": ("embedding", losses.ContrastiveLoss, ("margin", "average")),
    "multi_similarity": (
        "embedding",
        losses.MultiSimilarityLoss,
        ("alpha", "beta", "base", "epsilon"),
    ),
    "supervised_contrastive": ("embedding", losses.SupervisedContrastiveLoss, ("temperature",)),
    "circle": ("embedding", losses.CircleLoss, ("margin", "scale")),
    "mean_squared_error": ("reconstruction", losses.ReconstructionLoss, ()),
}


def losses_of(
    experiment: Experiment, class_sizes: np.ndarray | None = None
) -> tuple[object, object, object]:
    """(loss, metrics, loss weights) as `compile` takes them.

    Args:
        experiment: the recipe.
        class_sizes: (N,) training pictures of each class, for a loss that reads them
            (`loss.dynamic_margin`, `loss.class_weights`).

    Raises:
        ValueError: an unknown loss, a setting that it does not read, or one that does not fit the
            head, the sampling or the evaluation; or no class sizes where the loss reads them.
    """
    name, head = experiment.loss.name, experiment.model.head
    if name not in _LOSSES:
        raise ValueError(
            f"Expected a loss among {', '.join(_LOSSES)}. Received: loss.name={name!r}."
        )
    fits = _LOSSES[name][0]
    if fits != head:
        raise ValueError(
            f"The {name} loss trains a {fits!r} head. Received: model.head={head!r}. Set "
            f"model.head={fits}."
        )
    plain = _loss(experiment.loss, class_sizes)
    loss = large_heads.center_loss(experiment.loss, experiment.data, plain)
    loss = mixed_loss(experiment, loss)
    if head in CLASSLESS_HEADS:
        _check_without_classes(experiment)
        return gathered(experiment, loss), [], None
    accuracy = [accuracy_of(experiment.data)]
    loss = gathered(experiment, loss)
    if isinstance(loss, losses.CenterLoss):
        accuracy = []  # there are no scores to count in: its head counts
    weight = experiment.model.auxiliary_weight
    if weight == 0:
        return loss, accuracy, None
    # The auxiliary classifier gives logits, whatever the main head gives.
    auxiliary = loss if head == "softmax" else mixed_loss(experiment, losses.CrossEntropyLoss())
    return (
        {"main": loss, "auxiliary": auxiliary},
        {"main": accuracy},
        {"main": 1.0, "auxiliary": weight},
    )


def _loss(settings: Loss, class_sizes: np.ndarray | None):
    """The loss with the settings that are not left at its defaults."""
    _, kind, reads = _LOSSES[settings.name]
    given = {key: value for key, value in asdict(settings).items() if value is not None}
    given.pop("name")
    unread = [key for key in given if key not in reads]
    if unread:
        raise ValueError(
            f"The {settings.name} loss reads {', '.join(reads) or 'no setting'}. "
            f"Received: loss.{unread[0]}={given[unread[0]]!r}."
        )
    if given.pop("soft_margin", False):
        if "margin" in given:
            raise ValueError(
                f"A soft margin has no margin. Received: loss.margin={given['margin']} with "
                f"loss.soft_margin=true."
            )
        given["margin"] = None
    elsewhere = (*_MARGINS[1:], "class_weights", *large_heads.SETTINGS)
    by_class = {key: given.pop(key) for key in elsewhere if key in given}
    given |= _margins(settings, class_sizes)
    given |= margin_schedules.scheduled_margin(settings, given.get("margin"))
    loss = kind(**given)
    if by_class.get("class_weights"):
        weights = losses.class_weights(_sizes(class_sizes, "class_weights"))
        return losses.ClassWeightedLoss(loss, weights, name=loss.name)
    return loss


def _margins(settings: Loss, class_sizes: np.ndarray | None) -> dict[str, np.ndarray]:
    """The margin of each class, where the recipe asks for margins by class size."""
    bounds = {
        "low": settings.margin_low,
        "high": settings.margin_high,
        "power": settings.margin_power,
    }
    bounds = {key: value for key, value in bounds.items() if value is not None}
    if not settings.dynamic_margin:
        if bounds:
            raise ValueError(
                f"loss.margin_{next(iter(bounds))} belongs to margins by class size: set "
                f"loss.dynamic_margin=true."
            )
        return {}
    if settings.margin is not None:
        raise ValueError(
            f"With loss.dynamic_margin=true the margins are loss.margin_low to loss.margin_high. "
            f"Received also: loss.margin={settings.margin}."
        )
    return {"margin": losses.dynamic_margins(_sizes(class_sizes, "dynamic_margin"), **bounds)}


def _sizes(class_sizes: np.ndarray | None, setting: str) -> np.ndarray:
    if class_sizes is None:
        raise ValueError(
            f"loss.{setting}=true needs the number of training pictures of each class. "
            f"Received: no class sizes."
        )
    # A class whose pictures are all held out is never a label in training: its size is no matter.
    return np.maximum(class_sizes, 1)


def _check_without_classes(experiment: Experiment) -> None:
    """What the loss of a head that knows no classes needs of the rest of the recipe."""
    data, head = experiment.data, experiment.model.head
    if experiment.evaluation.recognition != "knn":
        raise ValueError(
            f"A network with the {head} head knows no classes: set evaluation.recognition=knn. "
            f"Received: {experiment.evaluation.recognition!r}."
        )
    if experiment.model.auxiliary_weight:
        raise ValueError(
            f"An auxiliary classifier goes with a head that knows classes. "
            f"Received: model.auxiliary_weight={experiment.model.auxiliary_weight} with the {head} "
            f"head."
        )
    if head == "reconstruction":
        return
    if data.sampling != "class_balanced":
        raise ValueError(
            f"The {experiment.loss.name} loss compares the pictures of a batch: set "
            f"data.sampling=class_balanced, data.classes_per_batch and data.images_per_class. "
            f"Received: data.sampling={data.sampling!r}."
        )
    if data.classes_per_batch < 2 or data.images_per_class < 2:
        raise ValueError(
            f"The {experiment.loss.name} loss needs at least 2 classes a batch and 2 pictures a "
            f"class. Received: {data.classes_per_batch} x {data.images_per_class}."
        )
