"""Recipes as plain data: what decides a result, what differs."""

from __future__ import annotations

import dataclasses
import json

from experiments.config import Experiment
from experiments.recipe import SECTIONS, as_dict, differences, fingerprint, recipe_dict
from experiments.registry import EXPERIMENTS
from experiments.settings import known_settings, with_value

BASE = Experiment(name="base", summary="s", source="t")


def test_fingerprint_follows_settings_and_nothing_else():
    assert fingerprint(BASE) == fingerprint(dataclasses.replace(BASE, summary="other"))
    a_check = "train.overfit"  # in place of a training: no part of what a run is
    a_place = "evaluation.search_device"  # the rankings are the same everywhere
    for setting in known_settings().keys() - {a_check, a_place}:
        section, field = setting.split(".")
        before = getattr(getattr(BASE, section), field)
        other = "another" if before != "another" else "third"
        assert fingerprint(with_value(BASE, setting, other)) != fingerprint(BASE), setting
    assert fingerprint(with_value(BASE, a_check, True)) == fingerprint(BASE)
    assert fingerprint(with_value(BASE, a_place, "auto")) == fingerprint(BASE)


def test_a_run_from_before_a_setting_came_is_one_with_its_default():
    later = {"scales", "scale_pooling", "flip", "knn_vote", "reference_penalty", "query_penalty"}
    assert not later & recipe_dict(BASE)["evaluation"].keys()
    assert "train_set" not in recipe_dict(BASE)["data"]
    several = with_value(BASE, "evaluation.scales", (0.7071, 1.0))
    assert recipe_dict(several)["evaluation"]["scales"] == [0.7071, 1.0]


def test_differences_names_leaves():
    before = {"a": {"b": 1, "c": 2}, "d": 3}
    after = {"a": {"b": 1, "c": 4}, "d": 3, "e": None}
    assert differences(before, after) == ["a.c: 2 -> 4"]


def test_recipe_is_json():
    for recipe in EXPERIMENTS.values():
        whole = as_dict(recipe)
        assert json.loads(json.dumps(whole)) == whole
        assert set(SECTIONS) <= set(whole)
