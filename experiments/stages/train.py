"""Records -> a trained network."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from experiments.config import Data, Experiment
from experiments.stages.context import Context


def run(context: Context) -> list[Path]:
    """Train to the end, from wherever an earlier run stopped; save trainer and embedder."""
    import keras

    from experiments.stages.networks import build_network, class_scores, losses_of
    from landmarks_tf.data.dataset import clear_errors
    from landmarks_tf.training.distribution import check_divisible, create_strategy
    from landmarks_tf.training.fit import FitPlan, compile_model, fit

    recipe, workdir = context.experiment, context.workdir
    if recipe.train.deterministic and keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    index = context.index_of("train")
    batches = sampling_plan(recipe.data, index.label, recipe.train.seed)
    steps = total_steps(recipe, batches)
    strategy = create_strategy(recipe.train.strategy)
    check_divisible(batches.batch_size, strategy.num_replicas_in_sync)
    loss, metrics, loss_weights = losses_of(
        recipe, np.bincount(index.label, minlength=context.num_classes)
    )
    with strategy.scope():
        network = build_network(recipe, context.num_classes)
        compile_model(
            network.trainer,
            loss=loss,
            optimizer=_optimizer(recipe, steps),
            metrics=metrics,
            loss_weights=loss_weights,
        )
    print(
        f"Training {recipe.model.backbone} at {recipe.data.image_size} px on {len(index):,} "
        f"pictures of {context.num_classes:,} classes: {steps:,} steps of {batches.batch_size}, "
        f"{strategy.num_replicas_in_sync} device(s).",
        file=sys.stderr,
    )
    validate = None
    scorer = class_scores(recipe, network.trainer)
    if context.has_split("validation") and recipe.model.head != "reconstruction":

        def validate():
            if scorer is None:
                found = held_out_pairs(context, network.embedder)
            else:
                found = held_out(context, scorer)
            return {f"val_{key}": value for key, value in found.items()}

    with clear_errors(index):
        fit(
            network.trainer,
            lambda step: _training_data(recipe, index, batches, step, steps),
            FitPlan(
                steps=steps,
                batch_size=batches.batch_size,
                log_every=recipe.train.log_every,
                checkpoint_every=recipe.train.checkpoint_every,
                validate_every=recipe.train.validate_every,
            ),
            workdir=workdir.training,
            validate=validate,
        )
    for model, path in ((network.trainer, workdir.trainer), (network.embedder, workdir.embedder)):
        _save_model(model, path)
    return [workdir.trainer, workdir.embedder, workdir.training / "metrics.jsonl"]


def sampling_plan(data: Data, labels: np.ndarray, seed: int):
    """The recipe's order of pictures.

    Raises:
        ValueError: an unknown sampling, or numbers that contradict each other.
    """
    from landmarks_tf.data import sampling

    if data.sampling == "shuffled":
        return sampling.shuffled(len(labels), batch_size=data.batch_size, seed=seed)
    if data.sampling == "class_balanced":
        groups = data.classes_per_batch * data.images_per_class
        if groups != data.batch_size:
            raise ValueError(
                f"A class-balanced batch holds classes_per_batch x images_per_class pictures. "
                f"Received: {data.classes_per_batch} x {data.images_per_class} = {groups}, "
                f"data.batch_size={data.batch_size}."
            )
        return sampling.class_balanced(
            labels,
            classes_per_batch=data.classes_per_batch,
            images_per_class=data.images_per_class,
            seed=seed,
        )
    raise ValueError(
        f"Expected a sampling among shuffled, class_balanced. Received: {data.sampling!r}."
    )


def total_steps(recipe: Experiment, plan) -> int:
    """Steps of the whole training; an epoch is as many pictures as the training set has."""
    if recipe.train.steps:
        return recipe.train.steps
    return max(1, round(recipe.train.epochs * plan.num_rows / plan.batch_size))


def _optimizer(recipe: Experiment, steps: int):
    from landmarks_tf.training.optimizers import create_optimizer
    from landmarks_tf.training.schedules import learning_rate_schedule

    train = recipe.train
    rate = learning_rate_schedule(
        train.schedule,
        learning_rate=train.learning_rate,
        total_steps=steps,
        floor=train.floor,
        halve_every=train.halve_every,
        warmup_steps=train.warmup_steps,
    )
    return create_optimizer(
        train.optimizer,
        rate,
        weight_decay=train.weight_decay,
        epsilon=train.epsilon,
        clip_global_norm=train.clip_global_norm,
    )


def _training_data(recipe: Experiment, index, plan, step: int, steps: int):
    from landmarks_tf.data.dataset import make_dataset

    dataset = make_dataset(
        index,
        plan,
        image_size=recipe.data.image_size,
        mode=recipe.data.resize,
        augment=recipe.data.augment,
        seed=recipe.train.seed,
        start_step=step,
        num_steps=steps - step,
    )
    if recipe.model.auxiliary_weight == 0:
        return dataset
    return dataset.map(lambda images, labels: (images, {"main": labels, "auxiliary": labels}))


def evaluation_data(recipe: Experiment, index, first_row: int = 0):
    """Batches of a split in its order, from a row at which a batch begins; nothing dropped."""
    from landmarks_tf.data import sampling
    from landmarks_tf.data.dataset import make_dataset

    batch_size = recipe.evaluation.batch_size
    return make_dataset(
        index,
        sampling.evaluation_order(len(index), batch_size=batch_size),
        image_size=recipe.data.image_size,
        mode=recipe.data.resize,
        start_step=first_row // batch_size,
    )


def held_out(context: Context, scorer) -> dict[str, float]:
    """Top-1, top-5 and macro F1 on the held-out split, every picture counted once."""
    from landmarks_tf.metrics.classification import macro_f1, top_k_accuracy

    index = context.index_of("validation")
    scores = predict(context.experiment, scorer, index)
    labels = np.asarray(index.label)
    return {
        "top1": top_k_accuracy(scores, labels, 1),
        "top5": top_k_accuracy(scores, labels, min(5, scores.shape[1])),
        "macro_f1": macro_f1(scores.argmax(axis=1), labels),
    }


def held_out_pairs(context: Context, embedder, batches: int = 10) -> dict[str, float]:
    """Equal error rate on the held-out split, the mean over batches of P classes x K pictures.

    As S1 watches GE2E (reproduction.md sections 2.2 and 2.7): each picture against the centroids of
    the classes of its batch, its own without itself. Unlike there no picture is repeated, for a
    copy is like itself whatever the network: classes of fewer than K pictures are left out, and K
    is lowered until two are left. {} where no two classes have two pictures.
    """
    from landmarks_tf.data import sampling
    from landmarks_tf.layers.ge2e_similarity import centroid_cosines
    from landmarks_tf.metrics.equal_error_rate import equal_error_rate

    data, index = context.experiment.data, context.index_of("validation")
    labels = np.asarray(index.label)
    sizes = np.bincount(labels, minlength=2)
    K = min(data.images_per_class, int(np.sort(sizes)[-2]))
    if K < 2:
        return {}
    P = min(data.classes_per_batch, int((sizes >= K).sum()))
    kept = np.flatnonzero(sizes[labels] >= K)
    plan = sampling.class_balanced(
        labels[kept], classes_per_batch=P, images_per_class=K, seed=context.experiment.train.seed
    )
    # Early in training all rows are alike: in float32 rounding would rank them.
    rows = predict(context.experiment, embedder, index).astype(np.float64)[kept]
    targets = np.arange(P * K)[:, None] // K == np.arange(P)
    rates = [
        equal_error_rate(np.asarray(centroid_cosines(rows[plan.batch(step)], K)), targets)
        for step in range(batches)
    ]
    return {"eer": float(np.mean(rates))}


def predict(recipe: Experiment, model, index) -> np.ndarray:
    """A model's output for every picture of a split, in its order.

    Raises:
        RecordsError: the records are damaged.
    """
    from landmarks_tf.data.dataset import clear_errors

    with clear_errors(index):
        return model.predict(evaluation_data(recipe, index), verbose=0)


def _save_model(model, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"partial-{path.name}")
    model.save(partial)
    partial.replace(path)
