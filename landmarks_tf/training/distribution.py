"""Which devices train: a tf.distribute strategy by name, or none on other Keras backends."""

from __future__ import annotations

import contextlib

import keras

STRATEGIES = ("auto", "one_device", "mirrored")


class NoStrategy:
    """Stands where tf.distribute does not exist: one replica, an empty scope."""

    num_replicas_in_sync = 1

    def scope(self):
        return contextlib.nullcontext()


def create_strategy(name: str = "auto"):
    """The strategy to build, compile and fit a model under.

    "auto" mirrors over all GPUs when there are several and else uses the one device there is;
    "one_device" never mirrors; "mirrored" mirrors over all GPUs, or over all logical CPU devices
    where there is none (which is how the tests run it).

    Returns:
        An object with `scope()` and `num_replicas_in_sync`.

    Raises:
        ValueError: an unknown name, or "mirrored" on a backend other than TensorFlow.
    """
    if name not in STRATEGIES:
        raise ValueError(f"Expected a strategy among {', '.join(STRATEGIES)}. Received: {name!r}.")
    if keras.backend.backend() != "tensorflow":
        if name == "mirrored":
            raise ValueError(
                f"MirroredStrategy belongs to TensorFlow; the Keras backend is "
                f"{keras.backend.backend()!r}. Use the strategy auto, or "
                f"KERAS_BACKEND=tensorflow."
            )
        return NoStrategy()
    import tensorflow as tf

    gpus = tf.config.list_logical_devices("GPU")
    devices = [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        return tf.distribute.MirroredStrategy(devices)
    return tf.distribute.OneDeviceStrategy(devices[0])


def check_divisible(batch_size: int, replicas: int) -> None:
    """Refuse a global batch that replicas cannot share evenly.

    Raises:
        ValueError: `batch_size` is no multiple of `replicas`.
    """
    if batch_size % replicas:
        raise ValueError(
            f"A batch of {batch_size} pictures cannot be shared evenly by {replicas} devices. "
            f"Make the batch a multiple of {replicas}, or use the strategy one_device."
        )
