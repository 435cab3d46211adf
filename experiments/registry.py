"""The recipes by name."""

from __future__ import annotations

from difflib import get_close_matches

from experiments import (
    competition,
    frozen_baseline,
    global_descriptors,
    inception,
    recognition,
    transfer,
)
from experiments.config import Experiment
from experiments.settings import UnknownSettingError

_FAMILIES = (inception, recognition, global_descriptors, competition, frozen_baseline, transfer)

EXPERIMENTS: dict[str, Experiment] = {
    recipe.name: recipe for family in _FAMILIES for recipe in family.RECIPES
}


def get_experiment(name: str) -> Experiment:
    """The recipe called `name`.

    Raises:
        UnknownSettingError: there is none; the message names the nearest.
    """
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    near = get_close_matches(name, EXPERIMENTS, n=3, cutoff=0.3) or sorted(EXPERIMENTS)
    raise UnknownSettingError(
        f"There is no experiment {name!r}. Nearest: {', '.join(near)}. `--list` shows all."
    )
