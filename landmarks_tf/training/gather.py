"""Losses over pairs that see the whole batch, though replicas of tf.distribute share it.

Put `GatherReplicas` behind the embeddings and wrap the loss in `GatheredLoss`: each replica then
computes the loss of the whole batch, and its gradient is that of one device. A loss that gathers
by itself what it needs (`call_across`) is wrapped alone. On JAX, and with one
replica, both do nothing: there a loss sees the whole batch anyway.
"""

from __future__ import annotations

import keras


def gather_replicas(rows):
    """(B, ...) rows of each replica -> (R * B, ...) rows of all, in the order of the batch.

    Differentiable: a row's gradient is the sum of those that it gets on each replica. Outside of a
    replica the rows themselves.
    """
    if keras.backend.backend() != "tensorflow":
        return rows
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows
    replicas = context.num_replicas_in_sync
    # As a sum of blocks, not by `all_gather`: that exists for fewer strategies (not for TPUs).
    place = tf.reshape(context.replica_id_in_sync_group, (1, 1))
    shape = tf.concat([[replicas], tf.shape(rows)], axis=0)
    blocks = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.scatter_nd(place, rows[None], shape))
    return tf.reshape(blocks, (-1, *rows.shape[1:]))


@keras.saving.register_keras_serializable(package="landmarks_tf")
class GatherReplicas(keras.layers.Layer):
    """`gather_replicas` as a layer, float32 or not: (B, D) -> (R * B, D).

    It gathers in prediction too; predict with the embedder, which does not hold it.
    """

    def call(self, rows):
        return gather_replicas(rows)

    def compute_output_shape(self, input_shape):
        # Keras asks outside of any replica, where the number of rows is unknown.
        return (None, *input_shape[1:])


@keras.saving.register_keras_serializable(package="landmarks_tf")
class GatheredLoss(keras.losses.Loss):
    """Another loss, of gathered predictions and of the labels that belong to them.

    Args:
        loss: gives one value a row. Its own reduction is not used. One with a method
            `call_across(y_true, y_pred, gather)` gets the replica's own predictions, and
            `gather_replicas`.
        name: the loss' name; that of `loss` if not given.
        **kwargs: `reduction`, as every Keras loss; its dtype is that of `loss`.

    Call: labels (B,) of a replica, predictions (R * B, ...) of all (with `call_across`
    (B, ...), the replica's own) -> one value for each row of all.

    Raises:
        ValueError: no Keras loss.
    """

    def __init__(self, loss, name: str | None = None, dtype=None, **kwargs):
        if not isinstance(loss, keras.losses.Loss):
            raise ValueError(f"Expected a Keras loss to gather for. Received: loss={loss!r}.")
        super().__init__(name=name or loss.name, dtype=dtype or loss.dtype, **kwargs)
        self.loss = loss

    def call(self, y_true, y_pred):
        if hasattr(self.loss, "call_across"):
            return self.loss.call_across(y_true, y_pred, gather_replicas)
        return self.loss.call(gather_replicas(y_true), y_pred)

    def get_config(self):
        loss = keras.saving.serialize_keras_object(self.loss)
        return {**super().get_config(), "loss": loss}

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "loss": keras.saving.deserialize_keras_object(config["loss"])})
