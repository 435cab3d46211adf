"""Proxy-anchor loss (Kim et al., CVPR 2020, arXiv 2003.13911, eq. 4)."""

from __future__ import annotations

import math
from collections.abc import Callable

import keras
from keras import ops

from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.pairs import LOG_ZERO, logsumexp_of
from landmarks_tf.losses.target_column import (
    checked_scores,
    class_ids,
    nan_unless,
    scores_at,
    with_scores_at,
)


def proxy_anchor_losses(
    labels, cosines, *, margin: float = 0.1, scale: float = 32.0, gather: Callable | None = None
):
    """Each class' proxy pulls its rows of the batch and pushes all others, the hardest most.

        mean over the classes of the batch of
            log(1 + sum_{own rows x} exp(-scale (s(x, p) - margin)))
        + mean over all N classes of
            log(1 + sum_{other rows x} exp(scale (s(x, p) + margin)))

    The proxies are the centres of a `CosineClassifier`, which hands out their cosines. Memory: two
    (B, N) tensors besides the cosines.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N).
        cosines: (B, N) float32.
        margin: delta, in [0, 1).
        scale: alpha, positive.
        gather: (B, ...) of a device -> (R * B, ...) of all R that share the batch, differentiable
            (`landmarks_tf.training.gather`); None where one has all rows. What travels is a number
            for each row and one for each class, never the (B, N) cosines.

    Returns:
        (B,) float32, gathered (R * B,), whose mean is the loss: the first term's share of each
        row's class, divided among its rows, plus the second term. All NaN where a label lies
        outside [0, N), because every row is part of every class' sum.

    Raises:
        ValueError: a number out of range, or cosines that are not (B, N) float32.
    """
    _check(margin, scale)
    cosines = checked_scores(cosines)
    ids, known = class_ids(labels, ops.shape(cosines)[1])
    own = scores_at(cosines, ids)
    others = with_scores_at(scale * (cosines + margin), ids, ops.full_like(own, LOG_ZERO))
    push = ops.logsumexp(others, axis=0)
    if gather is not None:
        ids, own = gather(ids), gather(own)
        known = gather(ops.cast(known, "int32")) > 0
        push = ops.logsumexp(gather(push[None]), axis=0)
    same = ops.equal(ids[:, None], ids[None, :])
    pull = ops.softplus(logsumexp_of(-scale * (own - margin)[None, :], same))
    # Each of a class' n rows carries the class' term: 1/n of it, so that the class counts once.
    share = 1.0 / ops.sum(ops.cast(same, "float32"), axis=1)
    batch = ops.cast(ops.shape(own)[0], "float32")
    pull = pull * share * (batch / ops.sum(share))
    return nan_unless(ops.all(known), pull + ops.mean(ops.softplus(push)))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ProxyAnchorLoss(Float32Loss):
    """`proxy_anchor_losses` over the cosines of a `CosineClassifier`, for any kind of batch.

    Args:
        margin: in [0, 1).
        scale: positive.
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,) in [0, N), cosines (B, N) -> one value per row, reduced by Keras.

    Raises:
        ValueError: an argument out of range, or a dtype other than float32.
    """

    def __init__(
        self,
        margin: float = 0.1,
        scale: float = 32.0,
        name: str = "proxy_anchor",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        _check(margin, scale)
        self.margin = float(margin)
        self.scale = float(scale)

    def call(self, y_true, y_pred):
        return proxy_anchor_losses(y_true, y_pred, margin=self.margin, scale=self.scale)

    def call_across(self, y_true, y_pred, gather: Callable):
        """The loss of a batch that devices share, from the rows that this one has of it."""
        return proxy_anchor_losses(
            y_true, y_pred, margin=self.margin, scale=self.scale, gather=gather
        )

    def get_config(self):
        return {**super().get_config(), "margin": self.margin, "scale": self.scale}


def _check(margin: float, scale: float) -> None:
    if not 0 <= margin < 1:
        raise ValueError(f"margin is a cosine in [0, 1). Received: margin={margin}.")
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite. Received: scale={scale}.")
