"""From one stage of a training to the next: the weights, and one history of all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from experiments.stages.planned import PlannedStage


def start_from(before: PlannedStage, stage: PlannedStage, network):
    """Give a stage's network the weights that the stage before ended with.

    Layers are matched by name and shape. The layers that belong to the classes start anew when the
    classes are others, and so does the count of steps.

    Args:
        before: the stage before, done.
        stage: the stage that is about to train.
        network: its `LandmarkModel`, changed in place.

    Returns:
        The `landmarks_tf.models.warm_start.WarmStart`.

    Raises:
        ValueError: a layer of the backbone does not fit.
    """
    import keras

    import landmarks_tf.layers
    import landmarks_tf.losses
    import landmarks_tf.training.gather  # noqa: F401  (registers the classes that the network holds)
    from landmarks_tf.models.warm_start import carry_weights

    fresh = {"training_steps": "counts from 0"}
    if before.classes != stage.classes:
        fresh |= dict.fromkeys(_class_layers(network, stage), "other classes")
    return carry_weights(
        keras.saving.load_model(before.result, compile=False),
        network.trainer,
        fresh=fresh,
        required=_backbone_layers(network.embedder),
    )


def _class_layers(network, stage: PlannedStage) -> list[str]:
    """Layers of the head that have weights for each class."""
    classes = len(stage.classes)
    sizes = {classes, classes * stage.recipe.model.subcenters}
    embedder = {layer.name for layer in network.embedder.layers}

    def is_of_classes(layer) -> bool:
        # Centres that are split over devices are filled up to more rows than there are classes.
        known = getattr(layer, "num_classes", None) == classes
        return known or any(sizes & set(weight.shape) for weight in layer.weights)

    return [
        layer.name
        for layer in network.trainer.layers
        if layer.name not in embedder and is_of_classes(layer)
    ]


def _backbone_layers(embedder) -> list[str]:
    """Layers with weights before the pooling, by the names that pooling and neck have."""
    return [
        layer.name
        for layer in embedder.layers
        if layer.weights and layer.name != "pool" and not layer.name.startswith("neck_")
    ]


def join_metrics(stages: Sequence[PlannedStage], path: Path) -> None:
    """Write the lines of all stages' metrics.jsonl one after another.

    "step" and "images" count on from stage to stage; "stage" names it.
    """
    lines, steps, images = [], 0, 0
    for stage in stages:
        text = (stage.folder / "metrics.jsonl").read_text(encoding="utf-8")
        for line in map(json.loads, text.splitlines()):
            own = {"step": steps + line["step"], "images": images + line["images"]}
            lines.append(json.dumps({**line, **own, "stage": stage.folder.name}) + "\n")
        steps += stage.steps
        images += stage.steps * stage.batches.batch_size
    partial = path.with_suffix(".partial")
    partial.write_text("".join(lines), encoding="utf-8")
    partial.replace(path)
