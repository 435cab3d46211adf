"""The benchmark of the networks: TensorFlow's own counts, its verdicts, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from experiments.benchmarks import comparison, subjects, tables
from experiments.benchmarks.multiply_adds import count_multiply_adds
from landmarks_tf.models import BACKBONES, create_backbone
from landmarks_tf.models.resnet import ResNetConfig, resnet_features
from tests import seeded_weights
from tests.conftest import ROOT

COUNTED = ["Conv2D", "DepthwiseConv2dNative", "MatMul"]


def profiled_operations(model: keras.Model) -> int:
    """Floating-point operations of COUNTED in one picture's graph, by TensorFlow's profiler."""
    profiler = tf.compat.v1.profiler
    pixels = tf.TensorSpec((1, *model.input_shape[1:]))
    graph = tf.function(lambda x: model(x, training=False)).get_concrete_function(pixels).graph
    options = profiler.ProfileOptionBuilder(profiler.ProfileOptionBuilder.float_operation())
    options = options.with_empty_output().build() | {"account_type_regexes": COUNTED}
    return profiler.profile(graph, options=options).total_float_ops


# Plain, depthwise with squeezes, and without squeezes: every kind of layer that is counted.
@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0", "mobilenet_v2"])
def test_multiply_adds_are_half_the_operations_of_tensorflows_profiler(name):
    with seeded_weights.no_initial_values():
        model = create_backbone(name, image_size=64).model
    assert 2 * count_multiply_adds(model) == profiled_operations(model) > 0


def test_grouped_convolutions_count_as_torchvision_publishes():
    # ResNeXt50-32x4d, 4.23 billion at 224 px with its classifier of 1000.
    pixels = keras.Input((224, 224, 3))
    config = ResNetConfig((3, 4, 6, 3), groups=32, width_per_group=4)
    with seeded_weights.no_initial_values():
        trunk = keras.Model(pixels, resnet_features(config, pixels).last)
    assert round((count_multiply_adds(trunk) + 2048 * 1000) / 1e9, 2) == 4.23


def test_every_twin_has_a_network_on_both_sides():
    assert subjects.TWINS.keys() <= BACKBONES.keys()
    assert all(hasattr(keras.applications, twin) for twin in subjects.TWINS.values())


def measured(multiply_adds: int, **fields) -> dict:
    return {"name": "keras.applications.Other", "multiply_adds": multiply_adds} | fields


def ratio(median: float) -> dict:
    return {"median": median, "low": median - 0.01, "high": median + 0.01}


@pytest.mark.parametrize(
    ("inference", "training", "work", "sentence"),
    [
        (1.0, 0.951, 100, "within 5 % of keras.applications.Other"),
        (0.96, 1.2, 106, "within 5 % of keras.applications.Other; it computes 6.0 % more"),
        (1.0, 0.9, 100, "training slower by 10.0 % (quartiles 9.0 to 11.0 %) than keras."),
        (0.8, 0.9, 100, "inference slower by 20.0 % (quartiles 19.0 to 21.0 %) and training slow"),
    ],
)
def test_verdict(inference, training, work, sentence):
    entry = measured(
        work,
        twin=measured(100),
        twin_missing=None,
        ratio={"inference": ratio(inference), "training": ratio(training)},
    )
    assert tables.verdict(entry).startswith(sentence)


def test_verdict_without_a_twin_or_without_a_measurement():
    alone = measured(1, twin=None, twin_missing=None, ratio=None)
    assert tables.verdict(alone) == "no network of keras.applications is like it"
    assert tables.verdict(alone | {"twin_missing": "no TensorFlow"}).endswith("no TensorFlow")
    assert tables.verdict({"name": "x", "error": "killed"}) == "not measured: killed"


def test_a_network_that_cannot_be_built_says_why():
    setting = comparison.Setting(image_size=40, batch_size=1)
    with (
        comparison.Worker(subjects.Subject("inception_v3"), setting) as worker,
        pytest.raises(comparison.MeasurementError, match=r"inception_v3: .* at least 75 px"),
    ):
        worker.ask("prepare")


def test_a_killed_network_says_so():
    setting = comparison.Setting(image_size=32, batch_size=1)
    with comparison.Worker(subjects.Subject("mobilenet_v2"), setting) as worker:
        worker.send("prepare")
        (child,) = children_of(os.getpid())
        os.kill(child, signal.SIGKILL)
        with pytest.raises(comparison.MeasurementError, match=r"was killed.*smaller --batch"):
            worker.receive()


# Python makes an exception of the one; the other, like SIGTERM, leaves it no time for anything.
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_whatever_ends_the_command_ends_its_children(end):
    command = [sys.executable, "-m", "experiments.benchmarks.networks"]
    options = ["--networks", "mobilenet_v2", "--image-size", "32", "--batch", "1"]
    parent = subprocess.Popen(
        [*command, *options], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    children = waited_for(lambda: len(found := children_of(parent.pid)) == 2 and found)
    parent.send_signal(end)
    out, err = parent.communicate(timeout=60)
    assert waited_for(lambda: not any(map(is_running, children)))
    assert out == ""
    assert "Traceback" not in err
    assert parent.returncode == (130 if end == signal.SIGINT else -end)


def waited_for(condition, seconds: float = 60):
    """What the condition gives as soon as it gives something."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
    return value


def children_of(pid: int) -> list[int]:
    """The benchmark's processes that `pid` started."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_text()
        except OSError:  # it has just ended
            continue
        if parent == pid and "experiments.benchmarks.worker" in command:
            found.append(int(folder.name))
    return found


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie that nobody has reaped."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class TwinKilled(comparison.Worker):
    """A worker whose process is killed at its first command, if it is the twin's."""

    def send(self, do: str, **command) -> None:
        if self.title.startswith("keras.applications"):
            self._process.kill()
        super().send(do, **command)


def test_a_twin_that_cannot_be_measured_is_left_out(monkeypatch):
    monkeypatch.setattr(comparison, "Worker", TwinKilled)
    told: list[str] = []
    setting = comparison.Setting(image_size=32, batch_size=1, repeats=1, seconds=0)
    entry = comparison.measure("vgg16", setting, told.append)
    assert told == ["building", "inference", "training"]
    assert entry["twin"] is None and entry["ratio"] is None
    assert entry["twin_missing"].startswith("keras.applications.VGG16: ")
    assert entry["training"]["images_per_s"] > 0


@pytest.mark.slow
def test_on_jax(monkeypatch):
    pytest.importorskip("jax", reason="JAX, the second Keras backend, is not installed")
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    monkeypatch.setenv("XLA_FLAGS", "--xla_backend_optimization_level=0")  # compiles sooner
    setting = comparison.Setting(image_size=32, batch_size=2, repeats=1, seconds=0)
    entry = comparison.measure("vgg16", setting, lambda text: None)
    assert entry["environment"]["backend"] == "jax"
    assert entry["environment"]["xla"]
    assert entry["training"]["images_per_s"] > 0
    assert entry["ratio"]["training"]["median"] > 0
    assert json.loads(json.dumps(entry)) == entry
