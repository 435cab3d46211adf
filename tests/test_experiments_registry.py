"""The recipes by name, and what the sources say of them."""

from __future__ import annotations

import pytest

from experiments.registry import EXPERIMENTS, get_experiment
from experiments.settings import UnknownSettingError


def test_unknown_name_tells_the_nearest():
    with pytest.raises(
        UnknownSettingError, match=r"no experiment 'inceptoin_v200'.*inception_v200"
    ):
        get_experiment("inceptoin_v200")
    with pytest.raises(UnknownSettingError, match="inception_v200"):
        get_experiment("zzz")


def test_names_are_their_keys():
    assert all(name == recipe.name for name, recipe in EXPERIMENTS.items())
