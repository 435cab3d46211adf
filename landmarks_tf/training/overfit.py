"""Can the network learn one batch by heart? If not, no training will help; the check says why.

The commonest complaint about such trainings is a loss or an accuracy that stays where it was.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import keras
import numpy as np
from tqdm import tqdm

_IN_A_ROW = 5  # one lucky step is no proof
_NEAR_ZERO = 0.1  # of the way from the first loss to the lowest there can be
_SAME = 1e-5


@dataclass(frozen=True)
class OverfitReport:
    """What came of the check.

    Attributes:
        passed: the loss came near zero and every picture is told from the others.
        steps: how many were taken.
        first_loss: before the first update.
        last_loss: mean of the last steps.
        recognised: share of the batch's pictures that the network tells right; None for a network
            that tells none.
        problems: what is wrong, most telling first, a sentence or two each.
        losses: of every step.
    """

    passed: bool
    steps: int
    first_loss: float
    last_loss: float
    recognised: float | None
    problems: tuple[str, ...] = ()
    losses: tuple[float, ...] = field(default=(), repr=False)


def overfit_one_batch(
    model: keras.Model,
    images: np.ndarray,
    targets,
    *,
    embedder: keras.Model,
    labels: np.ndarray | None,
    steps: int = 300,
    lowest_loss: float = 0.0,
) -> OverfitReport:
    """Train on one batch again and again until its loss is near zero, or say what is wrong.

    A network that passes can learn; that its labels are the right ones is another matter, for
    wrong ones are learnt by heart as well. Dropout, augmentation and label smoothing keep the loss
    up and should be off.

    Args:
        model: compiled and fresh. It is of no use afterwards.
        images: (B, H, W, 3).
        targets: what the model's loss takes beside them.
        embedder: the part of the model that gives (B, D) rows, one a picture.
        labels: (B,) classes; None for a network that knows none.
        steps: how many at most.
        lowest_loss: what the loss cannot fall below, for losses whose best is not 0.

    Raises:
        ValueError: fewer than two pictures or classes, which tell nothing.
    """
    if len(images) < 2 or (labels is not None and len(np.unique(labels)) < 2):
        raise ValueError(
            f"The check needs a batch with at least two pictures of two classes. Received: "
            f"{len(images)} picture(s) of {0 if labels is None else len(np.unique(labels))} "
            f"class(es)."
        )
    if not model.trainable_weights:
        return _report([], None, ["No weight is trainable: every layer is frozen."])
    before = [np.asarray(weight).copy() for weight in model.trainable_weights]
    judge = _Judge(lambda: _told(embedder, images, labels), lowest_loss, steps)
    model.fit(
        images,
        targets,
        batch_size=len(images),
        epochs=steps,
        shuffle=False,
        verbose=0,
        callbacks=[judge],
    )
    losses, recognised = judge.losses, judge.recognised()
    if judge.passed:
        return _report(losses, recognised, ())
    problems = [
        _not_finite(losses, model),
        _contradictions(images, labels),
        _unmoved(before, model),
        _all_alike(embedder, images),
        _course(losses, judge.goal, model),
    ]
    return _report(losses, recognised, [problem for problem in problems if problem])


def _report(losses: list[float], recognised: float | None, problems) -> OverfitReport:
    return OverfitReport(
        passed=not problems,
        steps=len(losses),
        first_loss=losses[0] if losses else math.nan,
        last_loss=float(np.mean(losses[-_IN_A_ROW:])) if losses else math.nan,
        recognised=recognised,
        problems=tuple(problems),
        losses=tuple(losses),
    )


class _Judge(keras.callbacks.Callback):
    """Ends the training when it has passed or the loss is no number."""

    def __init__(self, told: Callable[[], float | None], lowest: float, steps: int):
        super().__init__()
        self.told, self.lowest, self.steps = told, lowest, steps
        self.losses: list[float] = []
        self.right: list[float] = []
        self.passed = False

    def on_train_begin(self, logs=None):
        self.bar = tqdm(total=self.steps, desc="one batch", unit=" steps", file=sys.stderr)

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(float(logs["loss"]))
        accuracies = [name for name in logs if name.endswith("accuracy")]
        self.right += [float(logs[name]) for name in accuracies[:1]]
        self.bar.set_postfix({"loss": f"{self.losses[-1]:.4f}"}, refresh=False)
        self.bar.update()
        if not math.isfinite(self.losses[-1]):
            self.model.stop_training = True
            return
        near = len(self.losses) > _IN_A_ROW and max(self.losses[-_IN_A_ROW:]) <= self.goal
        if near and self.recognised() in (1.0, None):
            self.passed = self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.bar.close()

    @property
    def goal(self) -> float:
        return self.lowest + _NEAR_ZERO * (self.losses[0] - self.lowest)

    def recognised(self) -> float | None:
        """By the classifier's own accuracy where there is one, else by the nearest neighbour."""
        return min(self.right[-_IN_A_ROW:]) if self.right else self.told()


