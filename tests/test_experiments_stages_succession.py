"""Stages one after another: killed in two of them, the weights are those of an undisturbed run.

The first two have data of their own: the first all pictures, with one class more, of which it takes
the larger ones; the second more pictures of the classes that the run itself has.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from experiments.stages import evaluate
from landmarks_tf.records import RecordIndex
from tests import staged_training
from tests.conftest import ROOT
from tfrecords_tools.convert import convert
from tfrecords_tools.options import ConvertOptions

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]


def start(records, workdir, *options):
    command = [sys.executable, "-m", "tests.staged_training", str(records), str(workdir), *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONWARNINGS": ""}, **pipes)


def kill_once(process, path):
    """SIGKILL as soon as a file is there."""
    patience = time.monotonic() + 240
    while not path.exists():
        assert process.poll() is None, process.communicate()[0][-3000:]
        assert time.monotonic() < patience, f"{path} never came"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


def finish(process) -> str:
    said = process.communicate(timeout=300)[0]
    assert process.returncode == 0, said[-3000:]
    return said


def weights_in(path):
    """Every array of the last checkpoint of a stage."""
    with np.load(sorted(path.glob("checkpoints/step-*.npz"))[-1]) as stored:
        return {key: stored[key] for key in stored.files}


@pytest.fixture(scope="module")
def stage_data(demo_raw, tmp_path_factory):
    """The records of the first two stages, by the stage's name."""
    folder, found = tmp_path_factory.mktemp("stage_data"), {}
    for stage, subset in (("large_classes", "full"), ("wider", "c2x")):
        options = ConvertOptions("train", subset=subset, shards=2)
        convert(demo_raw, folder / subset, options, workers=1, progress=False, say=len)
        found[stage] = folder / subset
    return found


@pytest.fixture(scope="module")
def runs(demo_records, stage_data, tmp_path_factory):
    """(workdir of an undisturbed run, of one killed in two stages, what the latter said last)."""
    folder = tmp_path_factory.mktemp("staged")
    whole, parts = folder / "whole", folder / "parts"
    own = [f"--stage-data={stage}={records}" for stage, records in stage_data.items()]
    finish(start(demo_records, whole, *own))
    for stage, step in (("1-large_classes", 4), ("2-wider", 8)):
        checkpoint = parts / "training" / stage / "checkpoints" / f"step-{step:09d}.npz"
        kill_once(start(demo_records, parts, *own, "--pace", "0.15"), checkpoint)
        assert not (checkpoint.parent.parent / "trainer.keras").exists(), "killed too late"
    return whole, parts, finish(start(demo_records, parts, *own))


STAGES = ("1-large_classes", "2-wider", "3-norms")


def test_killed_in_two_stages_every_stage_ends_with_the_same_bits(runs):
    whole, parts, said = runs
    assert "stage 1 (large_classes): done before" in said
    assert "stage 2 (wider): training" in said
    for stage in STAGES:
        expected = weights_in(whole / "training" / stage)
        found = weights_in(parts / "training" / stage)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, err_msg=f"{stage} {key}")


def test_each_stage_says_its_data(runs, stage_data, demo_records):
    *_, said = runs
    held = set(RecordIndex.open(demo_records, "validation").id.tolist())
    more = RecordIndex.open(stage_data["wider"], "train").id.tolist()
    left = len(set(more) - held)
    assert left > len(RecordIndex.open(demo_records, "train"))
    assert (
        f"stage 2 (wider): training tiny at 32 px on {left:,} pictures of 9 classes "
        f"({stage_data['wider']} (--stage-data)): 16 steps"
    ) in said
    own = len(RecordIndex.open(demo_records, "train"))
    assert f"at 40 px on {own:,} pictures of 9 classes: 12 steps" in said


def test_what_is_carried_and_what_is_new_is_said(runs):
    *_, said = runs
    # Two convolutions, a norm, the neck; the classes are others.
    assert (
        "From stage 1 (large_classes): 4 layers carried over; new: training_steps (counts from 0), "
        "cosines (other classes)." in said
    )
    assert (
        "From stage 2 (wider): 5 layers carried over; new: pool (not in the network before), "
        "training_steps (counts from 0)." in said
    )


def test_a_stage_starts_from_the_averages_and_trains_what_it_may(runs):
    import keras

    import landmarks_tf.layers
    import landmarks_tf.losses  # noqa: F401  (registers the classes that the models hold)

    whole, _, _ = runs
    before = keras.saving.load_model(whole / "training/2-wider/trainer.keras", compile=False)
    after = keras.saving.load_model(whole / "model/trainer.keras", compile=False)
    checkpoint = weights_in(whole / "training/2-wider")
    averages = {k: v for k, v in checkpoint.items() if k.endswith("conv1_kernel_average")}
    raw = {k: v for k, v in checkpoint.items() if k.endswith("conv1/kernel")}
    (average,), (kernel,) = averages.values(), raw.values()
    saved = np.asarray(before.get_layer("conv1").kernel)
    np.testing.assert_array_equal(saved, average)
    assert np.abs(saved - kernel).max() > 1e-6
    # Only norms, pooling, neck and head train in the last stage.
    for layer, moved in (("conv1", False), ("conv2", False), ("bn1", True), ("neck_dense", True)):
        pairs = zip(before.get_layer(layer).weights, after.get_layer(layer).weights, strict=True)
        same = [np.array_equal(np.asarray(a), np.asarray(b)) for a, b in pairs]
        assert not any(same) if moved else all(same), layer
    assert after.input_shape[1:] == (40, 40, 3)


def test_the_first_stage_knows_its_classes_alone(runs):
    whole, _, _ = runs
    rows = {
        stage: next(v for k, v in weights_in(whole / "training" / stage).items() if "centers" in k)
        for stage in STAGES
    }
    assert len(rows["1-large_classes"]) < len(rows["2-wider"]) == len(rows["3-norms"])


def test_one_history_of_all_stages(runs):
    for workdir in runs[:2]:
        text = (workdir / "training" / "metrics.jsonl").read_text()
        lines = [json.loads(line) for line in text.splitlines()]
        assert [line["step"] for line in lines] == list(range(2, 45, 2))
        assert [line["images"] for line in lines] == list(range(16, 353, 16))
        assert {line["stage"] for line in lines} == set(STAGES)
        # The second stage warms up anew: after two of three steps it is at two thirds of the rate.
        (second,) = [line for line in lines if line["step"] == 18]
        assert second["learning_rate"] == pytest.approx(0.01 * 2 / 3)
        assert [line["step"] for line in lines if "val_top1" in line] == [8, 16, 24, 32, 40, 44]


def test_what_follows_sees_the_last_stage(runs, demo_records):
    staged_training.add_tiny_backbone()
    context = staged_training.context_of(demo_records, runs[0])
    evaluate.run(context)
    measured = json.loads(context.workdir.metrics.read_text())
    assert 0 < measured["trained"]["retrieval"]["public"]["map@100"] <= 1
    assert context.after_training().experiment.data.image_size == 40
