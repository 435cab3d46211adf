"""Normalised softmax: cosines over a temperature (Zhai and Wu, BMVC 2019, arXiv 1811.12649)."""

from __future__ import annotations

import math

import keras
from keras import ops

from landmarks_tf.losses.cross_entropy import CrossEntropyLoss
from landmarks_tf.losses.target_column import checked_scores


def norm_softmax_logits(cosines, temperature: float = 0.05):
    """Cosines divided by the temperature.

    Args:
        cosines: (B, N) float32 cosines.
        temperature: positive; 0.05 is a scale of 20.

    Returns:
        (B, N) float32 logits.

    Raises:
        ValueError: a temperature that is not positive, or cosines that are not (B, N) float32.
    """
    return checked_scores(cosines) / _checked_temperature(temperature)


@keras.saving.register_keras_serializable(package="landmarks_tf")
class NormSoftmaxLoss(CrossEntropyLoss):
    """Cross-entropy over `norm_softmax_logits`, without margin.

    Args:
        temperature: positive.
        name: the loss' name.
        **kwargs: `label_smoothing`, `dtype` and `reduction`, as `CrossEntropyLoss`.

    Call: labels (B,) in [0, N), cosines (B, N) -> one value per row, reduced by Keras. A label out
    of range gives NaN.

    Raises:
        ValueError: a temperature or smoothing out of range, or a dtype other than float32.
    """

    def __init__(self, temperature: float = 0.05, name: str = "norm_softmax", **kwargs):
        super().__init__(name=name, **kwargs)
        self.temperature = _checked_temperature(temperature)

    def logits(self, labels, scores):
        return norm_softmax_logits(scores, self.temperature)

    def own_alone(self, ids, num_classes: int):
        return 1.0 / self.temperature, lambda own: (own, ops.ones_like(own))

    def get_config(self):
        return {**super().get_config(), "temperature": self.temperature}


def _checked_temperature(temperature: float) -> float:
    if not 0 < temperature < math.inf:
        raise ValueError(
            f"temperature must be positive and finite. Received: temperature={temperature}."
        )
    return float(temperature)
