"""The training stage of a small recipe on one device and on two; for tests/test_experiments_*.py.

    python -m tests.recipe_devices RECORDS FOLDER

On TensorFlow with GE2E, gathered; on JAX with split class centres. Two virtual CPU devices must be
asked for before the framework starts, hence a process of its own.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Train

COMMON = Experiment(
    name="devices",
    summary="s",
    source="t",
    data=Data(
        image_size=24,
        resize="squash",
        augment="flip_jitter",
        sampling="class_balanced",
        batch_size=16,
        classes_per_batch=8,
        images_per_class=2,
    ),
    model=Model(backbone="tiny", neck=("dense",), embedding_dim=6),
    train=Train(
        optimizer="sgd",
        learning_rate=0.05,
        schedule="constant",
        steps=6,
        log_every=2,
        checkpoint_every=4,
        validate_every=4,
        deterministic=True,
    ),
    # So that the last batch of the held-out pictures is an odd one.
    evaluation=Evaluation(recognition="knn", batch_size=7),
)


def recipe(backend: str, strategy: str, **settings) -> Experiment:
    """GE2E on TensorFlow, ArcFace with sub-centres on JAX."""
    base = replace(COMMON, train=replace(COMMON.train, strategy=strategy, **settings))
    if backend == "tensorflow":
        return replace(base, model=replace(base.model, head="ge2e"), loss=Loss(name="ge2e"))
    model = replace(base.model, head="cosine", subcenters=2)
    return replace(base, model=model, loss=Loss(name="arcface", scale=8.0))


def add_tiny_backbone() -> None:
    """A backbone without batch norm, whose rows do not depend on the rest of the batch."""
    import keras

    from landmarks_tf.models import backbones, feature_maps

    def features(x):
        x = keras.layers.Conv2D(8, 3, strides=4, activation="tanh", name="conv")(x)
        return feature_maps.FeatureMaps(x)

    backbones.BACKBONES["tiny"] = backbones.BackboneEntry(features, min_image_size=16)


def main(records: Path, folder: Path) -> None:
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        cpu = tf.config.list_physical_devices("CPU")[0]
        two = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, two)
    from experiments.data_source import find_data
    from experiments.stages import train
    from experiments.stages.context import Context
    from experiments.workdir import Workdir

    add_tiny_backbone()
    several = {"tensorflow": "mirrored", "jax": "data_parallel"}[backend]
    whole = {"gather": True} if backend == "tensorflow" else {"shard_centers": True}
    runs = {
        "one": recipe(backend, "one_device", **whole),
        "two": recipe(backend, several, **whole),
        "parts": recipe(backend, several, micro_batches=2, **whole),
    }
    for name, experiment in runs.items():
        context = Context(experiment, "demo", find_data(records), Workdir(folder / name))
        train.run(context)


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