def _told(embedder: keras.Model, images: np.ndarray, labels: np.ndarray | None) -> float | None:
    """Share of pictures whose nearest other picture is of their class."""
    if labels is None:
        return None
    rows = _rows(embedder, images)
    distances = ((rows[:, None] - rows) ** 2).sum(axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((np.asarray(labels)[distances.argmin(axis=1)] == labels).mean())


def _rows(embedder: keras.Model, images: np.ndarray) -> np.ndarray:
    # As in training: the batch norms' running statistics need far more steps than this.
    rows = keras.ops.convert_to_numpy(embedder(images, training=True))
    return rows.reshape(len(images), -1).astype(np.float64)


# --- what is wrong -------------------------------------------------------------------------------


def _not_finite(losses: list[float], model: keras.Model) -> str | None:
    bad = [step for step, loss in enumerate(losses, 1) if not math.isfinite(loss)]
    if not bad:
        return None
    if bad[0] == 1:
        return (
            f"The loss is {losses[0]} before any update: look for a label that is no class, and at "
            f"the weights that the network starts from."
        )
    return (
        f"The loss became {losses[bad[0] - 1]} in step {bad[0]} at a learning rate of "
        f"{_rate(model):g}: lower it, or clip the gradients."
    )


def _contradictions(images: np.ndarray, labels: np.ndarray | None) -> str | None:
    if labels is None:
        return None
    classes: dict[bytes, set[int]] = {}
    for image, label in zip(np.asarray(images), labels, strict=True):
        classes.setdefault(image.tobytes(), set()).add(int(label))
    twofold = [found for found in classes.values() if len(found) > 1]
    if not twofold:
        return None
    return (
        f"{len(twofold)} picture(s) of the batch stand in it twice with different labels, for "
        f"instance {sorted(twofold[0])}: the labels contradict each other."
    )


def _unmoved(before: list[np.ndarray], model: keras.Model) -> str | None:
    still = [
        weight.path
        for weight, old in zip(model.trainable_weights, before, strict=True)
        if np.array_equal(np.asarray(weight), old)
    ]
    if not still:
        return None
    named = ", ".join(still[:3]) + ", ..." * (len(still) > 3)
    if len(still) == len(before):
        return f"No weight has moved at a learning rate of {_rate(model):g}: no gradient arrives."
    return (
        f"{len(still)} of {len(before)} trainable weights have not moved: no gradient reaches "
        f"{named}."
    )


def _all_alike(embedder: keras.Model, images: np.ndarray) -> str | None:
    rows = _rows(embedder, images)
    if not np.isfinite(rows).all():
        return None  # said by the loss
    if np.abs(rows - rows[0]).max() > _SAME * max(np.abs(rows).max(), _SAME):
        return None
    if np.array_equal(images, np.broadcast_to(images[0], images.shape)):
        return "All pictures of the batch are the same: look at the data."
    return (
        "The network gives all pictures the same row: it is dead. Its units may be driven to where "
        "they have no gradient (a learning rate too high), or its input scaled to nothing "
        "(model.preprocessing does not fit the weights)."
    )


def _course(losses: list[float], goal: float, model: keras.Model) -> str | None:
    """What the way of a loss that stayed finite says about the learning rate."""
    if not losses or not np.isfinite(losses).all():
        return None
    rate, (first, last) = _rate(model), (losses[0], float(np.mean(losses[-_IN_A_ROW:])))
    frozen = sum(int(np.prod(weight.shape)) for weight in model.non_trainable_weights)
    learnt = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    share = f" Only {learnt / (learnt + frozen):.0%} of the weights may learn." * (frozen > learnt)
    way = f"The loss went from {first:.4g} to {last:.4g} in {len(losses)} steps"
    # On one batch without dropout a rate that is low enough lets the loss fall at every step.
    rises = float(np.mean(np.diff(losses) > 0)) if len(losses) > 1 else 0.0
    if last <= goal:
        return f"{way}, yet not every picture is told right: the loss does not fit what is judged."
    if last > first or rises > 0.25:
        return (
            f"{way} and rose in {rises:.0%} of them: the learning rate of {rate:g} is too high. "
            f"Try a tenth of it, or --find-lr.{share}"
        )
    if rises < 0.1:
        return (
            f"{way} and falls still (near zero would be {goal:.3g}): the learning rate of {rate:g} "
            f"is low, or too little of the network may learn. Try ten times as much, or "
            f"--find-lr.{share}"
        )
    return (
        f"{way} and goes no lower (near zero would be {goal:.3g}): the learning rate of {rate:g} "
        f"does not fit, or too little of the network may learn. Try --find-lr.{share}"
    )


def _rate(model: keras.Model) -> float:
    return float(np.asarray(model.optimizer.learning_rate))
