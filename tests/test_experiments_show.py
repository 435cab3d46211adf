"""What `--list` and `--show` print."""

from __future__ import annotations

import json
from pathlib import Path

from experiments import show
from experiments.data_source import DataSource
from experiments.registry import EXPERIMENTS, get_experiment
from experiments.settings import at_demo_size


def test_list_names_every_experiment_once():
    lines = show.experiment_list(as_json=False).splitlines()
    assert [line.split()[0] for line in lines] == list(EXPERIMENTS)
    assert set(json.loads(show.experiment_list(as_json=True))) == set(EXPERIMENTS)


def test_inception_v200_counts_as_published():
    """reproduction.md table 1.5, at 890 classes."""
    shown = json.loads(show.recipe(get_experiment("inception_v200"), "full", as_json=True))
    params = shown["params"]
    assert params["classes"] == 890
    assert params["trainable"] == 22_831_898
    assert params["total"] == 22_864_218
    assert params["trainable_with_auxiliary"] == 26_074_004
    assert params["by_block"]["mixed_6a"] == 2_067_008
    assert sum(params["by_block"].values()) == params["trainable"]
    assert shown["train"]["epsilon"] == 1e-3
    assert shown["published"][0]["value"] == 86.72


def test_text_has_every_setting_and_keeps_published_numbers_apart():
    recipe = at_demo_size(get_experiment("inception_v200"))
    text = show.recipe(recipe, "demo", as_json=False)
    assert f"data.image_size = {recipe.data.image_size}" in text
    assert text.index("published (theirs, not ours)") < text.index("90.59")
    assert "auxiliary head" not in text  # the demo's pictures are too small for it


def test_stages_are_shown_as_they_are_set():
    recipe = at_demo_size(get_experiment("resnest269_stages"))
    text = show.recipe(recipe, "demo", as_json=False)
    assert "\nstage 3 (fix)\n  stages.3.data.image_size = 96\n" in text
    assert "  trains on all of train.csv (data.train_set=full)\n  in the source: GLDv1" in text
    # The network that is counted is the last stage's: its GeM has an exponent.
    shown = json.loads(show.recipe(recipe, "demo", as_json=True))
    assert [stage["name"] for stage in shown["stages"]] == ["low", "high", "fix"]
    assert shown["params"]["by_block"]["pool"] == 1
    assert [stage["trains_on"] for stage in shown["stages"]] == [
        "all of train.csv (data.train_set=full)",
        "the run's own training pictures",
        "the run's own training pictures",
    ]
    given = {"high": DataSource("records", Path("more"), 7)}
    text = show.recipe(recipe, "demo", given, as_json=False)
    assert "  trains on more (--stage-data)\n  in the source: GLDv2-clean" in text
