"""Runs on four virtual JAX CPU devices, written to a folder for tests/test_training_*.py to judge.

    KERAS_BACKEND=jax XLA_FLAGS=--xla_force_host_platform_device_count=4 \
        python -m tests.jax_devices FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import keras
import numpy as np

from landmarks_tf.layers import BatchNorm
from landmarks_tf.training import mesh
from landmarks_tf.training.distribution import create_strategy, fit_scope
from landmarks_tf.training.fit import FitPlan, fit
from landmarks_tf.training.micro_batches import use_micro_batches
from tests import tiny_replicas as tiny


def train(folder: Path, strategy, name: str, *, steps=tiny.STEPS, micro_batches=0, **options):
    """The model after `fit` to `steps`, from wherever an earlier call in the folder stopped."""
    with strategy.scope():
        model = tiny.compiled(name, **options)
    if micro_batches:
        use_micro_batches(model, micro_batches)
    plan = FitPlan(steps=steps, batch_size=tiny.BATCH_SIZE, log_every=1, checkpoint_every=1)
    with fit_scope(strategy):
        report = fit(model, lambda start: tiny.batches(start, steps), plan, workdir=folder)
    return model, report


def places(model) -> dict[str, list]:
    """Shape of the piece on each device, of the centres and of their slots."""
    variables = [*model.variables, *model.optimizer.variables]
    return {
        v.path: [list(piece.data.shape) for piece in v.value.addressable_shards]
        for v in variables
        if "centers" in v.path
    }


def main(root: Path) -> None:
    devices = keras.distribution.list_devices()
    four, two = mesh.data_parallel(devices), mesh.data_parallel(devices[:2])
    one = create_strategy("one_device")
    out, facts = {}, {"devices": devices}

    def keep(run: str, strategy, name: str, **options):
        model, report = train(root / run.replace(" ", "_"), strategy, name, **options)
        out.update({f"{run}/{key}": value for key, value in tiny.weights_of(model).items()})
        facts[f"{run}/report"] = report
        return model

    facts["replicas"] = create_strategy("data_parallel").num_replicas_in_sync
    keep("norm one", one, "arcface", norm=BatchNorm)
    keep("norm four", four, "arcface", norm=BatchNorm)
    train(root / "norm_resumed", four, "arcface", norm=BatchNorm, steps=2)
    keep("norm resumed", four, "arcface", norm=BatchNorm)
    for name in ("arcface", *tiny.PAIR_LOSSES):
        keep(f"{name} four", four, name)
    keep("arcface micro", four, "arcface", micro_batches=2)
    keep("ge2e micro", two, "ge2e", micro_batches=2)

    def split(number: int):
        return mesh.split_centers(devices[:number])

    centers = {"multiple_of": mesh.CENTERS_MULTIPLE}
    keep("centers one", one, "arcface", **centers)
    for number in (4, 2, 1):
        model = keep(f"centers {number}", split(number), "arcface", **centers)
        facts[f"places {number}"] = places(model)
        facts[f"bytes {number}"] = mesh.bytes_on_each_device(model)
    # One step on four devices, the next on two, the last on one.
    for steps, number in ((1, 4), (2, 2)):
        train(root / "centers_moved", split(number), "arcface", steps=steps, **centers)
    keep("centers moved", split(1), "arcface", **centers)
    np.savez(root / "weights.npz", **out)
    (root / "facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
