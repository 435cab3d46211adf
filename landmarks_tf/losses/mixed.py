"""A loss over classes of pictures that are mixed of two, and the accuracy that goes with it."""

from __future__ import annotations

import keras
from keras import ops

from landmarks_tf.losses.float32 import Float32Loss


def mix_losses(shares, first, second):
    """(B,) shares l, (B,) losses of the one label and of the other -> l first + (1 - l) second.

    For cross-entropy, smoothed or not, that is the cross-entropy with the mixed target l y_i +
    (1 - l) y_j (Zhang et al., arXiv 1710.09412): it is linear in the target. NaN where either loss
    is, so that no label out of range is hidden by a share of 0.
    """
    return shares * first + (1.0 - shares) * second


@keras.saving.register_keras_serializable(package="landmarks_tf")
class MixedLoss(Float32Loss):
    """Another loss over classes, of pictures mixed of two.

    Only for a loss that is linear in the target, such as `CrossEntropyLoss`, `NormSoftmaxLoss` or
    either in a `ClassWeightedLoss`. A margin is put on the one cosine of a picture's own class; a
    mixed picture has two, and no such margin is defined.

    Args:
        loss: gives one value per row for (B,) labels and (B, N) scores. Its own reduction is not
            used.
        name: the loss' name; that of `loss` if not given.
        **kwargs: `dtype` and `reduction`, as every loss here.

    Call: targets (B, 3) float32 of class, other class and share of the first in [0, 1], as
    `landmarks_tf.data.mixing` gives them, and scores (B, N) -> one value per row, reduced by Keras.
    A class out of range or a share outside [0, 1] gives NaN.

    Raises:
        ValueError: no Keras loss, a dtype other than float32, or (when called) targets that are not
            (B, 3).
    """

    def __init__(self, loss, name: str | None = None, **kwargs):
        if not isinstance(loss, keras.losses.Loss):
            raise ValueError(f"Expected a Keras loss over classes. Received: loss={loss!r}.")
        super().__init__(name=name or loss.name, **kwargs)
        self.loss = loss

    def call(self, y_true, y_pred):
        first, second, shares = _columns(y_true)
        shares = ops.where((shares >= 0) & (shares <= 1), shares, float("nan"))
        return mix_losses(shares, self.loss.call(first, y_pred), self.loss.call(second, y_pred))

    def get_config(self):
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})


@keras.saving.register_keras_serializable(package="landmarks_tf")
class MixedAccuracy(keras.metrics.SparseCategoricalAccuracy):
    """How many pictures' highest score is that of the class with the larger share in them.

    Args: as `keras.metrics.SparseCategoricalAccuracy`.

    `update_state` takes targets (B, 3) as `MixedLoss` does, and scores (B, N).
    """

    def update_state(self, y_true, y_pred, sample_weight=None):
        first, second, shares = _columns(y_true)
        larger = ops.where(shares >= 0.5, first, second)
        return super().update_state(larger, y_pred, sample_weight)


def _columns(targets):
    targets = ops.convert_to_tensor(targets)
    if len(targets.shape) != 2 or targets.shape[1] != 3:
        raise ValueError(
            f"Expected targets of shape (B, 3): class, other class, share of the first. "
            f"Received: shape {tuple(targets.shape)}."
        )
    return targets[:, 0], targets[:, 1], targets[:, 2]
