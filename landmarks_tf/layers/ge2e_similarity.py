"""Similarities of rows to the centroids of the classes of their own batch (GE2E)."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.layers.float32 import Float32Layer
from landmarks_tf.layers.l2_normalization import l2_normalize

_SMALLEST_SCALE = 1e-6


def centroid_cosines(embeddings, images_per_class: int):
    """Cosine between each row and the centroid of each class of the batch.

    A centroid is the mean of its class' unit rows, made a unit row again. A row meets its own class
    without itself, (sum - row) / (K - 1), because a row resembles a centroid that holds it (Wan et
    al., arXiv 1710.10467, eq. 8 and 9; reproduction.md section 2.2).

    A class with fewer than K pictures repeats some in the batch (each copy augmented on its own).
    The copies of a row stay in the centroid "without itself": a class of one picture is compared
    with itself, as in S1's program.

    Args:
        embeddings: (P * K, D) float32, rows of one class next to each other.
        images_per_class: K, at least 2.

    Returns:
        (P * K, P); row i belongs to class i // K of the batch. A centroid of zeros (opposite rows)
        has cosine 0.
    """
    K = images_per_class
    rows = l2_normalize(embeddings)
    by_class = ops.reshape(rows, (-1, K, rows.shape[-1]))
    sums = ops.sum(by_class, axis=1)
    others = l2_normalize((sums[:, None, :] - by_class) / (K - 1))
    own = ops.reshape(ops.sum(by_class * others, axis=-1), (-1, 1))
    cosines = ops.matmul(rows, ops.transpose(l2_normalize(sums / K)))
    classes = ops.arange(ops.shape(sums)[0], dtype="int32")
    is_own = ops.equal(ops.repeat(classes, K)[:, None], classes[None, :])
    return ops.where(is_own, own, cosines)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class GE2ESimilarity(Float32Layer):
    """w * cosine + b of `centroid_cosines`, with w and b learned; in float32 whatever the policy.

    The gradients of w and b are multiplied by `gradient_scale` (S1 has 0.01), before the optimizer
    clips them. One step of any optimizer that divides by the gradient's size, such as Adam, does
    not notice.

    Args:
        images_per_class: K, at least 2; the batch holds whole classes of K rows in order.
        initial_scale: w at the start (S1: 10).
        initial_offset: b at the start (S1: -5).
        gradient_scale: in (0, 1].
        positive_scale: keep w above zero, as the paper asks. S1 does not.

    Input shape: (P * K, D), P at least 2. Output shape: (P * K, P), float32.

    Weights: `scale` and `offset`, one number each.

    Raises:
        ValueError: fewer than two images per class, numbers out of range, an input that is not
            (P * K, D), or a dtype other than float32.
    """

    def __init__(
        self,
        images_per_class: int,
        initial_scale: float = 10.0,
        initial_offset: float = -5.0,
        gradient_scale: float = 0.01,
        positive_scale: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if images_per_class < 2:
            raise ValueError(
                f"GE2E compares a picture with the others of its class: images_per_class must be "
                f"at least 2. Received: images_per_class={images_per_class}."
            )
        if not initial_scale > 0:
            raise ValueError(
                f"initial_scale must be positive. Received: initial_scale={initial_scale}."
            )
        if not 0 < gradient_scale <= 1:
            raise ValueError(
                f"gradient_scale lies in (0, 1]. Received: gradient_scale={gradient_scale}."
            )
        self.images_per_class = int(images_per_class)
        self.initial_scale = float(initial_scale)
        self.initial_offset = float(initial_offset)
        self.gradient_scale = float(gradient_scale)
        self.positive_scale = bool(positive_scale)

    def build(self, input_shape):
        self._check_shape(input_shape)
        self.scale = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_scale),
            constraint=_AboveZero() if self.positive_scale else None,
            name="scale",
        )
        self.offset = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial_offset),
            name="offset",
        )

    def call(self, embeddings):
        self._check_shape(embeddings.shape)
        cosines = centroid_cosines(embeddings, self.images_per_class)
        scale = _slowed(self.scale, self.gradient_scale)
        return scale * cosines + _slowed(self.offset, self.gradient_scale)

    def compute_output_shape(self, input_shape):
        rows = input_shape[0]
        return (rows, None if rows is None else rows // self.images_per_class)

    def get_config(self):
        return {
            **super().get_config(),
            "images_per_class": self.images_per_class,
            "initial_scale": self.initial_scale,
            "initial_offset": self.initial_offset,
            "gradient_scale": self.gradient_scale,
            "positive_scale": self.positive_scale,
        }

    def _check_shape(self, shape) -> None:
        K = self.images_per_class
        if len(shape) != 2 or shape[-1] is None:
            raise ValueError(
                f"GE2ESimilarity compares embeddings of shape (P * K, D) with D known. "
                f"Received an input of shape {tuple(shape)}."
            )
        if shape[0] is not None and (shape[0] % K or shape[0] < 2 * K):
            raise ValueError(
                f"A batch holds 2 or more classes of {K} rows each (images_per_class). "
                f"Received an input of shape {tuple(shape)}."
            )


class _AboveZero(keras.constraints.Constraint):
    def __call__(self, w):
        return ops.maximum(w, _SMALLEST_SCALE)


def _slowed(weight, factor: float):
    """The same value, with `factor` times its gradient."""
    value = ops.convert_to_tensor(weight)
    fixed = ops.stop_gradient(value)
    return fixed + factor * (value - fixed)
