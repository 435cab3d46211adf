"""An evaluation that cannot be is refused before anything is trained."""

from __future__ import annotations

from dataclasses import replace

import pytest

from experiments import run
from experiments.config import Evaluation
from experiments.registry import EXPERIMENTS
from experiments.settings import at_demo_size
from experiments.stages.evaluation_settings import check_evaluation
from experiments.training_stages import last_recipe


def test_every_recipe_can_be_evaluated():
    for recipe in EXPERIMENTS.values():
        for one in (recipe, at_demo_size(recipe)):
            check_evaluation(last_recipe(one).evaluation)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"recognition": "knnn"}, r"evaluation.recognition is one of softmax, knn. .*'knnn'"),
        ({"knn_vote": "loudest"}, r"evaluation.knn_vote is one of cosine, majority, distance"),
        ({"search_device": "tpu"}, r"evaluation.search_device is one of cpu, gpu, auto"),
        ({"batch_size": 0}, r"evaluation.batch_size is at least 1. Received: 0"),
        ({"knn_neighbours": -1}, r"evaluation.knn_neighbours is at least 1"),
        ({"query_penalty": float("nan")}, r"evaluation.query_penalty is a weight of 0 or more"),
        ({"reference_penalty": -0.5}, r"evaluation.reference_penalty is a weight .*-0.5"),
        ({"scales": (0.0, 1.0)}, r"evaluation.scales"),
        ({"scale_pooling": "max"}, r"evaluation.scale_pooling"),
    ],
)
def test_what_cannot_be(setting, message):
    with pytest.raises(ValueError, match=message):
        check_evaluation(replace(Evaluation(), **setting))


def test_the_command_refuses_it_before_there_is_a_folder(tmp_path, capsys, demo_records):
    folder = tmp_path / "run"
    words = ["--exp", "mobilenet_v2_arcface", "--data", str(demo_records), "--workdir", str(folder)]
    assert run.main([*words, "--set", "evaluation.knn_vote=majorty"]) == 1
    assert "cosine, majority, distance. Received: 'majorty'" in capsys.readouterr().err
    assert not folder.exists()
