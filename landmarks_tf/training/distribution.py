"""Which devices train, by name: a tf.distribute strategy, or JAX devices under one mesh.

What each makes of a batch (B pictures, R replicas):

- "mirrored" and "tpu" (TensorFlow): each replica has B / R pictures, batch norm takes its
  statistics from them, and a loss over the pairs of a batch compares them alone, unless embeddings
  are gathered (`landmarks_tf.training.gather`). The gradients' mean is applied.
- "data_parallel" (JAX): the pictures lie on R devices, but a step is that of one device with the
  whole batch: batch norm and the losses over pairs see all of it.
"""

from __future__ import annotations

import contextlib
import functools
import os

import keras

from landmarks_tf.training import mesh

STRATEGIES = ("auto", "one_device", "mirrored", "tpu", "data_parallel")

_BACKEND_OF = {"mirrored": "tensorflow", "tpu": "tensorflow", "data_parallel": "jax"}


class NoStrategy:
    """Stands where tf.distribute does not exist: one replica, an empty scope."""

    num_replicas_in_sync = 1

    def scope(self):
        return contextlib.nullcontext()


def create_strategy(name: str = "auto", *, shard_centers: bool = False):
    """The strategy to build, compile and fit a model under.

    - "auto": all GPUs when there are several ("mirrored" on TensorFlow, "data_parallel" on JAX),
      else the one device there is. On JAX TPU cores count as well.
    - "one_device": never more than one.
    - "mirrored" (TensorFlow): all GPUs, or all logical CPU devices where there is none, which is
      how the tests run it.
    - "tpu" (TensorFlow): the TPU that the environment variable TPU_NAME names, or this machine's.
    - "data_parallel" (JAX): all devices, those of other processes too (`training.processes`).

    Args:
        name: one of `STRATEGIES`.
        shard_centers: also split the class centres over the same devices (`mesh.split_centers`); on
            JAX only.

    Returns:
        An object with `scope()` and `num_replicas_in_sync`. Build and compile under the scope; fit
        under `fit_scope`.

    Raises:
        ValueError: an unknown name, one of the other Keras backend, or devices that are not there.
    """
    check_strategy(name, shard_centers=shard_centers)
    backend = keras.backend.backend()
    if backend == "jax":
        return _jax_strategy(name, shard_centers)
    return _tensorflow_strategy(name) if backend == "tensorflow" else NoStrategy()


def check_strategy(name: str, *, shard_centers: bool = False) -> None:
    """Refuse what `create_strategy` cannot make on this backend, without touching a device.

    Raises:
        ValueError: an unknown name, one of the other Keras backend, or centres split elsewhere than
            on JAX.
    """
    if name not in STRATEGIES:
        raise ValueError(f"Expected a strategy among {', '.join(STRATEGIES)}. Received: {name!r}.")
    backend = keras.backend.backend()
    needed = _BACKEND_OF.get(name, backend)
    if needed != backend:
        what = {"mirrored": "MirroredStrategy", "tpu": "TPUStrategy"}.get(name, name)
        owner = {"tensorflow": "TensorFlow", "jax": "JAX"}[needed]
        raise ValueError(
            f"{what} belongs to {owner}; the Keras backend is {backend!r}. Use the strategy auto, "
            f"or KERAS_BACKEND={needed}."
        )
    if shard_centers and backend != "jax":
        raise ValueError(
            f"Class centres are split over devices on the JAX backend only: TensorFlow's "
            f"strategies hold a copy of every weight on each device. Use KERAS_BACKEND=jax, or "
            f"leave the centres whole. Received: shard_centers=True on {backend!r}."
        )


def fit_scope(strategy):
    """The scope to fit, predict and save under.

    A tf.distribute model carries its strategy with it; on JAX Keras asks for the devices again.
    """
    return strategy.scope() if isinstance(strategy, mesh.Mesh) else contextlib.nullcontext()


def replicas_of(model: keras.Model) -> int:
    """Replicas of tf.distribute that share each batch a model is given; 1 on JAX."""
    strategy = getattr(model, "distribute_strategy", None)
    return 1 if strategy is None else strategy.num_replicas_in_sync


