"""Several processes, one training: JAX processes on one machine or many, joined by address.

On the TensorFlow backend there is always one process here: Keras 3's `fit` does not support
MultiWorkerMirroredStrategy.

Each process runs the same program: `join`, then the strategy "data_parallel", which spans the
devices of all; the same seed; batches of its own part of the plan (`sampling.shard(plan,
index=index(), count=count())`); `fit` in one folder that all can read. The first process alone
writes there.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras
import numpy as np


def join(address: str, *, count: int, index: int, seed: int) -> None:
    """Make this process number `index` of `count`; call it before any device is used.

    Args:
        address: host:port of process 0, which listens there.
        count: processes in all, at least 1.
        index: 0 to count - 1.
        seed: the same in all processes; weights are drawn from it.

    Raises:
        ValueError: a number out of range, or a backend other than JAX.
        RuntimeError: a device was used before, or the others do not answer.
    """
    backend = keras.backend.backend()
    if backend != "jax":
        raise ValueError(
            f"Several processes train together on the JAX backend only. Use KERAS_BACKEND=jax. "
            f"Received: {backend!r}."
        )
    if count < 1 or not 0 <= index < count:
        raise ValueError(
            f"Expected 1 process or more and an index below their number. "
            f"Received: count={count}, index={index}."
        )
    # Otherwise Keras draws one on each process and adds them up, on devices.
    keras.utils.set_random_seed(seed)
    keras.distribution.initialize(address, count, index)


def count() -> int:
    """Processes that train together."""
    return _jax().process_count() if keras.backend.backend() == "jax" else 1


def index() -> int:
    """Number of this process, from 0."""
    return _jax().process_index() if keras.backend.backend() == "jax" else 0


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return index() == 0


def wait_for_all(where: str) -> None:
    """Return when every process has called this with the same words."""
    if count() > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(where)


def number_of_the_first(number: int) -> int:
    """The whole number that the first process gave; all must call this."""
    if count() == 1:
        return number
    from jax.experimental import multihost_utils

    return int(multihost_utils.broadcast_one_to_all(np.int32(number)))


@contextlib.contextmanager
def folder_for_logs(folder: Path) -> Iterator[Path]:
    """The folder itself on the first process; on the others one that is thrown away."""
    if is_first():
        yield folder
        return
    with tempfile.TemporaryDirectory() as scratch:
        yield Path(scratch)


def to_numpy(variable) -> np.ndarray:
    """A variable's whole value, though its parts lie on devices of several processes.

    With several processes all must call this, in the same order of variables.
    """
    if count() == 1 or variable.value.is_fully_replicated:
        return np.asarray(variable)
    from jax.experimental import multihost_utils

    return np.asarray(multihost_utils.process_allgather(variable.value, tiled=True))


def _jax():
    import jax

    return jax
