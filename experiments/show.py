"""What the command line prints: the list, a recipe, the closing summary."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from experiments.config import Experiment
from experiments.data_source import DataSource
from experiments.recipe import SECTIONS, as_dict
from experiments.registry import EXPERIMENTS
from experiments.stages.context import Context
from experiments.startup import import_keras
from experiments.training_sets import words_for
from experiments.training_stages import last_recipe, stage_recipes
from experiments.workdir import read_json

# Of the closing table: title, and where the number stands in metrics.json below the state.
_COLUMNS = (
    ("mAP@100 public", ("retrieval", "public", "map@100")),
    ("private", ("retrieval", "private", "map@100")),
    ("GAP public", ("recognition", "public", "gap")),
    ("private", ("recognition", "private", "gap")),
    ("GAP held out", ("held_out_recognition", "gap")),
    ("top-1", ("held_out", "top1")),
    ("top-5", ("held_out", "top5")),
)


def experiment_list(*, as_json: bool) -> str:
    """One line, or one JSON member, for each experiment."""
    if as_json:
        return json.dumps({name: recipe.summary for name, recipe in EXPERIMENTS.items()}, indent=2)
    width = max(map(len, EXPERIMENTS))
    return "\n".join(f"{name:<{width}}  {r.summary}" for name, r in EXPERIMENTS.items())


def recipe(
    experiment: Experiment,
    size: str,
    stage_data: Mapping[str, DataSource] | None = None,
    *,
    as_json: bool,
) -> str:
    """The whole recipe with its parameter counts and published numbers.

    Args:
        experiment: the recipe.
        size: "demo" or "full".
        stage_data: the data of stages that have their own, by the stage's name.
        as_json: as JSON, not for people.
    """
    whole = as_dict(experiment)
    whole.pop("demo")
    for stage, shown_stage in zip(stage_recipes(experiment), whole["stages"], strict=False):
        shown_stage["trains_on"] = words_for(stage, experiment, stage_data or {})
    shown = {"size": size} | whole | {"params": parameter_counts(experiment)}
    if as_json:
        return json.dumps(shown, indent=2)
    lines = [
        f"{experiment.name} ({size} size): {experiment.summary}",
        f"source: {experiment.source}",
    ]
    for section in SECTIONS:
        lines.append(f"\n{section}")
        lines += [f"  {section}.{key} = {value}" for key, value in whole[section].items()]
    for number, stage in enumerate(whole["stages"], start=1):
        lines.append(f"\nstage {number} ({stage['name']})")
        lines += [f"  stages.{number}.{key} = {value}" for key, value in stage["settings"]]
        lines.append(f"  trains on {stage['trains_on']}")
        lines += [f"  in the source: {stage['data']}"] * bool(stage["data"])
    params = shown["params"]
    lines.append(f"\nparameters at {params['classes']:,} classes")
    lines.append(f"  trainable {params['trainable']:,}, total {params['total']:,}")
    if "trainable_with_auxiliary" in params:
        lines.append(f"  trainable with the auxiliary head {params['trainable_with_auxiliary']:,}")
    lines += [f"  {block:<12} {count:>12,}" for block, count in params["by_block"].items()]
    lines.append(
        "\npublished (theirs, not ours)" if experiment.published else "\npublished: nothing"
    )
    lines += [f"  {p.metric} {p.value}  [{p.where}]" for p in experiment.published]
    return "\n".join(lines)


def parameter_counts(experiment: Experiment) -> dict:
    """Counts at the source's number of classes; 890, S2's, where the recipe states none.

    Of a training in stages they are those of the last.
    """
    import_keras()
    from experiments.stages.networks import build_network
    from landmarks_tf.models import BACKBONES, count_parameters

    experiment = last_recipe(experiment)
    classes = experiment.data.expected_classes or 890
    counts = count_parameters(build_network(experiment, classes, weights=False).trainer)
    counts = {"classes": classes} | counts
    entry = BACKBONES[experiment.model.backbone]
    if entry.has_auxiliary_tap and experiment.data.image_size >= 299:
        model = replace(experiment.model, auxiliary_weight=0.4)
        network = build_network(replace(experiment, model=model), classes, weights=False)
        counts["trainable_with_auxiliary"] = count_parameters(network.trainer)["trainable"]
    return counts


def summary(context: Context) -> str:
    """What a run made and how good it is."""
    workdir, metrics = context.workdir, read_json(context.workdir.metrics)
    index = f"index of {metrics['index_size']:,}" if "index_size" in metrics else "no index"
    lines = [
        "",
        f"{metrics['experiment']} ({metrics['size']} size) on {metrics['data']}",
        f"  {metrics['images']['train']:,} training pictures of {metrics['classes']:,} classes, "
        f"{index}, {metrics['images']['test']:,} test pictures",
        "",
    ]
    columns = [column for column in _COLUMNS if column[1][0] in metrics["trained"]]
    if columns:
        lines.append(_row("", *(title for title, _ in columns)))
    for name in ("untrained", "trained"):
        if name in metrics and columns:
            values = [_value(metrics[name], path) for _, path in columns]
            lines.append(_row(name, *("-" if v is None else f"{v:.4f}" for v in values)))
    lines += [f"  {note}" for note in metrics.get("not_scored", {}).values()]
    lines.append("")
    for label, path in products(workdir):
        if path.exists():
            lines.append(f"  {label:<15} {path}")
    seconds = workdir.seconds()
    parts = ", ".join(f"{stage} {value:.0f}" for stage, value in seconds.items())
    lines.append(f"\n  {sum(seconds.values()):.0f} s of work ({parts})")
    return "\n".join(lines)


def _row(name: str, *cells: str) -> str:
    return f"  {name:<10}" + "".join(f"{cell:>15}" for cell in cells)


def _value(numbers: dict, path: tuple[str, ...]) -> float | None:
    for key in path[:-1]:
        numbers = numbers.get(key, {})
    return numbers.get(path[-1])


def products(workdir) -> list[tuple[str, object]]:
    return [
        ("trained model", workdir.embedder),
        ("metrics", workdir.metrics),
        ("report", workdir.report),
        ("ScaNN index", workdir.index),
        ("SavedModel", workdir.saved_model),
        ("submission", workdir.submission),
        ("Kaggle's CSV", workdir.submission_csv),
    ]
