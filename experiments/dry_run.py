"""`--dry-run`: what the batches of a recipe hold, counted; nothing is decoded or trained."""

from __future__ import annotations

import dataclasses
import json

from experiments.stages.context import Context
from experiments.stages.planned import PlannedStage, plan_stages


def told(context: Context, *, as_json: bool) -> str:
    """The statistics of every stage's plan over an epoch, for people or as JSON.

    Raises:
        ValueError: the recipe does not fit the data; the message names the stage.
    """
    from experiments.stages.devices import strategy_of

    strategy = strategy_of(context.experiment)
    stages = plan_stages(context, strategy.num_replicas_in_sync)
    counted = [_counts(stage) for stage in stages]
    if as_json:
        return json.dumps({"experiment": context.experiment.name, "stages": counted}, indent=2)
    return "\n\n".join(_text(one) for one in counted)


def _counts(stage: PlannedStage) -> dict:
    from landmarks_tf.data.plan_statistics import plan_statistics

    plan = stage.batches
    epoch = plan_statistics(plan, stage.index.label, progress=True)
    return {
        "stage": stage.title,
        "data": stage.data.words,
        "steps": stage.steps,
        "epochs": stage.steps / plan.steps_per_epoch,
        "plan": plan.describe(),
        "epoch": dataclasses.asdict(epoch),
    }


def _text(counted: dict) -> str:
    plan, epoch = counted["plan"], counted["epoch"]
    what = plan["plan"].replace("_", " ")
    if "classes_per_batch" in plan:
        what += f", {plan['classes_per_batch']} classes x {plan['images_per_class']} pictures"
    never = epoch["rows_never_drawn"]
    rows = {
        "pictures": counted["data"],
        "plan": f"{what}, seed {plan['seed']}",
        "training": f"{counted['steps']:,} steps, {counted['epochs']:.2f} epochs",
        "an epoch": f"{epoch['steps']:,} steps of {epoch['batch_size']}, {epoch['rows']:,} "
        f"pictures of {epoch['classes']:,} classes",
        "classes in a batch": _spread(epoch["classes_per_batch"]),
        "most of one class": f"{epoch['largest_group']:,} in a batch",
        "repeats in a batch": _spread(epoch["copies_per_batch"]),
        "a class is drawn": f"{_spread(epoch['draws_of_class'])} times",
        "a picture is drawn": f"{epoch['most_draws']:,} times at most",
        "never drawn": f"{never:,} pictures ({100 * never / epoch['rows']:.1f} %), "
        f"{epoch['classes_never_drawn']:,} classes",
    }
    title = [counted["stage"]] if counted["stage"] else []
    return "\n".join(title + [f"  {name:<20}{value}" for name, value in rows.items()])


def _spread(values: tuple[int, float, int]) -> str:
    low, mean, high = values
    return f"{low:,}" if low == high else f"{mean:,.1f} ({low:,} to {high:,})"
