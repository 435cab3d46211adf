"""A run's folder: whose it is, and what is done in it."""

from __future__ import annotations

import json
import time

import pytest

from experiments.config import Experiment
from experiments.settings import with_setting
from experiments.workdir import Workdir, WorkdirError, read_json, write_json

RECIPE = Experiment(name="recipe", summary="s", source="t")


def test_claim_again_is_the_same_run(tmp_path):
    for _ in range(2):
        with Workdir(tmp_path / "run").claim(RECIPE, None):
            pass


def test_another_recipe_is_refused_with_the_difference(tmp_path):
    with Workdir(tmp_path).claim(RECIPE, None):
        pass
    other = with_setting(RECIPE, "train.learning_rate=0.5")
    with (
        pytest.raises(WorkdirError, match=r"train\.learning_rate: 0\.001 -> 0\.5"),
        Workdir(tmp_path).claim(other, None),
    ):
        pass


def test_other_data_is_refused(tmp_path):
    with Workdir(tmp_path / "run").claim(RECIPE, None):
        pass
    with (
        pytest.raises(WorkdirError, match=r"data: 'demo' -> '.*photos'"),
        Workdir(tmp_path / "run").claim(RECIPE, tmp_path / "photos"),
    ):
        pass


def test_other_data_of_a_stage_is_refused(tmp_path):
    with Workdir(tmp_path / "run").claim(RECIPE, None, {"low": "a (3 pictures)"}):
        pass
    for now, difference in (
        ({"low": "a (4 pictures)"}, r"stage_data\.low: 'a \(3 pictures\)' -> 'a \(4 pictures\)'"),
        ({}, r"stage_data\.low: 'a \(3 pictures\)' -> None"),
        (None, r"stage_data\.low: 'a \(3 pictures\)' -> None"),
    ):
        with (
            pytest.raises(WorkdirError, match=difference),
            Workdir(tmp_path / "run").claim(RECIPE, None, now),
        ):
            pass


def test_a_run_from_before_stages_had_data_goes_on(tmp_path):
    with Workdir(tmp_path).claim(RECIPE, None):
        pass
    written = read_json(tmp_path / "run.json")
    del written["stage_data"]
    write_json(tmp_path / "run.json", written)
    with Workdir(tmp_path).claim(RECIPE, None):
        pass
    with (
        pytest.raises(WorkdirError, match=r"stage_data\.low: None -> 'a'"),
        Workdir(tmp_path).claim(RECIPE, None, {"low": "a"}),
    ):
        pass


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with (
        pytest.raises(WorkdirError, match=r"no run of ours, but holds 'thesis\.tex'"),
        Workdir(tmp_path).claim(RECIPE, None),
    ):
        pass


def test_a_file_is_no_workdir(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(WorkdirError, match="is a file"),
        Workdir(tmp_path / "file").claim(RECIPE, None),
    ):
        pass


def test_two_runs_do_not_share_a_workdir(tmp_path):
    with (
        Workdir(tmp_path).claim(RECIPE, None),
        pytest.raises(WorkdirError, match="Another process is at work"),
        Workdir(tmp_path).claim(RECIPE, None),
    ):
        pass


def test_a_stage_is_done_while_its_outputs_are_there(tmp_path):
    workdir = Workdir(tmp_path)
    assert not workdir.is_done("train")
    (tmp_path / "model").mkdir()
    workdir.embedder.touch()
    workdir.mark_done("train", time.time() - 2, [workdir.embedder])
    assert workdir.is_done("train")
    assert workdir.outputs("train") == [workdir.embedder]
    assert workdir.seconds()["train"] == pytest.approx(2, abs=1)
    workdir.embedder.unlink()
    assert not workdir.is_done("train")


def test_json_is_whole_or_absent(tmp_path):
    path = tmp_path / "deep" / "value.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}
    path.write_text('{"a": ')
    with pytest.raises(WorkdirError, match="cannot be read as JSON"):
        read_json(path)
    with pytest.raises(WorkdirError, match="is missing"):
        read_json(tmp_path / "none.json")


@pytest.mark.parametrize("content", ["{", "[]", '"run"', ""])
def test_a_damaged_claim_says_what_helps(tmp_path, content):
    with Workdir(tmp_path).claim(RECIPE, None):
        pass
    (tmp_path / "run.json").write_text(content)
    with (
        pytest.raises(WorkdirError, match=r"run\.json is damaged, .* Use another --workdir\.$"),
        Workdir(tmp_path).claim(RECIPE, None),
    ):
        pass


@pytest.mark.parametrize("content", ["[]", "{}", '{"outputs": []}'])
def test_a_marker_that_is_none_says_so(tmp_path, content):
    workdir = Workdir(tmp_path)
    workdir.mark_done("train", time.time(), [])
    marker = tmp_path / "stages" / "train.json"
    marker.write_text(content)
    for ask in (lambda: workdir.is_done("train"), workdir.seconds):
        with pytest.raises(WorkdirError, match=r"train\.json is no completion marker\. Delete it"):
            ask()
    marker.unlink()
    assert not workdir.is_done("train")
