"""Recipes that no data could be trained with, refused before anything is converted or written."""

from __future__ import annotations

import dataclasses

import pytest

from experiments import run
from experiments.recipe_checks import PRECISIONS, SPLITS, check_recipe
from experiments.registry import EXPERIMENTS
from experiments.settings import at_demo_size, with_setting, with_value
from tfrecords_tools.options import VALIDATION_SPLITS

BASE = with_value(at_demo_size(EXPERIMENTS["mobilenet_v2_arcface"]), "model.weights", None)
IN_STAGES = "resnest269_stages"


def changed(*settings: str):
    experiment = BASE
    for setting in settings:
        experiment = with_setting(experiment, setting)
    return experiment


@pytest.mark.parametrize("size", ["full", "demo"])
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_recipe_passes(name, size):
    experiment = EXPERIMENTS[name]
    check_recipe(experiment if size == "full" else at_demo_size(experiment))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.epochs=-3", r"at least one step: .* Received: train.steps=0, train.epochs=-3\."),
        ("train.epochs=0", r"train.steps=0, train.epochs=0\."),
        ("train.steps=-1", r"train.steps=-1, "),
        ("train.seed=-1", r"train.seed is within 0..4294967295. Received: -1\."),
        ("train.seed=4294967296", r"Received: 4294967296\."),
        ("train.precision=float16", r"one of float32, mixed_bfloat16, .* Received: 'float16'\."),
        ("train.precision=float99", r"Received: 'float99'\."),
        ("train.strategy=gpu", r"Expected a strategy among auto, .* Received: 'gpu'\."),
        ("train.strategy=data_parallel", r"KERAS_BACKEND=jax"),
        ("train.learning_rate=-1", r"learning_rate > 0 .* learning_rate=-1.0"),
        ("train.floor=1", r"0 <= floor <= learning_rate"),
        ("train.schedule=cosin", r"Expected a schedule among constant, cosine"),
        ("train.optimizer=Adam", r"Expected an optimizer among adam, adamw, sgd"),
        ("train.epsilon=0", r"epsilon must be positive and finite\. Received: epsilon=0\.0"),
        ("train.epsilon=-1", r"epsilon=-1\.0"),
        ("train.clip_global_norm=0", r"clip_global_norm must be positive and finite"),
        ("train.ema_momentum=1", r"ema_momentum must lie in \(0, 1\)"),
        ("train.warmup_steps=-1", r"warmup_steps=-1"),
        ("train.halve_every=0", r"halve_every must be at least 1"),
        ("train.log_every=0", r"log_every must be at least 1"),
        ("train.checkpoint_every=-5", r"checkpoint_every must be at least 1"),
        ("train.validate_every=-1", r"validate_every is a number of steps, or 0"),
        ("train.micro_batches=0", r"micro_batches must be at least 1"),
        ("train.micro_batches=5", r"32 pictures cannot be shared evenly by .* 5 micro-batches"),
        ("train.lazy_centers=true", r"set loss.sample_rate below 1"),
        ("data.train_set=all", r"one of clean, c2x, full, or none\. Received: 'all'"),
        ("data.validation_fraction=1", r"validation_fraction is a part in \[0, 1\)\. Rec.* 1\.0\."),
        ("data.validation_fraction=-0.1", r"Received: -0\.1\."),
        ("data.validation_split=perclass", r"random, per-class, .* Received: 'perclass'"),
        ("data.validation_split=one-per-class", r"one-per-class takes one .* Received: 0\.1\."),
        ("data.min_images_per_class=0", r"data.min_images_per_class is at least 1\. Received: 0"),
        ("data.batch_size=0", r"batch_size must be at least 1"),
        ("data.classes_per_batch=3", r"3 x 4 = 12, data.batch_size=32"),
        ("data.sampling=random", r"shuffled, class_balanced, weighted\. Received: 'random'"),
        ("data.sampling=weighted", r"data.sampling=weighted needs data.class_power"),
        ("data.augment=flp", r"flip"),
        ("data.resize=stretch", r"unknown resize mode 'stretch', .*squash"),
        ("data.decoding=half", r"unknown way to decode 'half'"),
        ("data.image_size=16", r"mobilenet_v2 needs images of at least 32 px"),
        ("data.mixup=0.2", r"data.mixup gives pictures of two classes"),
        ("model.backbone=mobilnet_v2", r"no backbone 'mobilnet_v2'\. Nearest: mobilenet_v2"),
        ("model.weights=/no/such.h5", r"There is no weights file at '/no/such.h5'"),
        ("model.weights=vgg16_torchvision", r"belong to vgg16, not to mobilenet_v2"),
        ("model.preprocessing=imagnet", r"Expected a preprocessing among imagenet"),
        ("model.pooling=gemm", r"Expected a pooling among avg, max, gem"),
        ("model.neck=dens", r"Expected neck parts among .* Received: 'dens'"),
        ("model.embedding_dim=8", r"A neck with a dense part needs its width"),
        ("model.dropout=1", r"model.dropout is a rate in \[0, 1\)\. Received: 1\.0\."),
        ("model.dropout=-0.1", r"Received: -0\.1\."),
        ("model.auxiliary_weight=-1", r"model.auxiliary_weight is a weight above 0"),
        ("model.subcenters=0", r"model.subcenters is the number of centres .* Received: 0 with"),
        ("model.head=softmax", r"The arcface loss trains a 'cosine' head"),
        ("loss.name=arcfac", r"Expected a loss among cross_entropy, arcface"),
        ("loss.temperature=1", r"The arcface loss reads .* Received: loss.temperature=1\.0"),
        ("loss.label_smoothing=2", r"label_smoothing"),
        ("export.parity_tolerance=0", r"tolerance above 0.* export.parity_tolerance=0\.0\."),
        ("export.parity_images=0", r"export.parity_images=0, "),
    ],
)
def test_what_is_no_recipe(setting, message):
    steps = () if setting.startswith("train.steps") else ("train.steps=0",)
    with pytest.raises(ValueError, match=message) as error:
        check_recipe(changed(*steps, setting))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_every_precision_is_one_of_keras(precision):
    import keras

    check_recipe(changed(f"train.precision={precision}"))
    assert keras.dtype_policies.get(precision).name == precision


