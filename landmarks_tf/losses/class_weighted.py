"""A weight for each class, multiplied onto the loss of each row of that class."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops

from landmarks_tf.losses.float32 import Float32Loss
from landmarks_tf.losses.packed import pack_floats, unpack_floats
from landmarks_tf.losses.target_column import checked_scores, class_ids


def weigh_by_class(labels, rows, weights):
    """(B,) losses times the weight of each row's class.

    The mean over the batch is that of Keras, divided by B; PyTorch's weighted cross-entropy divides
    by the sum of the batch's weights.

    Args:
        labels: (B,) or (B, 1) class ids in [0, N).
        rows: (B,) losses; where a label is out of range it is their NaN that shows.
        weights: (N,).
    """
    ids, _ = class_ids(labels, len(weights))
    return rows * ops.take(ops.convert_to_tensor(weights, dtype="float32"), ids, axis=0)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class ClassWeightedLoss(Float32Loss):
    """Another loss over classes, each row weighted by its class.

    Args:
        loss: gives one value per row for (B,) labels and (B, N) scores, such as
            `CrossEntropyLoss` or `ArcFaceLoss`. Its own reduction is not used.
        weights: (N,), none negative, as `class_weights` gives them. The config holds them as
            packed text (`pack_floats`).
        name: the loss' name.
        **kwargs: `dtype` and `reduction`, as every loss here.

    Call: labels (B,) in [0, N), scores (B, N) -> one value per row, reduced by Keras.

    Raises:
        ValueError: no loss, weights that are not (N,) finite numbers of at least 0, a dtype other
            than float32, or (when called) scores of another number of classes.
    """

    def __init__(self, loss, weights, name: str = "class_weighted", **kwargs):
        super().__init__(name=name, **kwargs)
        if not isinstance(loss, keras.losses.Loss):
            raise ValueError(f"Expected a Keras loss to weigh. Received: loss={loss!r}.")
        weights = np.asarray(weights)
        numbers = weights.dtype.kind in "iuf" and weights.ndim == 1 and len(weights) > 0
        if not numbers or not np.all((weights >= 0) & np.isfinite(weights)):
            raise ValueError(
                f"weights are finite numbers of at least 0, one for each class. Received: "
                f"{weights.dtype} of shape {weights.shape}: {weights!r}."
            )
        self.loss = loss
        self.weights = weights.astype(np.float32)

    def call(self, y_true, y_pred):
        if checked_scores(y_pred).shape[1] != len(self.weights):
            raise ValueError(
                f"Expected one weight for each of the {y_pred.shape[1]:,} classes that are scored. "
                f"Received: {len(self.weights):,} weights."
            )
        return weigh_by_class(y_true, self.loss.call(y_true, y_pred), self.weights)

    def get_config(self):
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss, "weights": pack_floats(self.weights)}

    @classmethod
    def from_config(cls, config):
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss, "weights": unpack_floats(config["weights"])})
