"""Train a recipe's network through the engine and by a bare Keras `fit`, on the same arrays.

    python -m experiments.benchmarks.training                             # mobilenet_v2_arcface
    python -m experiments.benchmarks.training --exp resnet101_arcface --image-size 224 --batch 32
    KERAS_BACKEND=jax python -m experiments.benchmarks.training --json

The arrays lie in memory, so that no decoding hides what the engine costs: its bar, its logs, its
checks and its checkpoints. Both sides have the recipe's network, loss, optimizer and metrics, and
run by turns; what is compared is the median of the rounds' ratios. A round of the engine is a
whole `landmarks_tf.training.fit.fit` in a new folder. Its one checkpoint is timed apart and
counted once in the recipe's `train.checkpoint_every` steps.

`--json` prints {"recipe", "setting", "environment", "images_per_s": {"engine", "bare"},
"checkpoint_s", "ratio": {"median", "low", "high"}, "processor_ratio": {...}, "target"}. By
processor time, in which the engine's checkpoints are counted whole, the noise of a shared machine
hardly shows; it says nothing of a GPU.

Exit codes: 0 at least the target, 1 below it or failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.command import exit_code

TARGET = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    return exit_code(lambda: _dispatch(options))


def _dispatch(options: argparse.Namespace) -> int:
    report = measure(_recipe(options), steps=options.steps, repeats=options.repeats)
    print(json.dumps(report, indent=2) if options.json else told(report))
    return 0 if report["ratio"]["median"] >= TARGET else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.training",
        description="The engine beside a bare Keras fit, on the same arrays in memory.",
    )
    add = parser.add_argument
    add("--exp", metavar="NAME", default="mobilenet_v2_arcface", help="whose network is trained")
    add("--classes", metavar="N", type=int, default=1000, help="default: 1000")
    add("--image-size", metavar="PX", type=int, default=128, help="default: 128")
    add("--batch", metavar="N", type=int, default=32, help="pictures a step; default: 32")
    add("--steps", metavar="N", type=int, default=20, help="of a round; default: 20")
    add("--repeats", metavar="N", type=int, default=5, help="rounds by turns; default: 5")
    add("--json", action="store_true", help="print JSON instead of sentences")
    return parser


def _recipe(options: argparse.Namespace):
    """The recipe with random weights and the sizes asked for."""
    from experiments.registry import get_experiment
    from experiments.settings import with_value

    recipe = get_experiment(options.exp)
    for name in ("steps", "repeats"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} must be at least 1. Received: {getattr(options, name)}.")
    K = recipe.data.images_per_class
    if options.batch < 1 or (K and options.batch % K):
        raise ValueError(
            f"A batch of {options.exp} holds {K or 1} pictures of each class: --batch must be a "
            f"multiple. Received: --batch {options.batch}."
        )
    recipe = with_value(recipe, "model.weights", None)
    # One batch again and again would be learnt by heart, and what its vanishing gradients cost
    # differs between two runs. At next to no rate each step is the work of the first.
    recipe = with_value(recipe, "train.learning_rate", 1e-12)
    recipe = with_value(recipe, "train.floor", 0.0)
    recipe = with_value(recipe, "data.image_size", options.image_size)
    recipe = with_value(recipe, "data.batch_size", options.batch)
    recipe = with_value(recipe, "data.classes_per_batch", options.batch // K if K else 0)
    return with_value(recipe, "data.expected_classes", options.classes)


def measure(recipe, *, steps: int, repeats: int) -> dict:
    """Train by turns and compare.

    Args:
        recipe: of which the network, loss, optimizer and sizes are taken; its number of classes is
            `data.expected_classes`.
        steps: of each round of each side.
        repeats: rounds.

    Returns:
        As `--json` prints it.
    """
    import keras

    from experiments.benchmarks import device
    from experiments.benchmarks.ratios import speed_ratio

    batch = _batch(recipe)
    sides = {"engine": _Engine(recipe, batch, steps), "bare": _Bare(recipe, batch, steps)}
    for side in sides.values():
        side.run()  # traces and compiles
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    processor: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(repeats):
        print(f"[{number + 1}/{repeats}]", file=sys.stderr, flush=True)
        order = list(sides.items())
        # Neither is always the one that finds the machine warm.
        for name, side in order if number % 2 == 0 else reversed(order):
            before = time.process_time()
            seconds[name].append(side.run() / steps)
            processor[name].append((time.process_time() - before) / steps)
    images = recipe.data.batch_size
    return {
        "recipe": recipe.name,
        "setting": {
            "image_size": recipe.data.image_size,
            "batch_size": images,
            "classes": recipe.data.expected_classes,
            "precision": recipe.train.precision,
            "steps": steps,
            "repeats": repeats,
            "log_every": min(recipe.train.log_every, steps),
            "checkpoint_every": recipe.train.checkpoint_every,
        },
        "environment": {
            "backend": keras.backend.backend(),
            "backend_version": device.backend_version(),
            "keras_version": keras.__version__,
            "device": device.describe_device(),
        },
        "images_per_s": {
            name: images / statistics.median(values) for name, values in seconds.items()
        },
        "checkpoint_s": statistics.median(sides["engine"].checkpoint_seconds[1:]),
        "ratio": speed_ratio(seconds["engine"], seconds["bare"]),
        "processor_ratio": speed_ratio(processor["engine"], processor["bare"]),
        "target": TARGET,
    }


def told(report: dict) -> str:
    """The report in two sentences."""
    setting, speeds, ratio = report["setting"], report["images_per_s"], report["ratio"]
    device = report["environment"]["device"]
    return (
        f"{report['recipe']}, {setting['classes']:,} classes, batch {setting['batch_size']} of "
        f"{setting['image_size']} px, {report['environment']['backend']}, {device['name']} "
        f"({device['count']}): {speeds['engine']:.1f} images/s through the engine, "
        f"{speeds['bare']:.1f} by a bare fit; ratio {ratio['median']:.3f} (quartiles "
        f"{ratio['low']:.3f}-{ratio['high']:.3f}), target {report['target']}; by processor time "
        f"{report['processor_ratio']['median']:.3f}. A checkpoint takes "
        f"{report['checkpoint_s']:.2f} s and is counted once in {setting['checkpoint_every']:,} "
        f"steps."
    )


def _batch(recipe):
    """Random pictures uint8, and labels in runs of K."""
    import numpy as np

    data = recipe.data
    random = np.random.default_rng(0)
    shape = (data.batch_size, data.image_size, data.image_size, 3)
    images = random.integers(0, 256, shape, np.uint8)
    K = data.images_per_class or 1
    classes = random.permutation(data.expected_classes)[: data.batch_size // K]
    return images, np.repeat(classes, K).astype(np.int32)


def _endless(batch):
    """The batch again and again, as Keras reads it on this backend."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.data.Dataset.from_tensors(batch).repeat()

    def forever():
        while True:
            yield batch

    return forever()


