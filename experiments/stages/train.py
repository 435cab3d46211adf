"""Records -> a trained network."""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from pathlib import Path

from experiments.config import Experiment
from experiments.recipe import recipe_dict
from experiments.stages.class_set import ClassSet
from experiments.stages.context import Context
from experiments.stages.held_out import held_out, held_out_pairs
from experiments.stages.mixed_batches import mixed_batches
from experiments.stages.optimization import optimizer_of
from experiments.stages.planned import PlannedStage, check_networks, plan_stages
from experiments.stages.succession import join_metrics, start_from
from experiments.workdir import write_json


def run(context: Context) -> list[Path]:
    """Train to the end, from wherever an earlier run stopped; save trainer and embedder.

    A recipe with stages trains one after another, each in a folder of its own, from the weights of
    the one before. All of them are checked before the first begins.
    """
    import keras

    from experiments.stages.devices import strategy_of
    from landmarks_tf.training.metrics_csv import MetricsCsv

    recipe, workdir = context.experiment, context.workdir
    if recipe.train.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    strategy = strategy_of(recipe)
    stages = plan_stages(context, strategy.num_replicas_in_sync)
    check_networks([stage for stage in stages[1:] if not stage.folder.exists()])
    network = before = None
    for stage in stages:
        if stage is not stages[-1] and stage.result.exists():
            print(f"{stage.title}: done before", file=sys.stderr)
        else:
            # What the last stage needed goes before the next one's is made.
            network = None
            gc.collect()
            network = _train(context, stage, strategy, before)
            if stage is not stages[-1]:
                _save_model(network.trainer, stage.result)
        before = stage
    metrics = workdir.training / "metrics.jsonl"
    if recipe.stages:
        join_metrics(stages, metrics)
        MetricsCsv(metrics)
    for model, path in ((network.trainer, workdir.trainer), (network.embedder, workdir.embedder)):
        _save_model(model, path)
    return [workdir.trainer, workdir.embedder, metrics]


def compiled_network(stage: PlannedStage, strategy, before: PlannedStage | None = None):
    """A stage's network, compiled, and what it took over from the stage before (None: nothing)."""
    from experiments.stages.devices import use_parts
    from experiments.stages.large_heads import follow_centers
    from experiments.stages.margin_schedules import follow_steps
    from experiments.stages.networks import build_network, losses_of
    from landmarks_tf.training.fit import compile_model

    recipe = stage.recipe
    with strategy.scope():
        # The metrics count in variables of their own, which the devices must share.
        loss, metrics, loss_weights = losses_of(recipe, stage.class_sizes)
        network = build_network(recipe, len(stage.classes), weights=before is None)
        started = None if before is None else start_from(before, stage, network)
        follow_steps(loss, network.trainer)
        follow_centers(loss, network.trainer)
        compile_model(
            network.trainer,
            loss=loss,
            optimizer=optimizer_of(recipe, stage.steps),
            metrics=metrics,
            loss_weights=loss_weights,
        )
    use_parts(recipe, network.trainer)
    return network, started


