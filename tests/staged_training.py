"""A training in three stages over a network of two convolutions, in a process that can be killed.

    python -m tests.staged_training RECORDS WORKDIR [--pace 0.05] [--stage-data STAGE=FOLDER ...]

The stages have what makes resuming hard: dropout, batch norm, a margin that changes, averages of
the weights, other classes in the first stage, a new pooling and frozen layers in the last; and, if
asked for, data of their own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from experiments.config import Data, Evaluation, Experiment, Loss, Model, Stage, Train
from experiments.data_source import find_data, find_stage_data
from experiments.stages.context import Context
from experiments.workdir import Workdir

RECIPE = Experiment(
    name="staged",
    summary="s",
    source="t",
    data=Data(image_size=24, resize="squash", augment="flip_jitter", batch_size=8),
    model=Model(
        backbone="tiny", head="cosine", neck=("dropout", "dense"), embedding_dim=6, dropout=0.2
    ),
    loss=Loss(
        name="arcface",
        scale=8.0,
        margin_schedule="linear",
        margin_values=(0.0, 0.3),
        margin_steps=(0, 10),
    ),
    train=Train(
        learning_rate=0.01,
        ema_momentum=0.7,
        steps=16,
        log_every=2,
        checkpoint_every=4,
        validate_every=8,
        strategy="one_device",
        deterministic=True,
    ),
    evaluation=Evaluation(recognition="knn", batch_size=16),
    stages=(
        Stage("large_classes", (("data.min_images_per_class", 19), ("train.schedule", "constant"))),
        Stage("wider", (("data.image_size", 32), ("train.warmup_steps", 3))),
        Stage(
            "norms",
            (
                ("data.image_size", 40),
                ("model.pooling", "gem:2"),
                ("model.trainable", ("@norms",)),
                ("loss.margin_values", (0.3, 0.35)),
                ("train.steps", 12),
            ),
        ),
    ),
)


def add_tiny_backbone() -> None:
    """Make "tiny" a backbone of this process."""
    import keras

    from landmarks_tf.layers import BatchNorm
    from landmarks_tf.models.backbones import BACKBONES, BackboneEntry
    from landmarks_tf.models.feature_maps import FeatureMaps

    def features(x):
        x = BatchNorm(name="bn1")(keras.layers.Conv2D(6, 3, strides=2, name="conv1")(x))
        x = keras.layers.ReLU(name="relu1")(x)
        return FeatureMaps(keras.layers.Conv2D(8, 3, strides=2, name="conv2")(x))

    BACKBONES["tiny"] = BackboneEntry(features, min_image_size=12)


def context_of(
    records: Path, workdir: Path, recipe: Experiment = RECIPE, stage_data: Sequence[str] = ()
) -> Context:
    given = find_stage_data(stage_data, recipe)
    return Context(recipe, "demo", find_data(records), Workdir(workdir), stage_data=given)


def slow_down(seconds: float) -> None:
    """Let every batch take at least so long to read."""
    import tensorflow as tf

    from experiments.stages import train

    plain = train._training_data

    def paced(*arguments):
        def wait(labels):
            time.sleep(seconds)
            return labels

        def read(images, labels):
            waited = tf.numpy_function(wait, [labels], tf.int32)
            return images, tf.ensure_shape(waited, labels.shape)

        return plain(*arguments).map(read)

    train._training_data = paced


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("records", type=Path)
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--stage-data", action="append", default=[])
    options = parser.parse_args()

    from experiments.stages import train

    add_tiny_backbone()
    if options.pace:
        slow_down(options.pace)
    train.run(context_of(options.records, options.workdir, stage_data=options.stage_data))


if __name__ == "__main__":
    main()
