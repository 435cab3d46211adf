"""Multi-similarity loss with its mining (Wang et al., CVPR 2019, arXiv 1904.06627)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.distances import cosine_similarities
from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.pairs import class_pairs, logsumexp_of
from landmarks_tf.losses.target_column import nan_unless

# Beyond any cosine: no pair is mined against it.
_BEYOND = 1e30


def multi_similarity_losses(
    labels,
    embeddings,
    *,
    alpha: float = 2.0,
    beta: float = 50.0,
    base: float = 1.0,
    epsilon: float | None = 0.1,
):
    """Soft sums over an anchor's hard positives and hard negatives (eq. 15 of the paper).

        log(1 + sum_p exp(-alpha (S_p - base))) / alpha
            + log(1 + sum_n exp(beta (S_n - base))) / beta

    with S the cosines to the anchor. Only informative pairs are summed (eq. 6 and 7): a negative
    whose cosine exceeds the anchor's lowest positive cosine minus `epsilon`, and a positive whose
    cosine is below the highest negative one plus `epsilon`. An anchor without a positive therefore
    mines no negative, and one without a negative no positive.

    The defaults are the paper's, section 4.1 (its lambda is `base`). Its authors' program has 0.5
    for it, and leaves out anchors for which only one kind of pair was mined; the formula does not,
    nor does this.

    Args:
        labels: (B,) or (B, 1) class ids.
        embeddings: (B, D) float32 rows of any length.
        alpha: sharpness of the positive part, positive.
        beta: sharpness of the negative part, positive.
        base: the cosine around which pairs are weighed, in [-1, 1].
        epsilon: slack of the mining, not negative; None sums all pairs.

    Returns:
        (B,) float32, one value for each anchor; all anchors weigh in the mean, also those that
        mined nothing, whose value is 0. All NaN where a label is no class id.

    Raises:
        ValueError: a number out of range, or embeddings that are not (B, D) float32.
    """
    _check(alpha, beta, base, epsilon)
    cosines = cosine_similarities(embeddings)
    positives, negatives, known = class_pairs(labels)
    if epsilon is not None:
        lowest = ops.min(ops.where(positives, cosines, _BEYOND), axis=1, keepdims=True)
        highest = ops.max(ops.where(negatives, cosines, -_BEYOND), axis=1, keepdims=True)
        positives = ops.logical_and(positives, cosines - epsilon < highest)
        negatives = ops.logical_and(negatives, cosines + epsilon > lowest)
    positive_part = ops.softplus(logsumexp_of(-alpha * (cosines - base), positives)) / alpha
    negative_part = ops.softplus(logsumexp_of(beta * (cosines - base), negatives)) / beta
    return nan_unless(known, positive_part + negative_part)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class MultiSimilarityLoss(Float32Loss):
    """`multi_similarity_losses` of the embeddings of a batch, for class-balanced batches.

    Args:
        alpha: positive.
        beta: positive.
        base: in [-1, 1].
        epsilon: not negative, or None for no mining.
        name: the loss' name.
        dtype: None or "float32".
        **kwargs: `reduction`, as every Keras loss.

    Call: labels (B,), embeddings (B, D) -> one value per row, reduced by Keras.

    Raises:
        ValueError: an argument out of range, or a dtype other than float32.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 1.0,
        epsilon: float | None = 0.1,
        name: str = "multi_similarity",
        dtype=None,
        **kwargs,
    ):
        super().__init__(name=name, dtype=dtype, **kwargs)
        _check(alpha, beta, base, epsilon)
        self.alpha = float(alpha)
        self.beta = float(beta)
        self.base = float(base)
        self.epsilon = None if epsilon is None else float(epsilon)

    def call(self, y_true, y_pred):
        return multi_similarity_losses(
            y_true,
            y_pred,
            alpha=self.alpha,
            beta=self.beta,
            base=self.base,
            epsilon=self.epsilon,
        )

    def get_config(self):
        return {
            **super().get_config(),
            "alpha": self.alpha,
            "beta": self.beta,
            "base": self.base,
            "epsilon": self.epsilon,
        }


def _check(alpha: float, beta: float, base: float, epsilon: float | None) -> None:
    for name, value in (("alpha", alpha), ("beta", beta)):
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be positive and finite. Received: {name}={value}.")
    if not -1 <= base <= 1:
        raise ValueError(f"base is a cosine, in [-1, 1]. Received: base={base}.")
    if epsilon is not None and not 0 <= epsilon < math.inf:
        raise ValueError(
            f"epsilon must be finite and not negative, or None for no mining. "
            f"Received: epsilon={epsilon}."
        )