def _train(context: Context, stage: PlannedStage, strategy, before: PlannedStage | None):
    """Train one stage to its end; return its network, with the weights it is judged by."""
    from landmarks_tf.data.damaged_records import DamagedRecords
    from landmarks_tf.data.dataset import clear_errors
    from landmarks_tf.training.averages import use_averages
    from landmarks_tf.training.distribution import fit_scope
    from landmarks_tf.training.fit import FitPlan, fit
    from landmarks_tf.training.trackers import tracking

    damaged = DamagedRecords(stage.index) if stage.recipe.data.replace_damaged else None
    recipe, num_classes = stage.recipe, len(stage.classes)
    network, started = compiled_network(stage, strategy, before)
    print(
        f"{stage.title + ': training' if stage.title else 'Training'} {recipe.model.backbone} at "
        f"{recipe.data.image_size} px on {len(stage.index):,} pictures of {num_classes:,} classes"
        f"{'' if stage.data.is_own else f' ({stage.data.words})'}: "
        f"{stage.steps:,} steps of {stage.batches.batch_size}, {strategy.num_replicas_in_sync} "
        f"device(s)." + (f" From {before.title}: {started}." if started else ""),
        file=sys.stderr,
    )
    tracked = tracking(
        context.log_to,
        stage.folder,
        run_name=" ".join(filter(None, (recipe.name, context.size, stage.title))),
        settings=recipe_dict(recipe),
    )
    with clear_errors(stage.index), tracked as trackers, fit_scope(strategy):
        fit(
            network.trainer,
            lambda step: _training_data(
                recipe, stage.index, stage.batches, step, stage.steps, stage.classes, damaged
            ),
            FitPlan(
                steps=stage.steps,
                batch_size=stage.batches.batch_size,
                log_every=recipe.train.log_every,
                checkpoint_every=recipe.train.checkpoint_every,
                validate_every=recipe.train.validate_every,
            ),
            workdir=stage.folder,
            validate=_validation(context, stage, network),
            batch_contents=lambda batch: batch_contents(stage, batch),
            extra_callbacks=trackers,
            profile=context.profile,
        )
    if damaged is not None and damaged.replaced:
        list_damaged(damaged, stage.folder)
    use_averages(network.trainer)
    return network


def list_damaged(damaged, folder: Path) -> None:
    """Write which records were replaced in a training, and how often, to damaged.json; say so."""
    path = folder / "damaged.json"
    write_json(path, damaged.as_dict())
    print(
        f"{len(damaged.replaced):,} damaged records were replaced {damaged.replaced.total():,} "
        f"times in this run; they are listed in {path}.",
        file=sys.stderr,
    )


def _validation(context: Context, stage: PlannedStage, network):
    """What `fit` calls to judge the network on the held-out pictures; None where there are none."""
    from experiments.stages.networks import class_scores
    from landmarks_tf.training.averages import averaged_weights
    from landmarks_tf.training.mesh import undivided_batches

    if not context.has_split("validation") or stage.recipe.model.head == "reconstruction":
        return None
    context = replace(context, experiment=stage.recipe)
    scorer, classes = class_scores(stage.recipe, network.trainer), stage.judged

    def validate():
        # The last batch of a pass need not divide among the devices.
        with averaged_weights(network.trainer), undivided_batches():
            if scorer is None:
                found = held_out_pairs(context, network.embedder, classes=classes)
            else:
                found = held_out(context, scorer, classes)
        return {f"val_{key}": value for key, value in found.items()}

    return validate


def _training_data(
    recipe: Experiment,
    index,
    plan,
    step: int,
    steps: int,
    classes: ClassSet | None = None,
    damaged=None,
):
    from landmarks_tf.data.dataset import make_dataset

    dataset = make_dataset(
        index,
        plan,
        image_size=recipe.data.image_size,
        mode=recipe.data.resize,
        augment=recipe.data.augment,
        decoding=recipe.data.decoding,
        seed=recipe.train.seed,
        start_step=step,
        num_steps=steps - step,
        damaged=damaged,
    )
    if classes is not None and not classes.is_all:
        import tensorflow as tf

        numbers = tf.constant(classes.numbers)
        dataset = dataset.map(lambda images, labels: (images, tf.gather(numbers, labels)))
    dataset = mixed_batches(dataset, recipe, step)
    if recipe.model.auxiliary_weight == 0:
        return dataset
    return dataset.map(lambda images, labels: (images, {"main": labels, "auxiliary": labels}))


def batch_contents(stage: PlannedStage, batch: int) -> dict:
    """Which pictures a batch holds, with the labels of the records."""
    rows = stage.batches.batch(batch)
    return {
        "rows": rows.tolist(),
        "ids": [stage.index.id[row].decode(errors="replace") for row in rows],
        "labels": stage.index.label[rows].tolist(),
    }


def _save_model(model, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{path.name}")
    model.save(partial)
    partial.replace(path)
