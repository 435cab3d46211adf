"""Backbone -> pooling -> neck -> unit rows, and the head that trains them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
from keras import layers

from landmarks_tf.layers import CosineClassifier, GeMPooling2D, L2Normalization
from landmarks_tf.models.backbones import Backbone
from landmarks_tf.models.inception import auxiliary_head, torch_linear_bias

POOLINGS = ("avg", "max", "gem", "gem_fixed")
NECK_PARTS = ("dropout", "dense", "batch_norm")
HEADS = ("softmax", "cosine")


@dataclass(frozen=True)
class LandmarkModel:
    """One set of weights seen two ways.

    Attributes:
        trainer: (B, S, S, 3) pixels 0..255 -> (B, N) logits ("softmax" head) or cosines
            ("cosine" head); with an auxiliary head {"main": (B, N), "auxiliary": (B, N)}.
        embedder: (B, S, S, 3) pixels 0..255 -> (B, D) unit rows, float32.
    """

    trainer: keras.Model
    embedder: keras.Model


def pool(feature_map, pooling: str):
    """(B, h, w, C) -> (B, C) by one of `POOLINGS`, in float32.

    Raises:
        ValueError: an unknown pooling.
    """
    if pooling == "avg":
        return layers.GlobalAveragePooling2D(name="pool", dtype="float32")(feature_map)
    if pooling == "max":
        return layers.GlobalMaxPooling2D(name="pool", dtype="float32")(feature_map)
    if pooling in ("gem", "gem_fixed"):
        return GeMPooling2D(trainable_p=pooling == "gem", name="pool")(feature_map)
    raise ValueError(f"Expected a pooling among {', '.join(POOLINGS)}. Received: {pooling!r}.")


def apply_neck(x, neck: Sequence[str], dim: int | None, dropout: float):
    """Apply the parts of `NECK_PARTS` in the order given, as each source has its own.

    Raises:
        ValueError: an unknown part, or a dense part without its width (or the reverse).
    """
    if ("dense" in neck) != (dim is not None):
        raise ValueError(
            f"A neck with a dense part needs its width, and only then. "
            f"Received: neck={tuple(neck)}, dim={dim}."
        )
    for part in neck:
        if part == "dropout":
            x = layers.Dropout(dropout, name="neck_dropout")(x)
        elif part == "dense":
            x = layers.Dense(dim, name="neck_dense")(x)
        elif part == "batch_norm":
            x = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="neck_bn")(x)
        else:
            raise ValueError(
                f"Expected neck parts among {', '.join(NECK_PARTS)}. Received: {part!r}."
            )
    return x


def _softmax_head(x, num_classes: int, dropout: float, kernel_stddev: float | None):
    if dropout:
        x = layers.Dropout(dropout, name="head_dropout")(x)
    if kernel_stddev is None:
        kernel, bias = "glorot_uniform", "zeros"
    else:
        kernel = keras.initializers.TruncatedNormal(stddev=kernel_stddev)
        bias = torch_linear_bias(x.shape[-1])
    return layers.Dense(
        num_classes,
        kernel_initializer=kernel,
        bias_initializer=bias,
        dtype="float32",
        name="logits",
    )(x)


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
        dim: D, width of the neck's dense part; None when the neck has none.
        pooling: one of `POOLINGS`.
        neck: parts of `NECK_PARTS`, in order; empty for the pooled features themselves.
        dropout: rate of the neck's dropout part, in [0, 1).

    Returns:
        (B, S, S, 3) pixels 0..255 -> (B, D) rows of length 1, float32.

    Raises:
        ValueError: an unknown pooling or part of a neck, or a width that does not fit the neck.
    """
    x = apply_neck(pool(backbone.model.output, pooling), neck, dim, dropout)
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
    auxiliary: bool = False,
) -> LandmarkModel:
    """Add the head that trains an embedder.

    The softmax head reads the neck's output before normalisation, through dropout, as S2 has it;
    the cosine head reads the unit rows.

    Args:
        embedder: from `build_embedder` over the same `backbone`.
        backbone: what the auxiliary head taps.
        num_classes: N, at least 2.
        head: one of `HEADS`.
        head_dropout: rate before the softmax head's dense layer, in [0, 1).
        subcenters: K of the cosine head.
        auxiliary: add InceptionV3's auxiliary classifier (needs 299 px).

    Raises:
        ValueError: unknown head, fewer than 2 classes, or a backbone without an auxiliary tap.
    """
    if num_classes < 2:
        raise ValueError(
            f"Training needs at least 2 classes. Received: num_classes={num_classes}. Check that "
            f"the minimum of images per class leaves any class over."
        )
    if head == "softmax":
        features = embedder.get_layer("embedding").input
        main = _softmax_head(features, num_classes, head_dropout, backbone.head_kernel_stddev)
    elif head == "cosine":
        main = CosineClassifier(num_classes, subcenters, name="cosines")(embedder.output)
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
