"""One of several JAX processes that train together; run by tests/test_training_processes.py.

    KERAS_BACKEND=jax XLA_FLAGS=--xla_force_host_platform_device_count=2 \
        python -m tests.jax_process FOLDER ADDRESS COUNT INDEX
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from landmarks_tf.data import sampling
from landmarks_tf.layers import BatchNorm
from landmarks_tf.training import mesh, processes
from landmarks_tf.training.distribution import create_strategy, fit_scope
from landmarks_tf.training.fit import FitPlan, fit
from tests import tiny_replicas as tiny


class RowsOfTheBatch(sampling.Plan):
    """Rows 0 to 15 at every step, in groups of K."""

    def batch(self, step):
        return np.arange(self.batch_size)


def train(folder: Path, strategy, steps: int, **options):
    """`fit` with this process' own rows of every batch."""
    with strategy.scope():
        model = tiny.compiled("arcface", **options)
    whole = RowsOfTheBatch("all", num_rows=16, batch_size=tiny.BATCH_SIZE, group_size=tiny.K)
    plan = sampling.shard(whole, index=processes.index(), count=processes.count())

    def batches(start: int):
        for step in range(start, steps):
            rows = plan.batch(step)
            yield tuple(part[rows] for part in tiny.batch(step))

    settings = FitPlan(steps=steps, batch_size=tiny.BATCH_SIZE, log_every=1, checkpoint_every=1)
    with fit_scope(strategy):
        report = fit(model, batches, settings, workdir=folder)
    return model, report


def main(root: Path, address: str, count: int, index: int) -> None:
    if count > 1:
        processes.join(address, count=count, index=index, seed=0)
    out, facts = {}, {"count": processes.count(), "index": processes.index()}
    copies = create_strategy("data_parallel")
    split = create_strategy("data_parallel", shard_centers=True)
    facts["replicas"] = copies.num_replicas_in_sync
    centers = {"multiple_of": mesh.CENTERS_MULTIPLE}
    train(root / "copies", copies, 2, norm=BatchNorm)
    for name, strategy, options in (
        ("copies", copies, {"norm": BatchNorm}),
        ("split", split, centers),
    ):
        model, facts[name] = train(root / name, strategy, tiny.STEPS, **options)
        for variable in model.variables:
            out[f"{name}/{variable.path}"] = processes.to_numpy(variable)
        held = mesh.bytes_on_each_device(model)
        facts[f"{name} bytes"] = sorted(held.values())
    np.savez(root / f"weights-{index}.npz", **out)
    (root / f"facts-{index}.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
