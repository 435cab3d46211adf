"""Strategies by name, and two mirrored devices against a training written out on one."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from landmarks_tf.training.distribution import (
    STRATEGIES,
    check_divisible,
    check_strategy,
    create_strategy,
    fit_scope,
)
from tests.conftest import ROOT
from tests.tiny_replicas import PAIR_LOSSES


def test_one_device_is_the_default_without_several_gpus():
    expected = tf.distribute.OneDeviceStrategy
    if len(tf.config.list_logical_devices("GPU")) > 1:
        expected = tf.distribute.MirroredStrategy
    assert isinstance(create_strategy(), expected)
    assert isinstance(create_strategy("one_device"), tf.distribute.OneDeviceStrategy)
    assert create_strategy("one_device").num_replicas_in_sync == 1
    with fit_scope(create_strategy("one_device")):
        assert not tf.distribute.has_strategy()


def test_an_unknown_name():
    with pytest.raises(ValueError, match=f"among {', '.join(STRATEGIES)}. Received: 'two'"):
        create_strategy("two")


def test_a_check_of_the_name_asks_for_no_device():
    check_strategy("tpu")  # there is none here
    check_strategy("mirrored")
    for name, told in (("two", "Received: 'two'"), ("data_parallel", "belongs to JAX")):
        with pytest.raises(ValueError, match=told):
            check_strategy(name)
    with pytest.raises(ValueError, match="JAX backend only"):
        check_strategy("auto", shard_centers=True)


def test_mirroring_over_one_device():
    if len(tf.config.list_logical_devices("GPU")) > 1:
        pytest.skip("there are several GPUs")
    with pytest.raises(ValueError, match=r"mirrored needs 2 devices or more\. Found: /device"):
        create_strategy("mirrored")


def test_a_tpu_that_is_not_there():
    if tf.config.list_physical_devices("TPU"):
        pytest.skip("there is a TPU")
    with pytest.raises(
        ValueError, match=r"found no TPU at 'local' .*TPUs not found in the cluster"
    ):
        create_strategy("tpu")


def test_what_belongs_to_jax():
    with pytest.raises(ValueError, match=r"data_parallel belongs to JAX; .* is 'tensorflow'"):
        create_strategy("data_parallel")
    with pytest.raises(ValueError, match="split over devices on the JAX backend only"):
        create_strategy("one_device", shard_centers=True)


@pytest.mark.parametrize(
    ("batch", "replicas", "options"),
    [
        (8, 1, {}),
        (8, 2, {}),
        (9, 3, {}),
        (24, 2, {"micro_batches": 3}),
        (24, 2, {"classes_per_batch": 6}),
        (24, 2, {"classes_per_batch": 4, "smallest": 2}),
    ],
)
def test_an_even_share(batch, replicas, options):
    check_divisible(batch, replicas, **options)


@pytest.mark.parametrize(
    ("batch", "replicas", "options", "message"),
    [
        (33, 2, {}, r"batch of 33 pictures .* by 2 devices\. Make the batch a multiple of 2, or"),
        (
            24,
            2,
            {"micro_batches": 5},
            r"24 pictures .* by 2 devices in 5 micro-batches each\. .* multiple of 10, or use",
        ),
        (
            24,
            4,
            {"classes_per_batch": 6},
            r"batch of 6 classes .* 4 devices so that each has",
        ),
        (
            24,
            4,
            {"classes_per_batch": 4, "smallest": 2},
            "Of a batch of 4 classes, shared by 4 devices, each part would have 1; .* compares 2",
        ),
        (24, 1, {"micro_batches": 0}, "micro_batches must be at least 1. Received: 0"),
    ],
)
def test_an_uneven_share(batch, replicas, options, message):
    with pytest.raises(ValueError, match=message):
        check_divisible(batch, replicas, **options)


# --- two mirrored devices -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """What `tests.two_replicas` wrote: name of a value -> array."""
    path = tmp_path_factory.mktemp("two") / "runs.npz"
    done = subprocess.run(
        [sys.executable, "-m", "tests.two_replicas", str(path)],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(path) as stored:
        return dict(stored)


def weights(runs, name: str) -> dict[str, np.ndarray]:
    prefix = f"{name}/weights/"
    return {k.removeprefix(prefix): v for k, v in runs.items() if k.startswith(prefix)}


def distance(runs, name: str, other: str) -> float:
    """The largest difference of any weight."""
    ours, theirs = weights(runs, name), weights(runs, other)
    assert ours and [v.shape for v in ours.values()] == [v.shape for v in theirs.values()]
    pairs = zip(ours.values(), theirs.values(), strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def loss(runs, name: str) -> float:
    return float(runs[f"{name}/logs/loss"])


TOLERANCE = 2e-6


@pytest.mark.slow
@pytest.mark.parametrize("run", ["mirrored", "one/micro", "mirrored/micro"])
def test_a_loss_of_single_rows_is_that_of_the_undivided_batch(runs, run):
    assert distance(runs, f"arcface/{run}", "arcface/by hand/1") < TOLERANCE
    assert loss(runs, f"arcface/{run}") == pytest.approx(loss(runs, "arcface/by hand/1"), rel=1e-5)
    # Twelve or so of the 48 rows are right, and each was counted once.
    right = float(runs[f"arcface/{run}/logs/accuracy"]) * 48
    assert right == pytest.approx(round(right), abs=1e-4) and 0 < right < 48
    assert right == pytest.approx(float(runs["arcface/mirrored/logs/accuracy"]) * 48)
    # The gradient of the whole batch was clipped, not that of a part.
    assert min(runs["arcface/by hand/1/norms"]) > 2.0


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_a_loss_of_pairs_is_the_mean_over_the_replicas_own_pairs(runs, name):
    assert distance(runs, f"{name}/mirrored", f"{name}/by hand/2") < TOLERANCE
    assert loss(runs, f"{name}/mirrored") == pytest.approx(loss(runs, f"{name}/by hand/2"))


@pytest.mark.slow
@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_gathered_it_is_that_of_the_whole_batch(runs, name):
    assert distance(runs, f"{name}/gathered", f"{name}/by hand/1") < TOLERANCE
    assert loss(runs, f"{name}/gathered") == pytest.approx(loss(runs, f"{name}/by hand/1"))
    # Which is something else than the mean over the halves.
    assert distance(runs, f"{name}/by hand/2", f"{name}/by hand/1") > 1000 * TOLERANCE


@pytest.mark.slow
def test_micro_batches_of_a_loss_of_pairs(runs):
    assert distance(runs, "triplet/one/micro", "triplet/by hand/2") < TOLERANCE
    # A part is gathered over the replicas: the first half of each one's share, then the second.
    assert distance(runs, "ge2e/gathered/micro", "ge2e/by hand/spread") < TOLERANCE
    assert distance(runs, "ge2e/gathered/micro", "ge2e/by hand/2") > 1000 * TOLERANCE


@pytest.mark.slow
def test_batch_norm_moves_its_statistics_by_the_mean_over_replicas(runs):
    for statistic in ("moving_mean", "moving_variance"):
        ours = runs[f"norm/ours/local/{statistic}"]
        theirs = runs[f"norm/keras/local/{statistic}"]
        np.testing.assert_array_equal(ours[0], ours[1])
        # Keras' replicas go apart; if they no longer do, our own aggregation can go.
        assert np.abs(theirs[0] - theirs[1]).max() > 1e-4
        np.testing.assert_allclose(ours[0], theirs.mean(axis=0), rtol=1e-5, atol=1e-7)
    ours, theirs = weights(runs, "norm/ours"), weights(runs, "norm/keras")
    for (path, left), right in zip(ours.items(), theirs.values(), strict=True):
        if "moving" not in path:
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6, err_msg=path)


@pytest.mark.slow
def test_steps_of_the_rows_that_two_devices_sampled(runs):
    np.testing.assert_allclose(runs["rows/mirrored"], runs["rows/one"], rtol=1e-6)
    moved = (runs["rows/one"] != 1).all(axis=1)
    assert moved[:5].sum() >= 4 and not moved[5]


# Through `fit`, with checkpoints; two virtual devices must be asked for before TensorFlow starts.
RESUMED = """
import json, sys
from pathlib import Path
import keras, numpy as np, tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_visible_devices([], "GPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.experimental.enable_op_determinism()

from landmarks_tf.training.distribution import create_strategy
from landmarks_tf.training.fit import fit
from landmarks_tf.training.step_counter import DataEndedError
from tests import tiny_training

def train(workdir, stop=35):
    keras.utils.set_random_seed(0)
    with mirrored.scope():
        model = tiny_training.compiled(35)
    # Of unknown number, so that it is seen only when it ends.
    data = lambda start: tiny_training.batches(start, stop).filter(lambda x, y: True)
    report = fit(model, data, tiny_training.plan(35), workdir=Path(sys.argv[1]) / workdir)
    return report, [np.asarray(w).tolist() for w in model.weights]

mirrored = create_strategy("mirrored")
results = {"replicas": mirrored.num_replicas_in_sync}
results["whole"] = train("whole")
try:
    train("resumed", stop=27)
except DataEndedError as error:
    results["ended"] = str(error)
results["resumed"] = train("resumed")
(Path(sys.argv[1]) / "results.json").write_text(json.dumps(results))
"""


@pytest.mark.slow
def test_two_devices_resume_to_the_same_bits(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", RESUMED, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["replicas"] == 2
    (_, whole), (report, resumed) = results["whole"], results["resumed"]
    assert "ended after step 27 of 35" in results["ended"]
    assert report == {"steps": 35, "resumed_from": 20}
    # Batch norm's statistics too, which would not be if each replica had its own.
    assert resumed == whole

    def lines(name):
        text = (tmp_path / name / "metrics.jsonl").read_text()
        return [json.loads(line) for line in text.splitlines()]

    same = functools.partial(map, lambda line: (line["step"], line["loss"], line["accuracy"]))
    assert list(same(lines("whole"))) == list(same(lines("resumed")))
