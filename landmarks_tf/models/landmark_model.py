"""Backbone -> pooling -> neck -> unit rows, and the head that trains them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
from keras import layers

from landmarks_tf.layers import (
    ClassCenters,
    CosineClassifier,
    GE2ESimilarity,
    L2Normalization,
    StepCount,
)
from landmarks_tf.models.backbones import Backbone
from landmarks_tf.models.blocks import dense
from landmarks_tf.models.inception import auxiliary_head
from landmarks_tf.models.neck import apply_neck
from landmarks_tf.models.pooling import pool
from landmarks_tf.models.unet import reconstruct

HEADS = ("softmax", "cosine", "embedding", "ge2e", "reconstruction")
# Their outputs are no scores of classes.
CLASSLESS_HEADS = ("embedding", "ge2e", "reconstruction")


@dataclass(frozen=True)
class LandmarkModel:
    """One set of weights seen two ways.

    Attributes:
        trainer: (B, S, S, 3) pixels 0..255 -> (B, N) logits ("softmax" head) or cosines
            ("cosine" head; the embedder's rows where the loss scores them); with an auxiliary head
            {"main": those, "auxiliary": (B, N)};
            with the "embedding" head the embedder's rows themselves; with the "ge2e" head
            (P * K, P) similarities to the classes of the batch; with the "reconstruction" head
            (B, S, S, 3), the decoder's picture minus the preprocessed one.
        embedder: (B, S, S, 3) pixels 0..255 -> (B, D) unit rows, float32.
    """

    trainer: keras.Model
    embedder: keras.Model


def _softmax_head(x, num_classes: int, dropout: float, init: str):
    if dropout:
        x = layers.Dropout(dropout, name="head_dropout")(x)
    return dense(x, num_classes, init=init, name="logits", dtype="float32")


def build_embedder(
    backbone: Backbone,
    *,
    dim: int | None = None,
    pooling: str = "avg",
    neck: Sequence[str] = (),
    dropout: float = 0.5,
) -> keras.Model:
    """Backbone -> pooling -> neck -> unit rows.

    Args:
        backbone: from `create_backbone`.
        dim: D, width of the neck's plain "dense" part; None when it has none.
        pooling: one of `landmarks_tf.models.pooling.POOLINGS`.
        neck: parts in order, as `apply_neck` takes them; empty for the pooled features themselves.
        dropout: rate of the neck's plain "dropout" part, in [0, 1).

    Returns:
        (B, S, S, 3) pixels 0..255 -> (B, D) rows of length 1, float32.

    Raises:
        ValueError: an unknown pooling or part of a neck, or a width that does not fit the neck.
    """
    x = pool(backbone.model.output, pooling)
    x = apply_neck(x, neck, dim=dim, dropout=dropout, init=backbone.dense_init)
    unit = L2Normalization(name="embedding")(x)
    return keras.Model(backbone.model.input, unit, name="embedder")


def build_landmark_model(
    embedder: keras.Model,
    backbone: Backbone,
    *,
    num_classes: int,
    head: str,
    head_dropout: float = 0.5,
    subcenters: int = 1,
    images_per_class: int = 0,
    auxiliary: bool = False,
    count_steps: int = 0,
    gather: keras.layers.Layer | None = None,
    centers_multiple: int = 1,
    scores_in_loss: bool = False,
    sample_rate: float = 1.0,
) -> LandmarkModel:
    """Add the head that trains an embedder.

    The softmax head reads the neck's output before normalisation, through dropout, as S2 has it;
    the cosine head reads the unit rows. The embedding head is those rows, for losses over the pairs
    of a batch; the ge2e head compares them with the centroids of their own batch; the
    reconstruction head is S1's U-Net decoder, which reads the backbone's maps. These three know no
    classes.

    Args:
        embedder: from `build_embedder` over the same `backbone`.
        backbone: what the auxiliary head taps.
        num_classes: N, at least 2; heads that know no classes have no use for it.
        head: one of `HEADS`.
        head_dropout: rate before the softmax head's dense layer, in [0, 1).
        subcenters: K of the cosine head.
        images_per_class: K of the ge2e head, at least 2: batches are P classes of K, in order.
        auxiliary: add InceptionV3's auxiliary classifier (needs 299 px).
        count_steps: forward passes that make a training step, which a layer "training_steps"
            before the cosine head then counts, for a loss whose margin follows them; 0 for none.
        gather: a layer between the unit rows and the embedding or ge2e head, which brings together
            the rows that several devices hold (`landmarks_tf.training.gather`).
        centers_multiple: fill the cosine head's centres up to a multiple of this number of classes.
        scores_in_loss: the cosine head gives the unit rows, and `landmarks_tf.losses.CenterLoss`
            scores them with the centres of its layer "cosines".
        sample_rate: part of the classes that such a loss scores in a training step, in (0, 1].

    Raises:
        ValueError: unknown head, fewer than 2 classes, a backbone without an auxiliary tap, or one
            whose maps no decoder is known for.
    """
    if num_classes < 2:
        raise ValueError(
            f"Training needs at least 2 classes. Received: num_classes={num_classes}. Check that "
            f"the minimum of images per class leaves any class over."
        )
    if head == "softmax":
        features = embedder.get_layer("embedding").input
        main = _softmax_head(features, num_classes, head_dropout, backbone.dense_init)
    elif head == "cosine":
        rows = embedder.output
        if count_steps:
            rows = StepCount(count_steps, name="training_steps")(rows)
        if scores_in_loss:
            head_layer = ClassCenters(num_classes, subcenters, sample_rate, name="cosines")
        else:
            head_layer = CosineClassifier(num_classes, subcenters, centers_multiple, name="cosines")
        main = head_layer(rows)
    elif head == "embedding":
        main = embedder.output if gather is None else gather(embedder.output)
    elif head == "ge2e":
        rows = embedder.output if gather is None else gather(embedder.output)
        main = GE2ESimilarity(images_per_class, name="similarities")(rows)
    elif head == "reconstruction":
        main = reconstruct(backbone.model, backbone.skips)
    else:
        raise ValueError(f"Expected a head among {', '.join(HEADS)}. Received: {head!r}.")
    outputs = main
    if auxiliary:
        if backbone.auxiliary_tap is None:
            raise ValueError(
                f"Of the backbones only the Inception family has an auxiliary head. "
                f"Received: auxiliary=True with {backbone.name}."
            )
        outputs = {"main": main, "auxiliary": auxiliary_head(backbone.auxiliary_tap, num_classes)}
    return LandmarkModel(keras.Model(embedder.input, outputs, name="trainer"), embedder)
