"""How many training steps a network has begun, kept where its checkpoints find it."""

from __future__ import annotations

import keras

from landmarks_tf.layers.float32 import Float32Layer


@keras.saving.register_keras_serializable(package="landmarks_tf")
class StepCount(Float32Layer):
    """Passes its input on; counts the training steps that pass through it.

    A loss that changes with the steps (`landmarks_tf.losses.MarginSchedule`) reads the count. It is
    a weight of the network because a loss may hold none, and because what decides a training's
    future belongs in its checkpoints. Under a strategy all replicas have one count.

    Args:
        calls_per_step: forward passes that make one step, where a step is taken in parts.

    Input and output shape: (B, ...), float32.

    Weight: `count` (), a whole number, not trained: forward passes begun in training mode.

    Raises:
        ValueError: `calls_per_step` below 1, or a dtype other than float32.
    """

    def __init__(self, calls_per_step: int = 1, **kwargs):
        super().__init__(**kwargs)
        if calls_per_step < 1:
            raise ValueError(
                f"A step has at least one forward pass. Received: calls_per_step={calls_per_step}."
            )
        self.calls_per_step = int(calls_per_step)

    def build(self, input_shape):
        self.count = self.add_weight(
            shape=(),
            initializer="zeros",
            dtype="int",
            trainable=False,
            # Each replica adds the one; Keras' mean of whole numbers fails.
            aggregation="only_first_replica",
            name="count",
        )

    def call(self, inputs, training=None):
        if training:
            self.count.assign(self.count + 1)
        return inputs

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "calls_per_step": self.calls_per_step}
