"""Settings by name: `--set section.field=value`, and the fields that make the demo size."""

from __future__ import annotations

import types
import typing
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches

from experiments.config import SECTIONS, Experiment


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
    _check_known(setting)
    section, name = setting.split(".")
    part = replace(getattr(experiment, section), **{name: value})
    return replace(experiment, **{section: part})


def with_setting(experiment: Experiment, assignment: str) -> Experiment:
    """Apply one `--set section.field=value`.

    Raises:
        UnknownSettingError: no such setting.
        ValueError: no `=`, or a value that is not of the setting's type.
    """
    setting, equals, text = assignment.partition("=")
    if not equals:
        raise ValueError(
            f"--set takes section.field=value, for instance train.learning_rate=0.1. "
            f"Received: {assignment!r}."
        )
    kind = _check_known(setting.strip())
    return with_value(experiment, setting.strip(), _parse(setting, text.strip(), kind))


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
    elif origin is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(f"{setting} is true or false. Received: {text!r}.")
        return text.lower() == "true"
    if kind is str:
        return text
    try:
        return kind(text)
    except ValueError:
        raise ValueError(
            f"{setting} expects {'a whole number' if kind is int else 'a number'}. "
            f"Received: {text!r}."
        ) from None
