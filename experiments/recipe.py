"""A recipe as plain data: what of it decides the result, and what differs between two."""

from __future__ import annotations

import dataclasses
import hashlib
import json

from experiments.config import Experiment

SECTIONS = ("data", "model", "loss", "train", "evaluation", "export")
_CAME_LATER = {
    "data": {"train_set": None},
    "evaluation": {
        "scales": [1.0],
        "scale_pooling": "sum",
        "flip": False,
        "knn_vote": "cosine",
        "reference_penalty": 0.0,
        "query_penalty": 0.0,
    },
}


def as_dict(experiment: Experiment) -> dict:
    """The whole recipe as JSON-ready values."""
    return json.loads(json.dumps(dataclasses.asdict(experiment)))


def recipe_dict(experiment: Experiment) -> dict:
    """Only what decides the result: the name and the settings, those of stages by their number."""
    whole = as_dict(experiment)
    recipe = {"name": experiment.name} | {section: whole[section] for section in SECTIONS}
    # A check in place of a training leaves the run that it checks as it is.
    del recipe["train"]["overfit"]
    # Where the search is done changes nothing.
    del recipe["evaluation"]["search_device"]
    # A run from before a setting came is the same as one with it at its default.
    for section, settings in _CAME_LATER.items():
        for setting, default in settings.items():
            if recipe[section][setting] == default:
                del recipe[section][setting]
    if experiment.stages:
        recipe["stages"] = {
            str(number): {"name": stage["name"]} | dict(stage["settings"])
            for number, stage in enumerate(whole["stages"], start=1)
        }
    return recipe


def fingerprint(experiment: Experiment) -> str:
    """A hash of `recipe_dict`."""
    text = json.dumps(recipe_dict(experiment), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def differences(before: dict, after: dict, prefix: str = "") -> list[str]:
    """`field: before -> after`, for each leaf that differs between two recipes."""
    lines = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            lines.append(f"{prefix}{key}: {old!r} -> {new!r}")
    return lines
