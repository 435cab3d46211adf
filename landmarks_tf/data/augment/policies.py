"""The table of policies, and how a policy's name is read."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable

from landmarks_tf.data.augment import crops, erasing, sources, strong
from landmarks_tf.data.augment.randomness import flip_in_half


@dataclasses.dataclass(frozen=True)
class Stages:
    """The stages of a policy; None where it has none.

    Attributes:
        box: ((height, width) int32, draws) -> the part of the picture that is kept, as
            `transforms.crop` takes it.
        moves: (image (h, w, 3) uint8, draws) -> the same values in other places.
        retouch: (image (h, w, 3) float32 0..255, draws, seed) -> image of the same shape, after the
            moves.
    """

    box: Callable | None = None
    moves: Callable | None = None
    retouch: Callable | None = None


# name -> (text of each argument, ...) -> Stages
_POLICIES = {
    "none": Stages,
    "flip": lambda: Stages(moves=flip_in_half),
    "flip_jitter": lambda: Stages(crops.loose_box, flip_in_half, sources.mild_jitter),
    "resized_crop": lambda: Stages(crops.resized_crop_box, flip_in_half),
    "s1": lambda: Stages(moves=flip_in_half, retouch=sources.s1),
    "s1_opencv": lambda: Stages(moves=flip_in_half, retouch=sources.s1_opencv),
    "s1_validation": lambda: Stages(moves=flip_in_half, retouch=sources.s1_validation),
    "s2": lambda: Stages(moves=flip_in_half, retouch=sources.s2),
    "s4": lambda: Stages(retouch=sources.s4),
    "rand_augment": lambda n="2", m="9": Stages(
        retouch=strong.rand_augment(_whole(n, "N", 1, strong.MOST_CHANGES), _part(m, "M", 10))
    ),
    "trivial_augment": lambda: Stages(retouch=strong.trivial_augment),
    "random_erasing": lambda p="0.5": Stages(retouch=erasing.random_erasing(_part(p, "P", 1))),
    "cutout": lambda side="0.5": Stages(retouch=erasing.cutout(_part(side, "L", 1))),
}
POLICIES = tuple(_POLICIES)
# What recipes of before may still name, and what to do.
_GONE = {"s1_quick": "use 's1', whose noise is now drawn as fast"}


def stages(policy: str) -> tuple[Stages, ...]:
    """The stages of each part of a policy such as "flip_jitter" or "s1+random_erasing:0.25".

    Raises:
        ValueError: there is no such policy, it does not take such an argument, or two parts crop.
    """
    parts = tuple(_stages_of(part) for part in str(policy).split("+"))
    if sum(part.box is not None for part in parts) > 1:
        raise ValueError(
            f"one part of an augmentation can crop the picture, {policy!r} has several that do"
        )
    return parts


def _stages_of(part: str) -> Stages:
    name, *arguments = part.split(":")
    if name in _GONE:
        raise ValueError(f"augmentation {name!r} is no more: {_GONE[name]}")
    if name not in _POLICIES:
        near = difflib.get_close_matches(name, POLICIES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(
            f"unknown augmentation {name!r}, expected one of {', '.join(POLICIES)}{hint}"
        )
    build = _POLICIES[name]
    takes = 0 if build is Stages else build.__code__.co_argcount
    if len(arguments) > takes:
        raise ValueError(f"augmentation {name!r} takes {takes} argument(s), got {part!r}")
    try:
        return build(*arguments)
    except ValueError as error:
        raise ValueError(f"augmentation {part!r}: {error}") from None


def _whole(text: str, name: str, low: int, high: int) -> int:
    if not text.isdecimal() or not low <= int(text) <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, got {text!r}")
    return int(text)


def _part(text: str, name: str, whole: int) -> float:
    """A number from 0 to `whole`, as a part of it."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= whole:
        raise ValueError(f"{name} must be a number from 0 to {whole}, got {text!r}")
    return value / whole
