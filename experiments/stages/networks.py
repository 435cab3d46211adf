"""From a recipe to a network, a loss and batches."""

from __future__ import annotations

import keras

from experiments.config import Experiment
from landmarks_tf.models import (
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
        auxiliary=model.auxiliary_weight > 0,
    )


def class_scores(experiment: Experiment, trainer: keras.Model) -> keras.Model | None:
    """(B, S, S, 3) -> (B, N): logits or cosines, without the auxiliary head.

    None for a network that knows no classes (the reconstruction head).
    """
    if experiment.model.head == "reconstruction":
        return None
    main = trainer.output["main"] if isinstance(trainer.output, dict) else trainer.output
    return keras.Model(trainer.input, main, name="class_scores")


def losses_of(experiment: Experiment) -> tuple[object, object, object]:
    """(loss, metrics, loss weights) as `compile` takes them.

    Raises:
        ValueError: an unknown loss, or one that does not fit the head.
    """
    from landmarks_tf.losses import ArcFaceLoss, ReconstructionLoss

    name, head = experiment.loss.name, experiment.model.head
    fits = {
        "cross_entropy": "softmax",
        "arcface": "cosine",
        "mean_squared_error": "reconstruction",
    }
    if name not in fits:
        raise ValueError(f"Expected a loss among {', '.join(fits)}. Received: loss.name={name!r}.")
    if fits[name] != head:
        raise ValueError(
            f"The {name} loss trains a {fits[name]!r} head. Received: model.head={head!r}. Set "
            f"model.head={fits[name]}."
        )
    if name == "mean_squared_error":
        if experiment.evaluation.recognition != "knn":
            raise ValueError(
                f"A network with the reconstruction head knows no classes: set "
                f"evaluation.recognition=knn. Received: {experiment.evaluation.recognition!r}."
            )
        return ReconstructionLoss(), [], None
    if name == "arcface":
        loss = ArcFaceLoss(margin=experiment.loss.margin, scale=experiment.loss.scale)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype="float32")
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    weight = experiment.model.auxiliary_weight
    if weight == 0:
        return loss, [accuracy], None
    losses = {"main": loss, "auxiliary": loss}
    return losses, {"main": [accuracy]}, {"main": 1.0, "auxiliary": weight}
