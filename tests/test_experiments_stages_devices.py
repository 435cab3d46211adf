"""Devices in recipes: what does not fit is refused, and two devices train as one does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import types
from dataclasses import replace

import keras
import numpy as np
import pytest

from experiments.config import Data, Evaluation, Experiment, Loss, Model
from experiments.settings import with_setting
from experiments.stages import devices, networks, succession
from landmarks_tf.losses import ProxyAnchorLoss
from landmarks_tf.training.gather import GatheredLoss
from tests import recipe_devices
from tests.conftest import ROOT

PAIRS = Experiment(
    name="pairs",
    summary="s",
    source="t",
    data=Data(
        image_size=24,
        sampling="class_balanced",
        batch_size=24,
        classes_per_batch=6,
        images_per_class=4,
    ),
    model=Model(backbone="tiny", head="ge2e"),
    loss=Loss(name="ge2e"),
    evaluation=Evaluation(recognition="knn"),
)
CENTERS = Experiment(
    name="centers",
    summary="s",
    source="t",
    data=Data(image_size=24, batch_size=24),
    model=Model(backbone="tiny", head="cosine", subcenters=2),
    loss=Loss(
        name="arcface", margin_schedule="step", margin_values=(0.0, 0.2), margin_steps=(0, 9)
    ),
)
PROXIES = replace(CENTERS, name="proxies", loss=Loss(name="proxy_anchor"))


@pytest.fixture(autouse=True)
def tiny_backbone(monkeypatch):
    from landmarks_tf.models import backbones

    monkeypatch.setattr(backbones, "BACKBONES", dict(backbones.BACKBONES))
    recipe_devices.add_tiny_backbone()


def with_all(recipe: Experiment, *assignments: str) -> Experiment:
    for assignment in assignments:
        recipe = with_setting(recipe, assignment)
    return recipe


@pytest.mark.parametrize(
    ("recipe", "replicas", "assignments"),
    [
        (PAIRS, 1, ()),
        (PAIRS, 3, ()),
        (PAIRS, 1, ("train.micro_batches=3",)),
        (PAIRS, 6, ("train.gather=true",)),
        (PAIRS, 2, ("train.gather=true", "train.micro_batches=3")),
        (CENTERS, 8, ("train.micro_batches=3",)),
        (PROXIES, 4, ("train.gather=true",)),
    ],
)
def test_what_devices_can_share(recipe, replicas, assignments):
    devices.check_devices(with_all(recipe, *assignments), replicas)


@pytest.mark.parametrize(
    ("recipe", "replicas", "assignments", "message"),
    [
        (PAIRS, 5, (), "24 pictures cannot be shared evenly by 5 devices"),
        (PAIRS, 4, (), "6 classes cannot be shared by 4 devices so that each has whole classes"),
        (PAIRS, 6, (), "each part would have 1; the loss compares 2 or more"),
        (
            PAIRS,
            1,
            ("train.micro_batches=6",),
            "1 devices in 6 micro-batches each, each part would",
        ),
        (CENTERS, 1, ("train.micro_batches=0",), "micro_batches must be at least 1. Received: 0"),
        (
            CENTERS,
            1,
            ("train.gather=true",),
            "or loss.name=proxy_anchor. .*'cosine' with loss.*'arcface'",
        ),
        (PAIRS, 1, ("train.shard_centers=true",), "of the cosine head. .* model.head='ge2e'"),
    ],
)
def test_what_they_cannot(recipe, replicas, assignments, message):
    with pytest.raises(ValueError, match=message):
        devices.check_devices(with_all(recipe, *assignments), replicas)


def test_on_jax_a_loss_of_pairs_needs_no_whole_classes(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    devices.check_devices(PAIRS, 4)
    devices.check_devices(PAIRS, 6)
    with pytest.raises(ValueError, match="6 classes cannot be shared by 2 devices in 2 micro"):
        devices.check_devices(with_all(PAIRS, "train.micro_batches=2"), 2)


def test_splitting_centres_is_refused_on_tensorflow():
    with pytest.raises(ValueError, match="split over devices on the JAX backend only"):
        devices.strategy_of(with_all(CENTERS, "train.shard_centers=true"))


def test_the_network_is_built_for_its_devices():
    plain = networks.build_network(PAIRS, 5)
    assert "gathered" not in [layer.name for layer in plain.trainer.layers]
    gathered = networks.build_network(with_all(PAIRS, "train.gather=true"), 5)
    names = [layer.name for layer in gathered.trainer.layers]
    assert names[-3:] == ["embedding", "gathered", "similarities"]
    assert "gathered" not in [layer.name for layer in gathered.embedder.layers]
    loss, _, _ = networks.losses_of(with_all(PAIRS, "train.gather=true"))
    assert isinstance(loss, GatheredLoss) and loss.name == "ge2e"
    loss, metrics, _ = networks.losses_of(with_all(PROXIES, "train.gather=true"))
    assert isinstance(loss, GatheredLoss) and isinstance(loss.loss, ProxyAnchorLoss)
    # The replica's own rows and labels: scores and accuracy are as without.
    assert [metric.name for metric in metrics] == ["accuracy"]

    recipe = with_all(CENTERS, "train.shard_centers=true", "train.micro_batches=3")
    split = networks.build_network(recipe, 5).trainer
    assert split.get_layer("cosines").centers.shape[0] == 64 * 2
    assert split.output.shape[1] == 5
    assert split.get_layer("training_steps").calls_per_step == 3


@pytest.mark.parametrize("sharded", ["true", "false"])
def test_centres_filled_up_are_still_those_of_other_classes(sharded):
    """Of 5 and of 60 classes both matrices are filled up to 64; a later stage must start anew."""
    recipe = with_all(CENTERS, f"train.shard_centers={sharded}")
    stage = types.SimpleNamespace(classes=range(5), recipe=recipe)
    network = networks.build_network(recipe, 5)
    assert succession._class_layers(network, stage) == ["cosines"]


def test_centres_that_the_loss_reads_itself_are_not_split():
    recipe = with_all(CENTERS, "train.shard_centers=true")
    rows = keras.Input((3,))
    other = keras.Model(rows, keras.layers.Dense(4, name="cosines")(rows))
    with pytest.raises(ValueError, match="splits the centres of the plain cosine head"):
        devices.use_parts(recipe, other)


# --- a recipe on two devices --------------------------------------------------------------------


def run(backend: str, records, folder) -> None:
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.recipe_devices", str(records), str(folder)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "6 steps of 16, 2 device(s)." in done.stderr


def history(folder) -> dict[str, list[float]]:
    text = (folder / "training/metrics.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return {key: [line.get(key) for line in lines] for key in lines[-1]}


def check_alike(folder, other) -> None:
    """The same losses, and embedders that give the same rows."""
    ours, theirs = history(folder), history(other)
    np.testing.assert_allclose(ours["loss"], theirs["loss"], rtol=1e-4)
    assert ours["loss"][-1] < ours["loss"][0]
    paths = [run / "model/embedder.keras" for run in (folder, other)]
    embedders = [keras.saving.load_model(path) for path in paths]
    for left, right in zip(*(e.weights for e in embedders), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_two_mirrored_devices_train_ge2e_as_one(demo_records, tmp_path):
    run("tensorflow", demo_records, tmp_path)
    check_alike(tmp_path / "two", tmp_path / "one")
    # 7 pictures a batch and one or so at the end: shares that are no equal ones.
    assert history(tmp_path / "two")["val_eer"] == history(tmp_path / "one")["val_eer"]
    # Half as many classes to tell apart, and less to learn from each.
    parts, whole = history(tmp_path / "parts"), history(tmp_path / "two")
    assert all(np.array(parts["loss"]) < np.array(whole["loss"]))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_two_jax_devices_split_the_centres_and_train_as_one(demo_records, tmp_path):
    pytest.importorskip("jax", reason="JAX is not installed (extra `jax`)")
    run("jax", demo_records, tmp_path)
    for name in ("two", "parts"):
        check_alike(tmp_path / name, tmp_path / "one")
        assert history(tmp_path / name)["accuracy"] == history(tmp_path / "one")["accuracy"]
    trainer = keras.saving.load_model(tmp_path / "two/model/trainer.keras", compile=False)
    assert trainer.get_layer("cosines").centers.shape == (64 * 2, 6)
    judged = [history(tmp_path / name)["val_top5"] for name in ("one", "two")]
    assert judged[0] == judged[1] and judged[0][-1] > 0
