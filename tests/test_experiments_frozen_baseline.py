"""S4's recipes against reproduction.md section 3.2."""

from __future__ import annotations

import json

import pytest

from experiments import show
from experiments.registry import get_experiment
from experiments.stages.networks import build_network, losses_of
from landmarks_tf.losses import TripletLoss
from landmarks_tf.models import count_parameters


@pytest.fixture(scope="module")
def baseline():
    return build_network(get_experiment("resnet50_conv5"), 943, weights=False)


def test_counts_of_the_baseline(baseline):
    counts = count_parameters(baseline.trainer)
    assert counts["total"] == 26_708_783
    assert counts["trainable"] == 18_089_903
    assert counts["total"] - counts["trainable"] == 8_618_880


def test_show_prints_them():
    shown = json.loads(show.recipe(get_experiment("resnet50_conv5"), "full", as_json=True))
    assert shown["params"]["classes"] == 943
    assert (shown["params"]["trainable"], shown["params"]["total"]) == (18_089_903, 26_708_783)


def test_rows_of_its_table(baseline):
    """(output, parameters) of each layer after the backbone, top to bottom."""
    layers = [y for y in baseline.trainer.layers if y.name.startswith(("neck", "logits"))]
    sizes = [(y.output.shape[-1], y.count_params()) for y in layers if y.count_params()]
    assert sizes == [
        (2048, 8192),
        (1024, 2_098_176),
        (1024, 4096),
        (512, 524_800),
        (512, 2048),
        (943, 483_759),
    ]


def test_stage_five_is_trained_and_nothing_before_it(baseline):
    trained = {w.path.split("/")[0] for w in baseline.trainer.trainable_weights}
    backbone = {name for name in trained if not name.startswith(("neck", "logits"))}
    assert backbone and all(name.startswith("conv5_") for name in backbone)
    assert "conv5_block1_0_conv" in backbone and "conv5_block3_3_bn" in backbone


def test_the_proposed_network_is_trained_with_triplets():
    recipe = get_experiment("se_resnext101_triplet")
    assert (recipe.model.backbone, recipe.model.neck) == ("se_resnext101", ("dense",))
    assert (recipe.model.head, recipe.evaluation.knn_neighbours) == ("embedding", 3)
    assert "margin, mining, sizes, batches are ours" in recipe.source
    assert [p.value for p in recipe.published] == [72.0, 75.8, 90.4]
    loss, metrics, weights = losses_of(recipe)
    assert isinstance(loss, TripletLoss)
    assert (loss.margin, loss.mining, loss.distance) == (0.2, "semi_hard", "squared")
    assert (metrics, weights) == ([], None)


def test_with_arcface_the_proposed_network_is_called_what_it_is():
    recipe = get_experiment("se_resnext101_arcface")
    assert (recipe.model.backbone, recipe.model.neck) == ("se_resnext101", ("dense",))
    assert recipe.evaluation.knn_neighbours == 3
    assert "ArcFace where the source has triplets" in recipe.source
    assert all("trained with triplets" in p.where for p in recipe.published)
    losses_of(recipe)
