"""The command line: what it prints, how it ends, and that a mistake is never a traceback."""

from __future__ import annotations

import json
import sys

import keras
import pytest
from conftest import run_module

from experiments import run
from tests import contracts

QUICK = (
    *("--exp", "mobilenet_v2_arcface", "--size", "demo", "--set", "model.weights=none"),
    *("--set", "data.image_size=32", "--set", "train.warmup_steps=1"),
)


def call(capsys, *arguments):
    """Exit code, standard output and standard error of the command in this process."""
    try:
        code = run.main([str(argument) for argument in arguments])
    except SystemExit as stopped:  # argparse
        code = stopped.code
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    return code, captured.out, captured.err


def test_list(capsys):
    code, out, _ = call(capsys, "--list")
    assert code == 0
    assert "inception_v200 " in out


def test_help_tells_exit_codes_and_resuming(capsys):
    code, out, _ = call(capsys, "--help")
    assert code == 0
    assert "goes on when the same command is given again" in out


def test_show_json_is_the_full_size_by_default_and_demo_by_name(capsys):
    code, out, _ = call(capsys, "--exp", "inception_v200", "--show", "--json")
    assert code == 0
    assert json.loads(out)["size"] == "full"
    assert json.loads(out)["data"]["image_size"] == 299
    code, out, _ = call(capsys, "--exp", "inception_v200", "--show", "--json", "--size", "demo")
    assert json.loads(out)["data"]["image_size"] < 299


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--exp", "inception_v2000"], 2, "Nearest: inception_v200"),
        (["--exp", "inception_v200", "--set", "train.epoch=1"], 2, "train.epochs"),
        (["--exp", "inception_v200", "--set", "train.epochs=x"], 1, "whole number"),
        ([], 2, "--exp NAME"),
        (["--exp", "inception_v200", "--size", "huge"], 2, "invalid choice"),
        (["--exp", "inception_v200", "--stage", "cook"], 2, "invalid choice"),
        (["--exp", "inception_v200", "--data", "/nowhere/at/all"], 1, "is no folder"),
        (["--exp", "inception_v200", "--data", ""], 2, "--data: expected a folder, received ''"),
        (["--exp", "inception_v200", "--workdir", ""], 2, "--workdir: expected a folder"),
    ],
)
def test_mistakes_end_with_a_message(capsys, arguments, code, message):
    found, _, err = call(capsys, *arguments)
    assert found == code
    assert message in err


def test_a_folder_that_is_no_data_set(capsys, tmp_path):
    (tmp_path / "notes.txt").touch()
    code, _, err = call(capsys, "--exp", "inception_v200", "--data", tmp_path)
    assert code == 1
    assert "is no data set" in err


def test_a_workdir_under_a_file(capsys, tmp_path, demo_records):
    (tmp_path / "file").touch()
    where = tmp_path / "file" / "run"
    code, _, err = call(capsys, *QUICK, "--data", demo_records, "--workdir", where)
    assert code == 1
    assert "Not a directory" in err


def test_a_workdir_of_another_recipe(capsys, tmp_path, demo_records):
    where = ("--data", demo_records, "--workdir", tmp_path / "run", "--stage", "prepare")
    assert call(capsys, *QUICK, *where)[0] == 0
    code, _, err = call(capsys, *QUICK, "--set", "train.learning_rate=0.5", *where)
    assert code == 1
    assert "train.learning_rate: 0.0005 -> 0.5" in err


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("model.backbone=mobilnet_v2", "Nearest: mobilenet_v2"),
        ("model.head=softmax", "trains a 'cosine' head"),
        ("data.classes_per_batch=3", "3 x 4 = 12"),
        ("data.augment=flop", "flip_jitter"),
        ("data.resize=stretch", "squash"),
        ("train.optimizer=adagrad", "adamw"),
        ("train.schedule=square", "cosine"),
        ("model.pooling=median", "gem"),
        ("model.weights=missing.h5", "no weights file"),
    ],
)
def test_settings_that_do_not_fit_say_what_does(capsys, tmp_path, demo_records, setting, message):
    where = ("--data", demo_records, "--workdir", tmp_path / "run", "--stage", "train")
    code, _, err = call(capsys, *QUICK, "--set", setting, *where)
    assert code == 1
    assert message in err


def test_damaged_records_are_an_error_for_people(capsys, tmp_path, demo_records):
    records = tmp_path / "records"
    records.mkdir()
    for path in demo_records.iterdir():
        (records / path.name).symlink_to(path)
    shard = sorted(records.glob("train-0*"))[0]
    content = bytearray(shard.read_bytes())
    shard.unlink()
    for place in range(100, len(content), 5000):
        content[place] ^= 0xFF
    shard.write_bytes(content)
    where = ("--data", records, "--workdir", tmp_path / "run", "--stage", "train")
    code, _, err = call(capsys, *QUICK, "--set", "train.steps=4", *where)
    assert code == 1
    assert shard.name in err
    assert "verify" in err


def test_a_tracker_that_is_not_installed_is_missed_before_any_work(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    where = ("--workdir", tmp_path / "run")
    code, _, err = call(capsys, "--exp", "inception_v200", "--log-to", "wandb", *where)
    assert code == 1
    assert "pip install 'landmarks-tf[wandb]'" in err
    assert not (tmp_path / "run").exists()


@contracts.IGNORE_ARRAY_COPY
@pytest.mark.filterwarnings("default:Skipping variable loading")  # not this suite's own rule
def test_an_optimizer_that_forgets_its_moments_is_an_error(capsys, tmp_path, monkeypatch):
    """Keras only warns when a file's optimizer does not fit, and starts it from nothing."""

    def model(optimizer):
        made = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        made.compile(optimizer, "mse")
        return made

    saved = model("adam")
    saved.optimizer.build(saved.trainable_variables)
    saved.save_weights(tmp_path / "a.weights.h5")

    def load(options):
        other = model("sgd")
        other.optimizer.build(other.trainable_variables)
        other.load_weights(tmp_path / "a.weights.h5")

    monkeypatch.setattr(run, "_dispatch", load)
    code, _, err = call(capsys)
    assert code == 1
    assert "Skipping variable loading for optimizer" in err


def test_usage_error_from_a_shell_has_code_2():
    done = run_module("experiments.run", "--exp", "inceptionv200")
    assert done.returncode == 2
    assert "inception_v200" in done.stderr
    assert "Traceback" not in done.stderr
