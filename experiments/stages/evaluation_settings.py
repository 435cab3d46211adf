"""What a recipe says of its evaluation, checked before the first hour of training, not after the
last: a run belongs to its recipe, so a word misspelt there could only be mended by training again.
"""

from __future__ import annotations

import math

from experiments.config import Evaluation
from landmarks_tf.retrieval.multi_scale import check_scales
from landmarks_tf.retrieval.votes import SCHEMES

_DEVICES = ("cpu", "gpu", "auto")


def check_evaluation(evaluation: Evaluation) -> None:
    """Raises unless every setting is one that the evaluation can obey.

    Raises:
        ValueError: naming the setting, what it may be, and what it is.
    """
    _one_of("recognition", evaluation.recognition, ("softmax", "knn"))
    _one_of("knn_vote", evaluation.knn_vote, SCHEMES)
    _one_of("search_device", evaluation.search_device, _DEVICES)
    for name in ("batch_size", "knn_neighbours"):
        if getattr(evaluation, name) < 1:
            raise ValueError(
                f"evaluation.{name} is at least 1. Received: {getattr(evaluation, name)}."
            )
    for name in ("reference_penalty", "query_penalty"):
        weight = getattr(evaluation, name)
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"evaluation.{name} is a weight of 0 or more. Received: {weight}.")
    try:
        check_scales(evaluation.scales, evaluation.scale_pooling)
    except ValueError as error:
        raise ValueError(f"evaluation.scales, evaluation.scale_pooling: {error}") from None


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"evaluation.{name} is one of {', '.join(known)}. Received: {value!r}.")