def _jax_strategy(name: str, shard_centers: bool):
    devices = keras.distribution.list_devices()
    if name == "one_device" or (name == "auto" and devices[0].startswith("cpu")):
        devices = devices[:1]
    if name == "data_parallel" and len(devices) < 2:
        raise _too_few(name, devices, "XLA_FLAGS=--xla_force_host_platform_device_count=2")
    if shard_centers:
        return mesh.split_centers(devices)
    return mesh.data_parallel(devices) if len(devices) > 1 else NoStrategy()


def _tensorflow_strategy(name: str):
    import tensorflow as tf

    if name == "tpu":
        return _tpu_strategy(tf)
    gpus = tf.config.list_logical_devices("GPU")
    devices = [d.name for d in gpus or tf.config.list_logical_devices("CPU")]
    if name == "mirrored" and len(devices) < 2:
        raise _too_few(name, devices, "tf.config.set_logical_device_configuration")
    if name == "mirrored" or (name == "auto" and len(gpus) > 1):
        return _mirrored(tuple(devices))
    return tf.distribute.OneDeviceStrategy(devices[0])


@functools.cache
def _mirrored(devices: tuple[str, ...]):
    """One strategy a process: the collectives of a second over the same devices clash with its."""
    import tensorflow as tf

    return tf.distribute.MirroredStrategy(devices)


def _tpu_strategy(tf):
    where = os.environ.get("TPU_NAME", "local")
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=where)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except Exception as error:  # a dozen kinds, by what of a TPU is missing
        first_line = str(error).splitlines()[0][:200]
        raise ValueError(
            f"The strategy tpu found no TPU at {where!r} (environment variable TPU_NAME): "
            f"{first_line}. Install tensorflow-tpu on a machine with a TPU, or use the strategy "
            f"auto."
        ) from error
    return tf.distribute.TPUStrategy(resolver)


def _too_few(name: str, devices: list[str], virtual: str) -> ValueError:
    return ValueError(
        f"The strategy {name} needs 2 devices or more. Found: {', '.join(devices)}. Use the "
        f"strategy one_device, or split the CPU into virtual devices for a trial ({virtual})."
    )


def check_divisible(
    batch_size: int,
    replicas: int,
    *,
    micro_batches: int = 1,
    classes_per_batch: int = 0,
    smallest: int = 1,
) -> None:
    """Refuse a global batch that replicas and their micro-batches cannot share evenly.

    Args:
        batch_size: B, pictures a step over all devices.
        replicas: R.
        micro_batches: M, parts of a replica's share.
        classes_per_batch: P of a loss that compares whole classes with each other; 0 for one that
            looks at each picture alone.
        smallest: classes that such a loss must see at once, at least.

    Raises:
        ValueError: B or P is no multiple of R * M, or P / (R * M) is below `smallest`.
    """
    if micro_batches < 1:
        raise ValueError(f"micro_batches must be at least 1. Received: {micro_batches}.")
    parts = replicas * micro_batches
    sharers = f"{replicas} devices"
    if micro_batches > 1:
        sharers = f"{sharers} in {micro_batches} micro-batches each"
    advice = f"a multiple of {parts}, or use " + (
        "fewer micro-batches" if micro_batches > 1 else "the strategy one_device"
    )
    if batch_size % parts:
        raise ValueError(
            f"A batch of {batch_size} pictures cannot be shared evenly by {sharers}. "
            f"Make the batch {advice}."
        )
    if classes_per_batch % parts:
        raise ValueError(
            f"A batch of {classes_per_batch} classes cannot be shared by {sharers} so that each "
            f"has whole classes. Make data.classes_per_batch {advice}."
        )
    if 0 < classes_per_batch // parts < smallest:
        raise ValueError(
            f"Of a batch of {classes_per_batch} classes, shared by {sharers}, each part would have "
            f"{classes_per_batch // parts}; the loss compares {smallest} or more. Raise "
            f"data.classes_per_batch, or use fewer parts."
        )
