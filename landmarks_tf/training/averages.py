"""Exponential moving averages of the weights, kept by the optimizer (Keras' `use_ema`).

After each step average <- momentum * average + (1 - momentum) * weight, from the weights after the
first step on. They are slots of the optimizer and so in its checkpoints, beside the weights
themselves. Moving statistics of batch norms are no trained weights and are not averaged again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import keras
import numpy as np


def has_averages(model: keras.Model) -> bool:
    """Whether a compiled model's optimizer averages its weights and has taken a step."""
    optimizer = getattr(model.optimizer, "inner_optimizer", model.optimizer)
    return bool(optimizer.use_ema) and int(np.asarray(optimizer.iterations)) > 0


def use_averages(model: keras.Model) -> None:
    """Set the trained weights to their averages, for good; nothing where there are none."""
    if not has_averages(model):
        return
    model.optimizer.finalize_variable_values(model.trainable_variables)
    for variable in model.trainable_variables:
        # Keras averages what a step made of a weight before its constraint bounds it.
        if variable.constraint is not None:
            variable.assign(variable.constraint(variable))


@contextlib.contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Within it the model holds the averages; after it, the weights to the bit as before."""
    variables = model.trainable_variables
    before = (
        [np.array(np.asarray(variable)) for variable in variables] if has_averages(model) else []
    )
    try:
        use_averages(model)
        yield
    finally:
        for variable, value in zip(variables, before, strict=False):
            variable.assign(value)
