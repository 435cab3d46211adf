"""What a person looks at: the report page of a run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np

from experiments import show
from experiments.recipe import recipe_dict
from experiments.report import MetricTable, Report, ReportFigure, write_report
from experiments.stages.context import Context
from experiments.workdir import read_json
from landmarks_tf import metrics as scores
from landmarks_tf.serving.labels import landmark_name

GALLERY_QUERIES = 12
GALLERY_MATCHES = 6


def run(context: Context) -> list[Path]:
    """Gather what the earlier stages and the studies left, and write one self-contained page."""
    from experiments.stages.studied import studied

    workdir, measured = context.workdir, read_json(context.workdir.metrics)
    lines = (workdir.training / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    names = landmark_names(context.metadata)
    asked = studied(context)
    report = Report(
        title=f"{context.experiment.name} ({context.size} size)",
        summary=context.experiment.summary,
        facts=_facts(measured),
        metrics=_tables(measured) + asked.tables,
        published=_published(measured),
        curves=[json.loads(line) for line in lines],
        figures=_figures(context, names) + asked.figures,
        pictures=asked.pictures,
        gallery=_gallery(context, names),
        recipe=recipe_dict(context.experiment),
        files={label: path for label, path in show.products(workdir) if path.exists()}
        | asked.files,
        warnings=_warnings(context, measured),
    )
    return [write_report(workdir.report, report)]


def landmark_names(metadata: Path) -> dict[int, str]:
    """Index landmark id -> the readable end of its Commons category, where there is a table."""
    table = metadata / "index_label_to_category.csv"
    if not table.is_file():
        return {}
    rows = csv.DictReader(_readable_text(table).splitlines())
    return {int(row["landmark_id"]): landmark_name(row["category"]) for row in rows}


def _readable_text(path: Path) -> str:
    """UTF-8, or Latin-1 where a line is not: the published table of names is mixed."""
    lines = []
    for line in path.read_bytes().splitlines():
        try:
            lines.append(line.decode("utf-8-sig"))
        except UnicodeDecodeError:
            lines.append(line.decode("latin-1"))
    return "\n".join(lines)


def index_landmarks(metadata: Path) -> dict[str, int]:
    """Index image id -> landmark id; empty where the table is absent."""
    table = metadata / "index_image_to_landmark.csv"
    if not table.is_file():
        return {}
    with table.open(newline="", encoding="utf-8") as stream:
        return {row["id"]: int(row["landmark_id"]) for row in csv.DictReader(stream)}


def _facts(measured: dict) -> dict:
    trained = measured["trained"]
    facts = {
        "mAP@100, private": trained["retrieval"]["private"]["map@100"],
        "mAP@100, public": trained["retrieval"]["public"]["map@100"],
        "GAP, private": trained["recognition"]["private"]["gap"],
    }
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
        "index size": measured["index_size"],
        **{f"{name} seed": seed for name, seed in measured["seeds"].items()},
    }
    tables = []
    for task in ("retrieval", "recognition"):
        columns = {
            f"{state}, {part}": measured[state][task][part]
            for state in ("trained", "untrained")
            if state in measured
            for part in ("public", "private")
        }
        split = {"split": "test, public and private apart"}
        tables.append(MetricTable(task.capitalize(), columns, protocol | split))
    held_out = {s: measured[s]["held_out"] for s in ("trained", "untrained") if _has(measured, s)}
    if held_out:
        split = {"split": f"validation, {measured['images']['validation']} pictures"}
        tables.append(MetricTable("Classification", held_out, protocol | split))
    return tables


def _has(measured: dict, state: str) -> bool:
    return "held_out" in measured.get(state, {})


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
    if measured["index_size"] < 761_757:
        found.append(
            f"The index holds {measured['index_size']:,} pictures, GLDv2's 761,757: mAP@100 falls "
            f"as an index grows."
        )
    return found


def _figures(context: Context, names: dict[int, str]) -> list[ReportFigure]:
    from landmarks_tf.plots import class_distribution, umap_figure
    from landmarks_tf.retrieval.embed import load_embeddings

    figures = []
    landmark_of = index_landmarks(context.metadata)
    stored = load_embeddings(context.embeddings_path("index"))
    labels = np.array([landmark_of.get(image_id, -1) for image_id in stored.ids.tolist()])
    if (labels >= 0).sum() >= 16:
        figures.append(
            ReportFigure(
                "Embeddings of the index",
                umap_figure(stored.vectors, labels, names),
                "UMAP under cosine distance of the landmarks with the most index pictures. What "
                "training brought together lies together; axes have no meaning.",
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


def _gallery(context: Context, names: dict[int, str]):
    from landmarks_tf.plots import pick_queries
    from landmarks_tf.retrieval.embed import load_embeddings
    from landmarks_tf.retrieval.opening import open_index

    solution = scores.read_retrieval_solution(context.metadata / "retrieval_solution_v2.1.csv")
    rankings = scores.read_retrieval_predictions(
        context.workdir.predictions / "retrieval.csv", solution
    )
    chosen = []
    for part in ("public", "private"):
        truth, answers = getattr(solution, part), getattr(rankings, part)
        if not truth:
            continue
        precisions = scores.average_precisions(scores.find_hits(answers, truth))
        queries = list(truth)
        chosen += [
            (queries[at], truth[queries[at]], f"{part}, AP@100 {precisions[at]:.2f}")
            for at in pick_queries(precisions, GALLERY_QUERIES // 2)
        ]
    index = open_index(context.workdir.index, check=False, report=lambda line: None)
    tests = load_embeddings(context.embeddings_path("test"))
    row_of = {image_id: row for row, image_id in enumerate(tests.ids.tolist())}
    found = [query for query in chosen if query[0] in row_of]
    if not found:
        return []
    k = min(GALLERY_MATCHES, len(index))
    rows = [row_of[query] for query, _, _ in found]
    similarities, matches = index.search(np.asarray(tests.vectors[rows]), k)
    return _gallery_rows(context, names, found, rows, similarities, matches)


def _gallery_rows(context: Context, names, queries, query_rows, similarities, matches):
    from landmarks_tf.data.pictures import read_pictures
    from landmarks_tf.plots import GalleryRow, Match, thumbnail

    landmark_of = index_landmarks(context.metadata)
    tests, index = context.index_of("test"), context.index_of("index")
    gallery = []
    for (query, truth, note), row, cosines, found in zip(
        queries, query_rows, similarities, matches, strict=True
    ):
        relevant = set(truth)
        picture = next(read_pictures(tests, [row]))
        shown = []
        for cosine, at, image in zip(cosines, found, read_pictures(index, found), strict=True):
            image_id = index.id[at].decode("ascii")
            name = names.get(landmark_of.get(image_id, -1), "")
            shown.append(
                Match(image_id, float(cosine), image_id in relevant, thumbnail(image), name)
            )
        name = names.get(landmark_of.get(truth[0], -1), "") if truth else ""
        gallery.append(GalleryRow(query, thumbnail(picture), tuple(shown), name, note))
    return gallery
