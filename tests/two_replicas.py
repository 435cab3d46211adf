"""Runs on two mirrored CPU devices, written to a file for tests/test_training_*.py to judge.

    python -m tests.two_replicas OUT.npz

Two virtual devices must be asked for before TensorFlow starts, hence a process of its own.
"""

from __future__ import annotations

import sys

import keras
import numpy as np
import tensorflow as tf

from landmarks_tf.layers import BatchNorm
from landmarks_tf.training.distribution import create_strategy
from landmarks_tf.training.micro_batches import use_micro_batches
from landmarks_tf.training.optimizers import AdamW
from tests import tiny_replicas as tiny


def by_hand(name: str, parts: int = 1, order=None):
    """SGD with momentum on the mean over `parts` of the loss of each; written out, on one device.

    Args:
        order: of the rows, before they are parted.

    Returns:
        weights, loss of each step, norm of each step's gradient.
    """
    model, loss = tiny.network(name), tiny.loss_named(name)
    velocity = [np.zeros(w.shape, np.float32) for w in model.trainable_weights]
    losses, norms = [], []
    for images, labels in tiny.batches(0, tiny.STEPS):
        if order is not None:
            images, labels = images[order], labels[order]
        some = list(zip(np.split(images, parts), np.split(labels, parts), strict=True))
        with tf.GradientTape() as tape:
            total = sum(tf.reduce_mean(loss.call(y, model(x, training=True))) for x, y in some)
            total = total / parts
        gradients = tape.gradient(total, [w.value for w in model.trainable_weights])
        gradients, norm = tf.clip_by_global_norm(gradients, 2.0)
        losses.append(float(total))
        norms.append(float(norm))
        for number, weight in enumerate(model.trainable_weights):
            velocity[number] = 0.9 * velocity[number] - 0.2 * np.asarray(gradients[number])
            weight.assign(np.asarray(weight) + velocity[number])
    return tiny.weights_of(model), np.array(losses), np.array(norms)


def trained(strategy, name: str, *, micro_batches: int = 0, **options):
    """The model after `tiny.STEPS` of Keras' fit, and its logs."""
    with strategy.scope():
        model = tiny.compiled(name, **options)
    if micro_batches:
        use_micro_batches(model, micro_batches)
    images, labels = zip(*tiny.batches(0, tiny.STEPS), strict=True)
    data = tf.data.Dataset.from_tensor_slices((np.stack(images), np.stack(labels)))
    history = model.fit(data, epochs=1, steps_per_epoch=tiny.STEPS, shuffle=False, verbose=0)
    return model, {key: values[0] for key, values in history.history.items()}


def stepped_by_rows(strategy) -> np.ndarray:
    """A (6, 2) matrix after AdamW's steps of the rows that two devices have a gradient for.

    One device has the gradients of both.
    """
    steps = np.random.default_rng(0)
    rows = steps.integers(0, 5, (4, 2, 3)).astype(np.int32)  # the last never, some by both
    values = steps.normal(size=(4, 2, 3, 2)).astype(np.float32)
    with strategy.scope():
        weight = keras.Variable(np.ones((6, 2), np.float32), name="centers")
        optimizer = AdamW(0.1, weight_decay=0.2, global_clipnorm=1.5, lazy_weight="centers")
        optimizer.build([weight])

    @tf.function
    def step(number: int):
        context = tf.distribute.get_replica_context()
        replicas, replica = context.num_replicas_in_sync, context.replica_id_in_sync_group
        own = [
            tf.reshape(tf.stack(tf.split(part[number], replicas))[replica], (-1, *part.shape[3:]))
            for part in (rows, values)
        ]
        optimizer.apply([tf.IndexedSlices(own[1], own[0], tf.constant([6, 2]))], [weight])

    for number in range(4):
        strategy.run(step, args=(number,))
    local = strategy.experimental_local_results(weight.value)
    for copy in local[1:]:
        np.testing.assert_array_equal(np.asarray(copy), np.asarray(local[0]))
    return np.asarray(local[0])


def main(path: str) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_visible_devices([], "GPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    mirrored, one = create_strategy("mirrored"), create_strategy("one_device")
    out: dict[str, np.ndarray] = {}

    def keep(run: str, model, logs: dict) -> None:
        out.update({f"{run}/weights/{key}": value for key, value in tiny.weights_of(model).items()})
        out.update({f"{run}/logs/{key}": value for key, value in logs.items()})

    def keep_by_hand(run: str, weights: dict, losses, norms) -> None:
        out.update({f"{run}/weights/{key}": value for key, value in weights.items()})
        out.update({f"{run}/logs/loss": losses.mean(), f"{run}/norms": norms})

    for name in ("arcface", *tiny.PAIR_LOSSES):
        for parts in (1, 2):
            keep_by_hand(f"{name}/by hand/{parts}", *by_hand(name, parts))
    spread = np.arange(tiny.BATCH_SIZE).reshape(2, 2, -1).swapaxes(0, 1).ravel()
    keep_by_hand("ge2e/by hand/spread", *by_hand("ge2e", 2, spread))
    keep("arcface/mirrored", *trained(mirrored, "arcface"))
    keep("arcface/one/micro", *trained(one, "arcface", micro_batches=4))
    keep("arcface/mirrored/micro", *trained(mirrored, "arcface", micro_batches=2))
    keep("triplet/one/micro", *trained(one, "triplet", micro_batches=2))
    keep("ge2e/gathered/micro", *trained(mirrored, "ge2e", gather=True, micro_batches=2))
    for name in tiny.PAIR_LOSSES:
        keep(f"{name}/mirrored", *trained(mirrored, name))
        keep(f"{name}/gathered", *trained(mirrored, name, gather=True))
    for kind, norm in (("ours", BatchNorm), ("keras", keras.layers.BatchNormalization)):
        model, logs = trained(mirrored, "arcface", norm=norm)
        keep(f"norm/{kind}", model, logs)
        for statistic in ("moving_mean", "moving_variance"):
            variable = getattr(model.get_layer("norm"), statistic).value
            local = mirrored.experimental_local_results(variable)
            out[f"norm/{kind}/local/{statistic}"] = np.stack([np.asarray(v) for v in local])
    out["rows/mirrored"], out["rows/one"] = stepped_by_rows(mirrored), stepped_by_rows(one)
    np.savez(path, **out)


if __name__ == "__main__":
    main(sys.argv[1])
