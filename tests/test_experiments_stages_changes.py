"""Data that changed since a run began; test_experiments_stages_submission has whole runs of it."""

from __future__ import annotations

import json

import pytest

from experiments.config import Experiment
from experiments.data_source import DataSource
from experiments.stages.changes import evaluated_on, look_for_changes
from experiments.stages.context import Context
from experiments.workdir import Workdir, WorkdirError
from tests import kaggle_edition

RECIPE = Experiment(name="small", summary="", source="")


@pytest.fixture
def context(tmp_path):
    """A run on a raw folder that is evaluated."""
    raw = kaggle_edition.write_edition(tmp_path / "raw")
    workdir = Workdir(tmp_path / "run")
    kaggle_edition.write_records(raw, workdir.records)
    context = Context(RECIPE, "demo", DataSource("raw", raw, 15), workdir)
    workdir.mark_done("prepare", 0.0, [workdir.records])
    evaluate(context, evaluated_on(context))
    return context


def evaluate(context, on):
    context.workdir.metrics.write_text(json.dumps({} if on is None else {"evaluated_on": on}))
    context.workdir.mark_done("evaluate", 0.0, [context.workdir.metrics])


def test_what_did_not_change_stays(context, capsys):
    look_for_changes(context)
    evaluate(context, None)  # a run from before this was noted
    look_for_changes(context)
    assert context.workdir.is_done("evaluate")
    assert capsys.readouterr().err == ""


def test_other_records_and_ground_truth_are_evaluated_anew(context, capsys):
    assert set(evaluated_on(context)) == {"train", "validation", "test"}
    kaggle_edition.write_solution(context.metadata, {})
    evaluate(context, evaluated_on(context) | {"test": "0" * 12, "index": "1" * 12})
    look_for_changes(context)
    assert not context.workdir.is_done("evaluate")
    assert "since then these changed: test, index." in capsys.readouterr().err
    look_for_changes(context)  # there is nothing left to forget
    assert capsys.readouterr().err == ""


def test_a_raw_folder_with_another_test_set_is_converted_and_evaluated_anew(context, capfd):
    """Killed between the two, the next call converts what is not there."""
    raw = context.source.folder
    sample = "id,landmarks\n" + "".join(f"{name},\n" for name in kaggle_edition.COPIES)
    (raw / "sample_submission.csv").write_text(sample)
    look_for_changes(context)
    told = capfd.readouterr().err
    assert "sample_submission.csv changed: the test set is converted anew" in told
    assert "since then these changed: test." in told
    assert [one.decode() for one in context.index_of("test").id] == list(kaggle_edition.COPIES)
    assert context.left_out("test") == []
    assert (context.metadata / "sample_submission.csv").read_text() == sample
    assert context.workdir.is_done("prepare")
    evaluate(context, evaluated_on(context))
    (context.records / "test.manifest.json").unlink()
    (context.records / "test-00000-of-00001").unlink()
    (context.records / "test.index.npy").unlink()
    look_for_changes(context)
    assert context.has_split("test")
    assert context.workdir.is_done("evaluate")


def test_ground_truth_of_a_raw_folder_is_taken_over(context):
    path = kaggle_edition.write_solution(context.source.folder, {})
    look_for_changes(context)
    assert (context.metadata / path.name).read_bytes() == path.read_bytes()
    assert not context.workdir.is_done("evaluate")


def test_a_raw_folder_that_changed_is_refused(context):
    (context.metadata / "train_label_to_category.csv").write_text("landmark_id,category\n")
    look_for_changes(context)
    (context.source.folder / "train_label_to_category.csv").write_text("landmark_id\n")
    with pytest.raises(WorkdirError, match=r"train_label_to_category\.csv changed since the rec"):
        look_for_changes(context)
    context.workdir.unmark("prepare")  # `convert` will say what it thinks of it
    look_for_changes(context)
