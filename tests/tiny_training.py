"""A small training in a process of its own, so that tests can kill it.

    python -m tests.tiny_training WORKDIR --steps 65 [--pace 0.05] [--marker FILE]

The network has what makes resuming hard: batch norm, dropout, Adam with a schedule, and the
project's own layers and loss. Batch number n is a function of n alone.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

BATCH_SIZE, SIDE, CLASSES = 8, 12, 4


def network(*, dropout: float = 0.3, batch_norm: bool = True):
    """(B, 12, 12, 3) pixels -> (B, 4) cosines."""
    import keras

    from landmarks_tf.layers import BatchNorm, CosineClassifier, GeMPooling2D, PixelScaling

    x = pixels = keras.Input((SIDE, SIDE, 3))
    x = PixelScaling([1 / 127.5] * 3, [-1.0] * 3)(x)
    x = keras.layers.Conv2D(8, 3, strides=2)(x)
    x = BatchNorm()(x) if batch_norm else x
    x = keras.layers.Dropout(dropout)(keras.layers.ReLU()(x))
    x = keras.layers.Conv2D(16, 3)(x)
    x = keras.layers.Dropout(dropout)(GeMPooling2D()(x))
    return keras.Model(pixels, CosineClassifier(CLASSES, 2)(x))


def compiled(steps: int, **options):
    """`network(**options)`, ready for `fit`."""
    import keras

    from landmarks_tf.losses import ArcFaceLoss
    from landmarks_tf.training.fit import compile_model
    from landmarks_tf.training.optimizers import create_optimizer
    from landmarks_tf.training.schedules import learning_rate_schedule

    rate = learning_rate_schedule("cosine", learning_rate=0.01, total_steps=steps)
    model = network(**options)
    compile_model(
        model,
        loss=ArcFaceLoss(scale=8.0),
        optimizer=create_optimizer("adam", rate, weight_decay=1e-3, clip_global_norm=0.5),
        metrics=[keras.metrics.SparseCategoricalAccuracy(name="accuracy")],
    )
    return model


def batch(step: int):
    """(8, 12, 12, 3) pictures whose tint tells the class, and (8,) labels."""
    import numpy as np

    random = np.random.default_rng(step)
    labels = random.integers(0, CLASSES, BATCH_SIZE, dtype=np.int32)
    tints = np.array([[60, 0, 0], [0, 60, 0], [0, 0, 60], [30, 30, 30]])
    noise = random.integers(0, 190, (BATCH_SIZE, SIDE, SIDE, 3))
    return (noise + tints[labels][:, None, None]).astype(np.uint8), labels


def batches(start: int, stop: int, *, pace: float = 0.0, marker: Path | None = None):
    """tf.data of `batch(start)` ... `batch(stop - 1)`; writes each number to `marker` first."""
    import tensorflow as tf

    def read(step):
        if marker is not None:
            marker.write_text(str(step))
        time.sleep(pace)
        return batch(int(step))

    # No from_generator: TensorFlow hangs when such a dataset is deleted while it is being read.
    def load(step):
        images, labels = tf.numpy_function(read, [step], [tf.uint8, tf.int32])
        return tf.ensure_shape(images, (BATCH_SIZE, SIDE, SIDE, 3)), tf.ensure_shape(
            labels, (BATCH_SIZE,)
        )

    return tf.data.Dataset.range(start, stop).map(load)


def plan(steps: int):
    """Lines every 10 steps, checkpoints every 20."""
    from landmarks_tf.training.fit import FitPlan

    return FitPlan(steps=steps, batch_size=BATCH_SIZE, log_every=10, checkpoint_every=20)


def main() -> int:
    """Train to the end, from wherever an earlier process stopped."""
    parser = argparse.ArgumentParser()
    parser.add_argument("workdir", type=Path)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--pace", type=float, default=0.0)
    parser.add_argument("--marker", type=Path)
    options = parser.parse_args()

    import keras
    import tensorflow as tf

    from landmarks_tf.training.distribution import create_strategy
    from landmarks_tf.training.fit import fit

    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(0)
    with create_strategy("one_device").scope():
        model = compiled(options.steps)
    try:
        report = fit(
            model,
            lambda start: batches(start, options.steps, pace=options.pace, marker=options.marker),
            plan(options.steps),
            workdir=options.workdir,
        )
    except KeyboardInterrupt:
        return 130
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
