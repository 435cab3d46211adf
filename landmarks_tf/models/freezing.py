"""Which layers of a backbone are trained."""

from __future__ import annotations

from collections.abc import Sequence

import keras

# Entries that name a kind of layer and no prefix; "@" begins no layer's name.
NORMS, NOTHING = "@norms", "@nothing"
_NORMS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)


def freeze_except(model: keras.Model, prefixes: Sequence[str]) -> None:
    """Freeze every layer of a backbone but those whose name starts with one of `prefixes`.

    Two entries are no prefixes: "@norms" stands for every normalisation layer (FixRes fine-tuning
    trains these and the head, Touvron et al., NeurIPS 2019, section 4), "@nothing" freezes all of
    the backbone.

    A frozen batch norm also keeps its moving statistics and uses them in training (Keras' rule).

    Args:
        model: a backbone's model: one flat graph.
        prefixes: of layers' names, for instance ("layer4",) or S4's ("conv5",), and "@norms"; or
            ("@nothing",) alone.

    Raises:
        ValueError: a prefix that no layer with weights has, so that nothing would be trained;
            "@norms" for a network without any; "@nothing" beside another entry.
    """
    if NOTHING in prefixes and len(prefixes) > 1:
        raise ValueError(
            f"{NOTHING!r} freezes the whole backbone: nothing stands beside it. Received: "
            f"{tuple(prefixes)}."
        )
    if NORMS in prefixes and not any(isinstance(layer, _NORMS) for layer in model.layers):
        raise ValueError(f"{model.name} has no normalisation layers. Received: {NORMS!r}.")
    weighted = [layer.name for layer in model.layers if layer.weights]
    prefixes = tuple(prefixes)
    for prefix in prefixes:
        if prefix not in (NORMS, NOTHING) and not any(name.startswith(prefix) for name in weighted):
            blocks = sorted({name.replace("_", ".").split(".")[0] for name in weighted})
            raise ValueError(
                f"No layer of {model.name} has a name that starts with {prefix!r}. Its layers "
                f"start with {', '.join(blocks)}. {NORMS} stands for all norms, {NOTHING} for none "
                f"of the backbone."
            )
    for layer in model.layers:
        named = layer.name.startswith(prefixes)
        layer.trainable = named or (NORMS in prefixes and isinstance(layer, _NORMS))
