"""Strategies by name, and two mirrored devices against one."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import tensorflow as tf

from landmarks_tf.training.distribution import STRATEGIES, check_divisible, create_strategy
from tests.conftest import ROOT


def test_one_device_is_the_default_without_several_gpus():
    expected = tf.distribute.OneDeviceStrategy
    if len(tf.config.list_logical_devices("GPU")) > 1:
        expected = tf.distribute.MirroredStrategy
    assert isinstance(create_strategy(), expected)
    assert isinstance(create_strategy("one_device"), tf.distribute.OneDeviceStrategy)
    assert create_strategy("one_device").num_replicas_in_sync == 1


def test_an_unknown_name():
    with pytest.raises(ValueError, match=f"among {', '.join(STRATEGIES)}. Received: 'tpu'"):
        create_strategy("tpu")


@pytest.mark.parametrize(("batch", "replicas"), [(8, 1), (8, 2), (9, 3)])
def test_an_even_share(batch, replicas):
    check_divisible(batch, replicas)


def test_an_uneven_share():
    with pytest.raises(
        ValueError, match=r"batch of 33 pictures .* 2 devices\. Make the batch a mult"
    ):
        check_divisible(33, 2)


# Two virtual devices must be asked for before TensorFlow starts, hence a process of its own.
TWO_DEVICES = """
import json, sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.experimental.enable_op_determinism()

from landmarks_tf.training.callbacks import DataEndedError
from landmarks_tf.training.distribution import create_strategy
from landmarks_tf.training.fit import fit
from tests import tiny_training

def train(strategy, workdir, stop=35):
    keras.utils.set_random_seed(0)
    with strategy.scope():
        # Batch norm and dropout see half a batch each; without them the sums must agree, and the
        # gradients, clipped over both devices together.
        model = tiny_training.compiled(35, dropout=0.0, batch_norm=False)
    # Of unknown number, so that it is seen only when it ends.
    data = lambda start: tiny_training.batches(start, stop).filter(lambda x, y: True)
    report = fit(model, data, tiny_training.plan(35), workdir=Path(sys.argv[1]) / workdir)
    return report, [np.asarray(w).tolist() for w in model.weights]

mirrored = create_strategy("mirrored")
results = {"replicas": mirrored.num_replicas_in_sync}
results["one"] = train(create_strategy("one_device"), "one")
results["two"] = train(mirrored, "two")
try:
    train(mirrored, "resumed", stop=27)
except DataEndedError as error:
    results["ended"] = str(error)
results["resumed"] = train(mirrored, "resumed")
(Path(sys.argv[1]) / "results.json").write_text(json.dumps(results))
"""


@pytest.mark.slow
def test_two_devices_train_as_one_and_resume(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["replicas"] == 2
    (_, one), (_, two), (report, resumed) = results["one"], results["two"], results["resumed"]
    for left, right in zip(one, two, strict=True):
        tf.debugging.assert_near(tf.constant(left), tf.constant(right), rtol=2e-4, atol=2e-5)
    assert "ended after step 27 of 35" in results["ended"]
    assert report == {"steps": 35, "resumed_from": 20}
    assert resumed == two

    def lines(name):
        text = (tmp_path / name / "metrics.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    for left, right in zip(lines("one"), lines("two"), strict=True):
        assert left["step"] == right["step"]
        assert left["loss"] == pytest.approx(right["loss"], rel=1e-3)
        assert left["accuracy"] == pytest.approx(right["accuracy"])
