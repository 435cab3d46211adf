"""What `--list` and `--show` print."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

from experiments import show
from experiments.data_source import DataSource
from experiments.registry import EXPERIMENTS, get_experiment
from experiments.settings import at_demo_size
from experiments.workdir import Workdir, write_json


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


def closing_table(tmp_path, trained: dict, **more) -> str:
    workdir = Workdir(tmp_path)
    workdir.metrics.parent.mkdir(exist_ok=True)
    measured = {"experiment": "e", "size": "demo", "data": "d", "classes": 3, "trained": trained}
    write_json(workdir.metrics, measured | {"images": {"train": 9, "test": 4}} | more)
    return show.summary(SimpleNamespace(workdir=workdir))


def test_closing_table_has_a_column_for_what_was_measured(tmp_path):
    """A number that is not defined is a dash; one that is zero is a zero."""
    parts = {"public": {"map@100": 0.25}, "private": {"map@100": 0.0}}
    gaps = {"public": {"gap": None}, "private": {"gap": 0.125}}
    text = closing_table(tmp_path, {"retrieval": parts, "recognition": gaps}, index_size=5)
    assert "index of 5, 4 test pictures" in text
    (row,) = [line.split() for line in text.splitlines() if line.startswith("  trained")]
    assert row == ["trained", "0.2500", "0.0000", "-", "0.1250"]
    assert "mAP@100 public        private     GAP public        private\n" in text
    notes = {"retrieval": "retrieval is left out", "recognition": "not scored"}
    text = closing_table(tmp_path, {"held_out": {"top1": 0.5, "top5": 1.0}}, not_scored=notes)
    assert "no index, 4 test pictures" in text
    assert "mAP" not in text and "GAP" not in text
    assert "0.5000         1.0000\n  retrieval is left out\n  not scored\n" in text
    text = closing_table(tmp_path, {}, not_scored=notes)
    assert "test pictures\n\n  retrieval is left out" in text
    assert str(tmp_path / "metrics.json") in text
    assert "scann_index" not in text  # what is not there is not listed


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
