"""`--dry-run`: the counts of the real plan, for people and as JSON, and nothing trained."""

from __future__ import annotations

import json

import numpy as np
import pytest

from experiments import run
from landmarks_tf.data import sampling
from landmarks_tf.records import RecordIndex

QUICK = (
    *("--exp", "mobilenet_v2_arcface", "--size", "demo", "--set", "model.weights=none"),
    *("--set", "data.batch_size=12", "--set", "data.classes_per_batch=4"),
    *("--set", "data.images_per_class=3", "--set", "train.steps=30", "--dry-run"),
)


@pytest.fixture
def dry_run(capsys, demo_records, tmp_path):
    def call(*arguments):
        where = ("--data", str(demo_records), "--workdir", str(tmp_path / "run"))
        code = run.main([*QUICK, *where, *arguments])
        captured = capsys.readouterr()
        assert not (tmp_path / "run").exists()  # records are there, so nothing is written
        return code, captured.out, captured.err

    return call


def test_json_counts_the_epoch(dry_run, demo_records):
    code, out, err = dry_run("--json")
    assert code == 0, err
    (stage,) = json.loads(out)["stages"]
    labels = np.asarray(RecordIndex.open(demo_records, "train").label)
    plan = sampling.class_balanced(labels, classes_per_batch=4, images_per_class=3, seed=0)
    assert stage["plan"] == plan.describe()
    assert stage["data"] == "the run's own training pictures"
    assert stage["steps"] == 30
    epoch = stage["epoch"]
    assert epoch["steps"] == plan.steps_per_epoch == -(-len(labels) // 12)
    drawn = np.concatenate([plan.batch(step) for step in range(epoch["steps"])])
    assert epoch["rows_never_drawn"] == len(labels) - len(set(drawn.tolist()))
    assert epoch["classes_per_batch"] == [4, 4.0, 4]


def test_people_are_told(dry_run):
    code, out, _ = dry_run("--set", "data.class_power=0.5")
    assert code == 0
    assert "weighted classes, 4 classes x 3 pictures, seed 0" in out
    assert "30 steps, " in out
    assert "classes in a batch  4\n" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--find-lr",), "--find-lr is a trial in place of a training, so --dry-run has nothing"),
        (("--stage", "train"), "--dry-run is a trial in place of a training, so --stage has"),
    ],
)
def test_other_flags_are_refused_with_it(dry_run, arguments, message):
    code, _, err = dry_run(*arguments)
    assert code == 2
    assert message in err
