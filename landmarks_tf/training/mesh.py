"""JAX devices under one mesh, by keras.distribution: the batch, and class centres, split over them.

The TensorFlow backend of Keras 3 has no such mesh: there each device holds a copy of every weight.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras

# Class centres are filled up to a multiple of this, so that a checkpoint has the same shape
# whatever the number of devices.
CENTERS_MULTIPLE = 64

_AXIS = "devices"


class Mesh:
    """A keras.distribution in the form of a tf.distribute strategy: a scope and a count.

    Args:
        distribution: a `keras.distribution.Distribution`.
    """

    def __init__(self, distribution):
        self.distribution = distribution

    @property
    def num_replicas_in_sync(self) -> int:
        """Devices that share a batch, those of other processes too."""
        return self.distribution.num_model_replicas

    def scope(self):
        """Weights made in this scope are laid out over the mesh; needed for fit as well."""
        return self.distribution.scope()


def data_parallel(devices: list[str]) -> Mesh:
    """A copy of the weights on each device; the rows of a batch divided among them.

    A process gives the rows of its own devices (`landmarks_tf.data.sampling.shard`).
    """
    return Mesh(
        keras.distribution.DataParallel(
            device_mesh=keras.distribution.DeviceMesh((len(devices),), [_AXIS], devices),
            auto_shard_dataset=False,
        )
    )


def split_centers(devices: list[str]) -> Mesh:
    """As `data_parallel`, but class centres and their optimizer slots are split by class.

    Each device holds N / R classes and computes their (B, N / R) cosines for the whole batch; what
    travels is the (B, D) embeddings, their gradient, and a few numbers a row for the softmax. (The
    model-parallel softmax of Deng et al., CVPR 2019, section 2.3.) It finds a `CosineClassifier`
    named "cosines" and embeddings named "embedding", as `build_landmark_model` names them, the
    former with `multiple_of=CENTERS_MULTIPLE`.

    Raises:
        ValueError: a number of devices that does not divide `CENTERS_MULTIPLE`.
    """
    if CENTERS_MULTIPLE % len(devices):
        raise ValueError(
            f"Class centres are split evenly over 1, 2, 4, ... {CENTERS_MULTIPLE} devices. "
            f"Received: {len(devices)} devices."
        )
    layouts = keras.distribution.LayoutMap(
        keras.distribution.DeviceMesh((len(devices),), [_AXIS], devices)
    )
    layouts["(.*/)?cosines/centers"] = (_AXIS, None)
    layouts["(.*/)?embedding/output"] = (None, None)
    layouts["(.*/)?cosines/output"] = (None, _AXIS)
    return Mesh(
        keras.distribution.ModelParallel(
            layout_map=layouts, batch_dim_name=_AXIS, auto_shard_dataset=False
        )
    )


@contextlib.contextmanager
def undivided_batches() -> Iterator[None]:
    """Within it a batch is not divided over the mesh: each device computes all of it.

    For passes whose last batch does not divide. Nothing changes where there is no mesh.
    """
    mesh = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(mesh)


def bytes_on_each_device(model: keras.Model) -> dict[str, int]:
    """Bytes of weights and optimizer slots that each of this process' devices holds."""
    held: dict[str, int] = {}
    for variable in [*model.variables, *model.optimizer.variables]:
        for piece in variable.value.addressable_shards:
            device = f"{piece.device.platform}:{piece.device.id}"
            held[device] = held.get(device, 0) + piece.data.nbytes
    return held
