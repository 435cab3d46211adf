"""A margin that changes with the training step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from keras import ops

from landmarks_tf.losses.packed import pack_floats, unpack_floats

MARGIN_FORMS = ("step", "linear")


class MarginSchedule:
    """Stands where a loss takes a margin, and gives the margin of the current step.

    At `steps[i]` it is `values[i]`. Between, "step" keeps the value before and "linear" goes over
    to the next on a straight line; after the last step it stays.

    It reads the step from the count that it was told to `follow`, a weight of the network (a loss
    may hold none). Without one, in a model that was loaded for use, it is the last value.

    Hand-derived: steps (0, 10, 20), values (0.1, 0.3, 0.4): at step 15 "step" gives 0.3 and
    "linear" 0.35.

    Args:
        values: margins, or with `class_margins` factors of them; at least two.
        steps: as many training steps, rising, 0 first.
        form: one of `MARGIN_FORMS`.
        class_margins: None, or (N,) margins of the classes, as `dynamic_margins` gives them.

    Raises:
        ValueError: an unknown form, fewer than two values, other than one step for each, or steps
            that do not rise from 0. What a margin may be its loss decides.
    """

    def __init__(
        self,
        values: Sequence[float],
        steps: Sequence[int],
        form: str = "step",
        class_margins: np.ndarray | None = None,
    ):
        if form not in MARGIN_FORMS:
            raise ValueError(
                f"Expected a margin schedule among {', '.join(MARGIN_FORMS)}. Received: {form!r}."
            )
        values, steps = [float(value) for value in values], [int(step) for step in steps]
        if len(values) < 2 or len(values) != len(steps):
            raise ValueError(
                f"A margin schedule has at least two values and as many steps. Received: "
                f"{len(values)} values, {len(steps)} steps."
            )
        if steps[0] != 0 or steps != sorted(set(steps)):
            raise ValueError(
                f"The steps of a margin schedule rise from 0. Received: steps={tuple(steps)}."
            )
        self.values, self.steps, self.form = values, steps, form
        self.class_margins = None
        if class_margins is not None:
            self.class_margins = np.asarray(class_margins, np.float32)
        self._counter = None

    def follow(self, counter) -> None:
        """Read the step from a built `landmarks_tf.layers.StepCount` from now on."""
        self._counter = counter

    def current(self):
        """The value of the step that is being taken: a float32 scalar tensor or a float."""
        if self._counter is None:
            return self.values[-1]
        # The forward pass of the step has counted itself already.
        begun = ops.maximum(ops.convert_to_tensor(self._counter.count) - 1, 0)
        return self.at(begun // self._counter.calls_per_step)

    def at(self, step):
        """The value at a step, as a float32 scalar tensor."""
        step = ops.cast(step, "int32")
        steps = ops.convert_to_tensor(self.steps, dtype="int32")
        values = ops.convert_to_tensor(self.values, dtype="float32")
        place = ops.sum(ops.cast(step >= steps, "int32")) - 1
        value = ops.take(values, place)
        if self.form == "step":
            return value
        after = ops.minimum(place + 1, len(self.steps) - 1)
        length = ops.maximum(ops.take(steps, after) - ops.take(steps, place), 1)
        share = ops.cast(step - ops.take(steps, place), "float32") / ops.cast(length, "float32")
        return value + (ops.take(values, after) - value) * ops.clip(share, 0.0, 1.0)

    def all_margins(self) -> np.ndarray:
        """Every margin that lies between the others' extremes or is one, for checks of range."""
        values = np.asarray(self.values)
        if self.class_margins is None:
            return values
        return np.outer(values, [self.class_margins.min(), self.class_margins.max()]).ravel()

    def get_config(self) -> dict:
        packed = None if self.class_margins is None else pack_floats(self.class_margins)
        return {
            "values": self.values,
            "steps": self.steps,
            "form": self.form,
            "class_margins": packed,
        }

    @classmethod
    def from_config(cls, config: dict) -> MarginSchedule:
        packed = config["class_margins"]
        return cls(**{**config, "class_margins": None if packed is None else unpack_floats(packed)})