def _compiled(recipe):
    import numpy as np

    from experiments.stages.networks import build_network, losses_of
    from experiments.stages.optimization import optimizer_of
    from landmarks_tf.training.fit import compile_model

    network = build_network(recipe, recipe.data.expected_classes)
    sizes = np.full(recipe.data.expected_classes, 20)
    loss, metrics, weights = losses_of(recipe, sizes)
    compile_model(
        network.trainer,
        loss=loss,
        optimizer=optimizer_of(recipe, 1_000_000),
        metrics=metrics,
        loss_weights=weights,
    )
    return network.trainer


class _Bare:
    """`keras.Model.fit` and nothing else."""

    def __init__(self, recipe, batch, steps: int):
        self.model, self.batch, self.steps = _compiled(recipe), batch, steps

    def run(self) -> float:
        """Seconds of a round."""
        data = _endless(self.batch)
        started = time.perf_counter()
        self.model.fit(data, steps_per_epoch=self.steps, epochs=1, shuffle=False, verbose=0)
        return time.perf_counter() - started


class _Engine:
    """`landmarks_tf.training.fit.fit` from the start, in a new folder each time."""

    def __init__(self, recipe, batch, steps: int):
        self.model, self.batch, self.steps = _compiled(recipe), batch, steps
        self.train = recipe.train
        self.checkpoint_seconds: list[float] = []

    def run(self) -> float:
        """Seconds of a round, with a checkpoint's share and not its whole."""
        from landmarks_tf.training.checkpoints import Checkpoints
        from landmarks_tf.training.fit import FitPlan, fit

        plan = FitPlan(
            steps=self.steps,
            batch_size=len(self.batch[1]),
            log_every=min(self.train.log_every, self.steps),
            checkpoint_every=self.steps,
        )
        with tempfile.TemporaryDirectory(prefix="engine-") as folder:
            started = time.perf_counter()
            fit(self.model, lambda step: _endless(self.batch), plan, workdir=Path(folder))
            whole = time.perf_counter() - started
            started = time.perf_counter()
            Checkpoints(Path(folder) / "again").save(self.steps, self.model)
            checkpoint = time.perf_counter() - started
        self.checkpoint_seconds.append(checkpoint)
        return whole - checkpoint + checkpoint * self.steps / self.train.checkpoint_every


if __name__ == "__main__":
    sys.exit(main())
