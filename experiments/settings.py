"""Settings by name: `--set section.field=value`, and the fields that make the demo size.

A stage's own field is `stages.STAGE.section.field`, STAGE being its number, from 1, or its name.
"""

from __future__ import annotations

import math
import types
import typing
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches

from experiments.config import Experiment
from experiments.recipe import SECTIONS


class UnknownSettingError(ValueError):
    """A setting or experiment that does not exist; the message names the nearest that do."""


def at_demo_size(experiment: Experiment) -> Experiment:
    """The same recipe with its demo fields replaced."""
    for setting, value in experiment.demo:
        experiment = with_value(experiment, setting, value)
    return experiment


def known_settings(node: type = Experiment, prefix: str = "") -> dict[str, object]:
    """Every `section.field` that `--set` takes, with its type."""
    found: dict[str, object] = {}
    hints = typing.get_type_hints(node)
    for part in fields(node):
        if prefix == "" and part.name not in SECTIONS:
            continue
        if is_dataclass(hints[part.name]):
            found |= known_settings(hints[part.name], f"{prefix}{part.name}.")
        else:
            found[prefix + part.name] = hints[part.name]
    return found


def with_value(experiment: Experiment, setting: str, value) -> Experiment:
    """`experiment` with one `section.field` replaced by a value of the right type."""
    place, setting = _stage_of(experiment, setting)
    _check_known(setting)
    if place is not None:
        stage = experiment.stages[place]
        settings = dict(stage.settings) | {setting: value}
        stages = list(experiment.stages)
        stages[place] = replace(stage, settings=tuple(settings.items()))
        return replace(experiment, stages=tuple(stages))
    section, name = setting.split(".")
    part = replace(getattr(experiment, section), **{name: value})
    return replace(experiment, **{section: part})


def with_setting(experiment: Experiment, assignment: str) -> Experiment:
    """Apply one `--set section.field=value`.

    Raises:
        UnknownSettingError: no such setting.
        ValueError: no `=`, or a value that is not of the setting's type, or no finite number.
    """
    setting, equals, text = assignment.partition("=")
    if not equals:
        raise ValueError(
            f"--set takes section.field=value, for instance train.learning_rate=0.1. "
            f"Received: {assignment!r}."
        )
    setting = setting.strip()
    place, field = _stage_of(experiment, setting)
    kind = _check_known(field)
    if place is None:
        _check_read_by_a_stage(experiment, field)
    return with_value(experiment, setting, _parse(setting, text.strip(), kind))


def _stage_of(experiment: Experiment, setting: str) -> tuple[int | None, str]:
    """Place among the stages, or None for the recipe itself, and the `section.field`."""
    if not setting.startswith("stages."):
        return None, setting
    which, _, field = setting.removeprefix("stages.").partition(".")
    return place_of_stage(experiment, which), field


def place_of_stage(experiment: Experiment, which: str) -> int:
    """Place among the stages, from 0, of the one with this number, from 1, or name.

    Raises:
        UnknownSettingError: there is none; the message tells those that there are.
    """
    names = [stage.name for stage in experiment.stages]
    if which in names:
        return names.index(which)
    if which.isdecimal() and 1 <= int(which) <= len(names):
        return int(which) - 1
    known = ", ".join(f"{number} ({name})" for number, name in enumerate(names, start=1))
    raise UnknownSettingError(
        f"There is no stage {which!r} in {experiment.name}. "
        + (f"Its stages: {known}." if known else "It trains in one piece, without stages.")
    )


def _check_read_by_a_stage(experiment: Experiment, setting: str) -> None:
    """Refuse a recipe's value that every stage replaces by its own: it would change nothing."""
    names = [stage.name for stage in experiment.stages if setting in dict(stage.settings)]
    if experiment.stages and len(names) == len(experiment.stages):
        raise ValueError(
            f"Every stage of {experiment.name} has its own {setting}. Set "
            f"{' or '.join(f'stages.{name}.{setting}' for name in names)}."
        )


def _check_known(setting: str):
    known = known_settings()
    if setting in known:
        return known[setting]
    near = get_close_matches(setting, known, n=3, cutoff=0.4)
    last = setting.rsplit(".", 1)[-1]
    near += [k for k in known if k.endswith("." + last) and k not in near]
    raise UnknownSettingError(
        f"There is no setting {setting!r}. "
        + (f"Nearest: {', '.join(near)}. " if near else "")
        + "`--show` prints all of them."
    )


def _parse(setting: str, text: str, kind):
    """Text -> a value of the annotated type."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if text.lower() in ("none", "null", ""):
            return None
        kind = next(a for a in arguments if a is not type(None))
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is tuple:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return tuple(_parse(setting, part, arguments[0]) for part in parts)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{setting} is true or false. Received: {text!r}.")
        return text.lower() == "true"
    if kind is str:
        return text
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    # Comparisons with NaN let pass what they should refuse.
    if isinstance(number, float) and not math.isfinite(number):
        raise ValueError(
            f"{setting} expects {'a whole number' if kind is int else 'a finite number'}. "
            f"Received: {text!r}."
        )
    return number
