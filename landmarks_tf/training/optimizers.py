"""The optimizers of the sources, with their weight decay as the sources have it."""

from __future__ import annotations

import keras
from keras import ops

OPTIMIZERS = ("adam", "adamw", "sgd")


@keras.saving.register_keras_serializable(package="landmarks_tf")
class AdamL2(keras.optimizers.Adam):
    """Adam whose weight decay is the gradient of an L2 penalty, as `torch.optim.Adam` has it.

    Keras' own `weight_decay` is AdamW's: it shrinks the weights beside the adaptive step. Here
    `l2 * weight` is added to the gradient before the moments, for every trainable weight, biases
    and batch norms too (reproduction.md section 6).

    Args:
        l2: the penalty's factor, not negative.

    Raises:
        ValueError: a negative `l2`.
    """

    def __init__(self, learning_rate=0.001, l2: float = 0.0, **kwargs):
        if l2 < 0:
            raise ValueError(f"l2 must not be negative. Received: l2={l2}.")
        super().__init__(learning_rate, **kwargs)
        self.l2 = float(l2)

    def update_step(self, gradient, variable, learning_rate):
        if self.l2:
            gradient = ops.add(gradient, ops.multiply(self.l2, ops.cast(variable, gradient.dtype)))
        super().update_step(gradient, variable, learning_rate)

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}


def create_optimizer(
    name: str,
    learning_rate,
    *,
    weight_decay: float = 0.0,
    epsilon: float = 1e-7,
    clip_global_norm: float | None = None,
) -> keras.optimizers.Optimizer:
    """Build an optimizer by name.

    Args:
        name: "adam" (weight decay is a coupled L2 penalty), "adamw" (decoupled), or "sgd"
            (momentum 0.9, no weight decay, as S1).
        learning_rate: a float or a Keras schedule.
        weight_decay: factor, not negative.
        epsilon: Adam's.
        clip_global_norm: bound on the L2 norm of all gradients together, or None.

    Raises:
        ValueError: an unknown name, or weight decay for plain SGD.
    """
    common = {"learning_rate": learning_rate, "global_clipnorm": clip_global_norm}
    if name == "adam":
        return AdamL2(l2=weight_decay, epsilon=epsilon, **common)
    if name == "adamw":
        return keras.optimizers.AdamW(weight_decay=weight_decay, epsilon=epsilon, **common)
    if name == "sgd":
        if weight_decay:
            raise ValueError(
                f"The SGD recipe has no weight decay. Received: weight_decay={weight_decay}. "
                f"Set train.weight_decay=0, or use adam or adamw."
            )
        return keras.optimizers.SGD(momentum=0.9, **common)
    raise ValueError(f"Expected an optimizer among {', '.join(OPTIMIZERS)}. Received: {name!r}.")