def test_every_split_is_one_of_convert():
    assert sorted(SPLITS) == sorted(VALIDATION_SPLITS)
    for split in SPLITS:
        check_recipe(changed("data.validation_fraction=0", f"data.validation_split={split}"))


def test_sub_centres_belong_to_the_cosine_head():
    check_recipe(changed("model.subcenters=3"))
    softmax = changed("model.head=softmax", "loss.name=cross_entropy", "model.subcenters=3")
    softmax = dataclasses.replace(softmax, loss=type(softmax.loss)())
    with pytest.raises(ValueError, match=r"Received: 3 with model.head='softmax'"):
        check_recipe(softmax)


def test_a_file_that_is_no_weights_file(tmp_path):
    for name, content in (("page.h5", b"<!DOCTYPE html>"), ("empty.h5", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is no weights file: it "):
            check_recipe(changed(f"model.weights={tmp_path / name}"))
    with pytest.raises(ValueError, match="There is no weights file at"):
        check_recipe(changed(f"model.weights={tmp_path}"))


def test_published_weights_are_not_downloaded_for_it(tmp_path, monkeypatch):
    from landmarks_tf.models import weights

    def fetch(row):
        raise AssertionError(row)

    monkeypatch.setattr(weights, "fetch", fetch)
    check_recipe(changed("model.weights=imagenet"))


def test_the_stage_is_named():
    experiment = with_setting(
        at_demo_size(EXPERIMENTS[IN_STAGES]), "stages.2.train.learning_rate=-1"
    )
    name = experiment.stages[1].name
    with pytest.raises(ValueError, match=rf"^In stage 2 \({name}\): .*learning_rate=-1"):
        check_recipe(experiment)


@pytest.mark.parametrize("setting", ["train.epochs=-3", "train.schedule=cosin"])
def test_the_command_refuses_before_it_writes(capsys, tmp_path, demo_raw, setting):
    folder = tmp_path / "run"
    where = ("--data", str(demo_raw), "--workdir", str(folder))
    arguments = ("--exp", "mobilenet_v2_arcface", "--set", "model.weights=none")
    assert run.main([*arguments, *where, "--set", setting]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert not folder.exists()
