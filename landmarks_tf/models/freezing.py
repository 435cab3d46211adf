"""Which layers of a backbone are trained."""

from __future__ import annotations

from collections.abc import Sequence

import keras


def freeze_except(model: keras.Model, prefixes: Sequence[str]) -> None:
    """Freeze every layer of a backbone but those whose name starts with one of `prefixes`.

    A frozen batch norm also keeps its moving statistics and uses them in training (Keras' rule).

    Args:
        model: a backbone's model: one flat graph.
        prefixes: of layers' names, for instance ("layer4",) or S4's ("conv5",).

    Raises:
        ValueError: a prefix that no layer with weights has, so that nothing would be trained.
    """
    weighted = [layer.name for layer in model.layers if layer.weights]
    for prefix in prefixes:
        if not any(name.startswith(prefix) for name in weighted):
            blocks = sorted({name.replace("_", ".").split(".")[0] for name in weighted})
            raise ValueError(
                f"No layer of {model.name} has a name that starts with {prefix!r}. Its layers "
                f"start with {', '.join(blocks)}."
            )
    for layer in model.layers:
        layer.trainable = layer.name.startswith(tuple(prefixes))
