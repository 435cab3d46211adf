"""The engine beside a bare fit: what is compared, and the command on a tiny training."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from experiments import registry
from experiments.benchmarks import training
from experiments.registry import get_experiment
from experiments.settings import with_value
from landmarks_tf.models import backbones
from tests import recipe_devices

TINY = ["--image-size", "32", "--batch", "8", "--classes", "12", "--steps", "2", "--repeats", "2"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--exp", "mobilenet"], 2, "mobilenet"),
        (["--batch", "30"], 1, "holds 4 pictures of each class: --batch must be a multiple"),
        (["--steps", "0"], 1, "--steps must be at least 1. Received: 0"),
    ],
)
def test_mistakes_are_told(arguments, code, message, capsys):
    assert training.main(arguments) == code
    assert message in capsys.readouterr().err


def test_a_batch_is_what_the_recipe_trains_on():
    recipe = get_experiment("mobilenet_v2_arcface")
    for setting, value in (("data.batch_size", 8), ("data.image_size", 5)):
        recipe = with_value(recipe, setting, value)
    images, labels = training._batch(with_value(recipe, "data.expected_classes", 9))
    assert images.shape == (8, 5, 5, 3)
    assert images.dtype == np.uint8
    first, second = labels.reshape(2, 4)
    assert set(first) | set(second) <= set(range(9))
    assert len(set(first)) == len(set(second)) == 1 and first[0] != second[0]


@pytest.fixture
def tiny_arcface(monkeypatch):
    """mobilenet_v2_arcface but for its backbone, which takes long to trace."""
    recipe = with_value(get_experiment("mobilenet_v2_arcface"), "model.backbone", "tiny")
    recipe = dataclasses.replace(recipe, name="tiny_arcface")
    monkeypatch.setattr(backbones, "BACKBONES", dict(backbones.BACKBONES))
    recipe_devices.add_tiny_backbone()
    monkeypatch.setitem(registry.EXPERIMENTS, "tiny_arcface", recipe)


def test_the_command(capsys, tiny_arcface):
    # A step of eight tiny pictures is all overhead: whether the target holds is of no interest.
    assert training.main(["--exp", "tiny_arcface", *TINY, "--json"]) in (0, 1)
    report = json.loads(capsys.readouterr().out)
    assert report["recipe"] == "tiny_arcface"
    assert report["setting"]["checkpoint_every"] == 1000
    assert min(report["images_per_s"].values()) > 0
    assert 0 < report["ratio"]["low"] <= report["ratio"]["median"] <= report["ratio"]["high"]
    assert report["checkpoint_s"] > 0
    assert report["processor_ratio"]["median"] > 0
    assert f"ratio {report['ratio']['median']:.3f}" in training.told(report)
