"""What a person looks at: the report page of a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from experiments import show
from experiments.recipe import recipe_dict
from experiments.report import MetricTable, Report, ReportFigure, write_report
from experiments.stages.context import Context
from experiments.stages.landmarks import landmark_names, searched_landmarks
from experiments.stages.report_gallery import gallery
from experiments.workdir import read_json

_SEARCHED = {"index": "index", "train": "training"}
_STATES = ("trained", "untrained")
_HELD_OUT = (
    ("held_out", "Classification", ""),
    (
        "held_out_recognition",
        "Recognition of held-out pictures",
        "By neighbours among the training pictures. Every one shows a landmark of the train set; "
        "most test pictures do not, and GAP falls with them.",
    ),
)


def run(context: Context) -> list[Path]:
    """Gather what the earlier stages and the studies left, and write one self-contained page."""
    from experiments.stages.studied import studied

    workdir, measured = context.workdir, read_json(context.workdir.metrics)
    lines = (workdir.training / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    asked = studied(context)
    report = Report(
        title=f"{context.experiment.name} ({context.size} size)",
        summary=context.experiment.summary,
        facts=_facts(measured),
        metrics=_tables(measured) + asked.tables,
        published=_published(measured),
        curves=[json.loads(line) for line in lines],
        figures=_figures(context) + asked.figures,
        pictures=asked.pictures,
        gallery=gallery(context),
        recipe=recipe_dict(context.experiment),
        files={label: path for label, path in show.products(workdir) if path.exists()}
        | asked.files,
        warnings=_warnings(context, measured),
    )
    return [write_report(workdir.report, report)]


def _facts(measured: dict) -> dict:
    trained, facts = measured["trained"], {}
    if "retrieval" in trained:
        facts["mAP@100, private"] = trained["retrieval"]["private"]["map@100"]
        facts["mAP@100, public"] = trained["retrieval"]["public"]["map@100"]
    if "recognition" in trained:
        facts["GAP, private"] = trained["recognition"]["private"]["gap"]
    if "held_out_recognition" in trained:
        facts["GAP, held out"] = trained["held_out_recognition"]["gap"]
    if "held_out" in trained:
        facts["top-1, held out"] = trained["held_out"]["top1"]
    return facts


def _tables(measured: dict) -> list[MetricTable]:
    protocol = {
        "data": measured["data"],
        "size": measured["size"],
        "classes": measured["classes"],
        "training pictures": measured["images"]["train"],
        **{f"{stage} trained on": what for stage, what in measured.get("stage_data", {}).items()},
        "index size": measured.get("index_size", "no index"),
        **{f"{name} seed": seed for name, seed in measured["seeds"].items()},
    }
    tables = []
    for task in ("retrieval", "recognition"):
        if task not in measured["trained"]:
            continue
        columns = {
            f"{state}, {part}": measured[state][task][part]
            for state in _STATES
            if state in measured
            for part in ("public", "private")
        }
        split = {"split": "test, public and private apart"}
        tables.append(MetricTable(task.capitalize(), columns, protocol | split))
    for key, title, note in _HELD_OUT:
        found = {s: measured[s][key] for s in _STATES if key in measured.get(s, {})}
        if found:
            split = {"split": f"validation, {measured['images']['validation']} pictures"}
            tables.append(MetricTable(title, found, protocol | split, note))
    return tables


def _published(measured: dict) -> list[MetricTable]:
    by_place: dict[str, dict] = {}
    for number in measured["published"]:
        by_place.setdefault(number["where"], {})[number["metric"]] = str(number["value"])
    if not by_place:
        return []
    note = "On other data, at full size; not comparable with the numbers above."
    return [MetricTable("As published", by_place, {}, note)]


def _warnings(context: Context, measured: dict) -> list[str]:
    found = []
    if context.source.kind == "demo":
        found.append(
            "The demo data set is rendered and small. Its numbers say that the pipeline works and "
            "learns; they say nothing about GLDv2."
        )
    # What nobody has measured is said, not left to be missed.
    found += [f"{note[:1].upper()}{note[1:]}." for note in measured.get("not_scored", {}).values()]
    if measured.get("index_size", 761_757) < 761_757:
        found.append(
            f"The index holds {measured['index_size']:,} pictures, GLDv2's 761,757: mAP@100 falls "
            f"as an index grows."
        )
    return found


def _figures(context: Context) -> list[ReportFigure]:
    from landmarks_tf.plots import class_distribution, umap_figure
    from landmarks_tf.retrieval.embed import load_embeddings

    figures = []
    split, labels = context.searched_split, searched_landmarks(context)
    names = landmark_names(context.metadata, split)
    stored = load_embeddings(context.embeddings_path(split))
    if (labels >= 0).sum() >= 16:
        figures.append(
            ReportFigure(
                f"Embeddings of the {_SEARCHED[split]} pictures",
                umap_figure(stored.vectors, labels, names),
                f"UMAP under cosine distance of the landmarks with the most {_SEARCHED[split]} "
                "pictures. What training brought together lies together; axes have no meaning.",
            )
        )
    training = np.asarray(context.index_of("train").label)
    figures.append(
        ReportFigure(
            "Training pictures by class",
            class_distribution(training),
            "Classes from the largest to the smallest.",
        )
    )
    return figures
