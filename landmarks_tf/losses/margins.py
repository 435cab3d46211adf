"""Margins of a softmax over cosines: one for all classes, or one for each; fixed or scheduled."""

from __future__ import annotations

import math

import numpy as np
from keras import ops

from landmarks_tf.losses.margin_schedule import MarginSchedule
from landmarks_tf.losses.packed import pack_floats, unpack_floats


def checked_angle(margin, name: str = "margin"):
    """A margin in radians, as a float or (N,) float32; refuses what lies outside [0, pi/2).

    A `MarginSchedule` is returned as it is, all its margins checked.
    """
    if isinstance(margin, MarginSchedule):
        checked_angle(margin.all_margins(), name)
        return margin
    margin = _float_or_array(margin, name)
    if not np.all((np.asarray(margin) >= 0) & (np.asarray(margin) < math.pi / 2)):
        worst = _first_outside(margin, math.pi / 2)
        degrees = (
            f" In degrees? {worst:g} degrees are {math.radians(worst):.4g} radians."
            if worst >= math.pi / 2 and worst < 90
            else ""
        )
        raise ValueError(
            f"{name} is an angle in [0, pi/2) radians. Received: {name}={worst}.{degrees}"
        )
    return margin


def checked_difference(margin, name: str = "margin"):
    """A margin between cosines, as a float or (N,) float32; refuses what lies outside [0, 2).

    A `MarginSchedule` is returned as it is, all its margins checked.
    """
    if isinstance(margin, MarginSchedule):
        checked_difference(margin.all_margins(), name)
        return margin
    margin = _float_or_array(margin, name)
    if not np.all((np.asarray(margin) >= 0) & (np.asarray(margin) < 2)):
        raise ValueError(
            f"{name} is a difference of cosines in [0, 2), no angle. Received: "
            f"{name}={_first_outside(margin, 2)}."
        )
    return margin


def checked_scale(scale: float) -> float:
    """The factor of cosines; refuses what is not positive and finite."""
    if not 0 < scale < math.inf:
        raise ValueError(f"scale must be positive and finite. Received: scale={scale}.")
    return float(scale)


def margins_of(margin, ids, num_classes: int):
    """The margin of each row's class: the float itself, or (B,) of the (N,) margins.

    Of a `MarginSchedule` it is that of the current step, a scalar tensor where the float was.

    Raises:
        ValueError: margins of another number of classes.
    """
    if isinstance(margin, MarginSchedule):
        if margin.class_margins is None:
            return margin.current()
        return margin.current() * margins_of(margin.class_margins, ids, num_classes)
    if isinstance(margin, float):
        return margin
    if len(margin) != num_classes:
        raise ValueError(
            f"Expected one margin for each of the {num_classes:,} classes that are scored. "
            f"Received: {len(margin):,} margins."
        )
    return ops.take(ops.convert_to_tensor(margin, dtype="float32"), ids, axis=0)


def margin_config(margin) -> float | str | dict:
    """A margin for a config: the number, the numbers of all classes packed, or the schedule."""
    if isinstance(margin, MarginSchedule):
        return margin.get_config()
    return margin if isinstance(margin, float) else pack_floats(margin)


def margin_from_config(config) -> float | np.ndarray | MarginSchedule:
    """The margin of `margin_config`."""
    if isinstance(config, dict):
        return MarginSchedule.from_config(config)
    return unpack_floats(config) if isinstance(config, str) else config


def _float_or_array(margin, name: str):
    found = np.asarray(margin)
    if found.dtype.kind not in "iuf" or found.ndim > 1 or not found.size:
        raise ValueError(
            f"{name} is one number or one for each class, of shape (N,). Received: {found.dtype} "
            f"of shape {found.shape}."
        )
    return float(found) if found.ndim == 0 else found.astype(np.float32)


def _first_outside(margin, limit: float) -> float:
    values = np.atleast_1d(margin)
    return float(values[~((values >= 0) & (values < limit))][0])
