"""The learning-rate range test: a short training whose rate rises, to see where it learns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import keras
import numpy as np

# Standard deviation of the smoothing, as a part of the test's steps.
_SMOOTHED_OVER = 1 / 25

# Ten losses in a row of this multiple of the first ten: what follows would show no more.
_DIVERGED_AT = 1.5

# A loss that fell by less than so many times what it jumps about was not moved by the rate.
_NOISES = 2.0


@dataclass(frozen=True)
class RangeTest:
    """What a range test found.

    Attributes:
        learning_rates: of the steps that were taken, rising.
        losses: (K,) loss of each step, before its update.
        smoothed: (K,) the same through a Gaussian window, which shifts no place.
        suggested: the rate at which the smoothed loss falls fastest; None when it does not fall
            clearly more than it jumps about.
        best_at: the rate at which the smoothed loss is lowest.
        diverges_at: the first rate beyond it at which the smoothed loss is clearly above its start,
            or is no number; None when the highest rate was still fine.
    """

    learning_rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggested: float | None
    best_at: float
    diverges_at: float | None

    def as_dict(self) -> dict:
        """JSON-ready values; a loss that is no number is null."""
        found = asdict(self)
        for name in ("losses", "smoothed"):
            found[name] = [value if math.isfinite(value) else None for value in found[name]]
        return found


def range_test_schedule(lowest: float, highest: float, steps: int):
    """The rates of a range test: `lowest` at step 0, `highest` at step `steps` - 1, by one factor.

    Smith lets the rate rise linearly between bounds of one power of ten or two; where nobody knows
    the order of magnitude, equal factors look at all of them alike.

    Raises:
        ValueError: fewer than 10 steps, or bounds out of order.
    """
    if steps < 10 or not 0 < lowest < highest < math.inf:
        raise ValueError(
            f"A range test takes at least 10 steps from a lowest rate above 0 to a higher one. "
            f"Received: lowest={lowest}, highest={highest}, steps={steps}."
        )
    factor = (highest / lowest) ** (1 / (steps - 1))
    return keras.optimizers.schedules.ExponentialDecay(lowest, decay_steps=1, decay_rate=factor)


def find_learning_rate(
    model: keras.Model, dataset, *, lowest: float = 1e-7, highest: float = 10.0, steps: int = 200
) -> RangeTest:
    """Train for `steps` steps at rising rates (L. N. Smith, WACV 2017, section 3.3).

    The model is of no use afterwards: give one that was made for this. Its optimizer's rate or
    schedule is replaced. The suggestion is where the smoothed loss falls fastest per factor of the
    rate; Smith reads bounds off the same curve: from where the loss begins to fall to where it
    becomes ragged.

    Args:
        model: compiled, fresh.
        dataset: batches, at least `steps` of them.
        lowest: first rate.
        highest: last rate.
        steps: how many.

    Raises:
        ValueError: fewer than 10 steps, bounds out of order, or no step with a finite loss.
    """
    model.optimizer.learning_rate = range_test_schedule(lowest, highest, steps)
    recorder = _Losses()
    # Segments of one step: the loss that Keras gives is then that step's own.
    model.fit(
        dataset, epochs=steps, steps_per_epoch=1, shuffle=False, verbose=0, callbacks=[recorder]
    )
    rates = np.geomspace(lowest, highest, steps)[: len(recorder.losses)]
    return _judged(rates, np.array(recorder.losses), steps)


class _Losses(keras.callbacks.Callback):
    """Keeps each step's loss; ends the test where it has diverged."""

    def __init__(self):
        super().__init__()
        self.losses: list[float] = []

    def on_epoch_end(self, epoch, logs=None):
        self.losses.append(float(logs["loss"]))
        first, recent = np.mean(self.losses[:10]), np.mean(self.losses[-10:])
        if not math.isfinite(recent) or recent > _DIVERGED_AT * first:
            self.model.stop_training = True


def smooth(losses: np.ndarray, deviation: float) -> np.ndarray:
    """A Gaussian window of `deviation` steps over (K,) losses, renormalised at the ends: (K,)."""
    places = np.arange(len(losses))
    window = np.exp(-0.5 * ((places - places[:, None]) / deviation) ** 2)
    return window @ losses / window.sum(axis=1)


def _judged(rates: np.ndarray, losses: np.ndarray, steps: int) -> RangeTest:
    finite = np.isfinite(losses)
    count = len(losses) if finite.all() else int(np.argmin(finite))
    if count == 0:
        raise ValueError(
            f"The loss is {losses[0]} before the first step, so no learning rate can be judged. "
            f"Look at the labels, the weights and the loss."
        )
    smoothed = smooth(losses[:count], steps * _SMOOTHED_OVER)
    best = int(np.argmin(smoothed))
    slopes = np.diff(smoothed[: best + 1])
    noise = np.std(losses[: best + 1] - smoothed[: best + 1])
    fell = len(slopes) > 0 and smoothed[0] - smoothed[best] > _NOISES * noise
    too_high = [
        *(best + np.flatnonzero(smoothed[best:] > smoothed[0] + _NOISES * noise)),
        *range(count, len(rates)),
    ]
    return RangeTest(
        learning_rates=tuple(map(float, rates)),
        losses=tuple(map(float, losses)),
        smoothed=(*map(float, smoothed), *[math.nan] * (len(losses) - count)),
        suggested=float(rates[np.argmin(slopes)]) if fell else None,
        best_at=float(rates[best]),
        diverges_at=float(rates[too_high[0]]) if too_high else None,
    )
