"""`--find-lr` and `train.overfit=true` on real records: what they write, say, and leave alone."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest
from PIL import Image

from experiments import run
from experiments.config import Data, Experiment, Loss, Model, Train
from experiments.recipe import recipe_dict
from experiments.settings import with_value
from experiments.stages import trials
from experiments.stages.networks import losses_of
from landmarks_tf.models import backbones
from landmarks_tf.training.trackers import TRACKERS
from tests import recipe_devices

QUICK = (
    *("--exp", "mobilenet_v2_arcface", "--size", "demo", "--set", "model.weights=none"),
    *("--set", "data.image_size=32", "--set", "data.batch_size=8"),
    *("--set", "data.classes_per_batch=4", "--set", "data.images_per_class=2"),
    *("--set", "train.epochs=1", "--set", "train.warmup_steps=1"),
    *("--set", "model.backbone=tiny"),
)


@pytest.fixture
def call(capsys, demo_records, tmp_path, monkeypatch):
    """Exit code, output and errors of the command, in the folder `tmp_path / "run"`."""
    monkeypatch.setattr(trials.find_rate, "__defaults__", (15,))
    monkeypatch.setattr(backbones, "BACKBONES", dict(backbones.BACKBONES))
    recipe_devices.add_tiny_backbone()

    def call(*arguments, overfit_steps=60):
        monkeypatch.setattr(trials.overfit, "__defaults__", (overfit_steps,))
        where = ("--data", str(demo_records), "--workdir", str(tmp_path / "run"))
        code = run.main([*QUICK, *where, *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.slow
def test_the_check_passes_in_the_folder_of_the_run_and_leaves_it_alone(call, tmp_path):
    high, rate = (("--set", f"train.learning_rate={value}") for value in (0.005, 0.003))
    assert call(*high, "--stage", "prepare")[0] == 0
    before = (tmp_path / "run/run.json").read_bytes()
    code, out, err = call(*high, "--set", "train.overfit=true", overfit_steps=300)
    assert (code, out[:6]) == (0, "PASS: "), out
    assert ", 100% of the pictures right. The network can learn" in out
    assert "One batch, up to 300 times, no augmentation" in err
    found = json.loads((tmp_path / "run/overfit.json").read_text())
    assert found["passed"] and found["recognised"] == 1.0 and found["problems"] == []
    assert len(found["losses"]) == found["steps"]
    assert (tmp_path / "run/run.json").read_bytes() == before
    assert not (tmp_path / "run/training").exists()
    # Another rate is another recipe, for the check as for the training.
    code, _, err = call("--set", "train.overfit=true", *rate)
    assert code == 1 and "train.learning_rate: 0.005 -> 0.003" in err


@pytest.mark.slow
def test_a_failed_check_has_its_own_exit_code(call, tmp_path):
    code, out, _ = call(
        "--set", "train.overfit=true", "--set", "train.learning_rate=1e-6", overfit_steps=12
    )
    assert code == 3
    assert out.startswith("FAIL: loss ")
    assert "  - The loss went from" in out
    found = json.loads((tmp_path / "run/overfit.json").read_text())
    assert not found["passed"] and len(found["problems"]) == out.count("  - ")


@pytest.mark.slow
def test_a_range_test_is_written_drawn_and_no_training(call, tmp_path):
    code, out, _ = call("--find-lr")
    assert code == 0
    assert "The recipe has train.learning_rate=0.0005." in out
    found = json.loads((tmp_path / "run/lr_finder.json").read_text())
    assert found["recipe_learning_rate"] == 0.0005
    assert len(found["losses"]) == len(found["learning_rates"]) <= 15
    np.testing.assert_allclose(found["learning_rates"][:2], [1e-7, 1e-7 * 1e8 ** (1 / 14)])
    with Image.open(tmp_path / "run/lr_finder.png") as picture:
        assert picture.width > 600
    assert not (tmp_path / "run/training").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--find-lr", "--profile"), "--find-lr is a trial .* so --profile has nothing to do"),
        (("--find-lr", "--log-to", "wandb"), "so --log-to has nothing to do"),
        (
            ("--set", "train.overfit=true", "--stage", "train"),
            "train.overfit=true is a trial in place of a training, so --stage",
        ),
        (("--set", "train.overfit=true", "--find-lr"), "so --find-lr has nothing"),
    ],
)
def test_flags_of_a_training_do_not_go_with_a_trial(call, arguments, message):
    code, _, err = call(*arguments)
    assert code == 2
    assert re.search(message, err)


def test_the_trackers_of_the_command_line_are_those_there_are():
    assert run.TRACKERS == TRACKERS


RECIPE = Experiment(
    name="small",
    summary="s",
    source="t",
    data=Data(images_per_class=5, augment="flip"),
    model=Model(dropout=0.4),
    loss=Loss(name="supervised_contrastive", label_smoothing=0.1),
    train=Train(schedule="cosine", warmup_steps=9, learning_rate=0.25),
)


def test_a_check_is_no_part_of_what_a_run_is():
    assert recipe_dict(with_value(RECIPE, "train.overfit", True)) == recipe_dict(RECIPE)


def test_what_hinders_is_off_and_the_rate_stays():
    tried = trials._without_hindrances(RECIPE)
    assert (tried.data.augment, tried.model.dropout, tried.loss.label_smoothing) == (
        "none",
        0,
        None,
    )
    assert (tried.train.schedule, tried.train.learning_rate) == ("constant", 0.25)


def test_the_lowest_contrastive_loss_is_that_of_classes_on_one_point_each():
    from landmarks_tf.losses import SupervisedContrastiveLoss

    rows = np.repeat(np.eye(3, dtype=np.float32), 5, axis=0)
    rows = np.concatenate([rows[:5], -rows[:5]])  # two classes, opposite each other
    loss = SupervisedContrastiveLoss(temperature=0.05)(np.repeat([0, 1], 5), rows)
    assert float(loss) == pytest.approx(trials._lowest_loss(RECIPE), abs=1e-5)
    assert trials._lowest_loss(Experiment(name="a", summary="b", source="c")) == 0.0


@pytest.mark.parametrize("name", ["arcface", "cosface"])
def test_a_collapse_does_not_look_like_learning_in_a_range_test(name):
    """All rows and centres on one point: with a margin the loss is below that of chance."""
    loss = Loss(name=name, scale=30.0, dynamic_margin=True, margin_low=0.1, margin_high=0.4)
    head = Model(head="cosine")
    recipe = dataclasses.replace(RECIPE, loss=loss, model=head)
    labels = np.arange(9)

    def at(cosine, recipe):
        value, _, _ = losses_of(recipe, np.arange(1, 10))
        return float(value(labels, np.full((9, 9), cosine, np.float32)))

    tried = trials._without_margin(recipe)
    assert at(0.0, tried) == pytest.approx(np.log(9), rel=1e-5)
    assert at(1.0, tried) == pytest.approx(np.log(9), rel=1e-3)
    if name == "arcface":  # what is avoided
        assert at(1.0, recipe) < 0.7 * at(0.0, recipe)
    other = dataclasses.replace(RECIPE, loss=Loss(name="triplet", margin=0.5))
    assert trials._without_margin(other) == other
