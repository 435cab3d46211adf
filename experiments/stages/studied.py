"""What the studies of a run add to its report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from experiments import scalability_report
from experiments.report import MetricTable, ReportFigure, ReportPicture
from experiments.stages.context import Context
from experiments.workdir import read_json

_PAIRS = 10
# Of the longer side: a picture of several rows stays readable at the page's width.
_PICTURE_PX = 1600


@dataclass
class Studied:
    """Parts of a `Report`, by the names that it has for them."""

    tables: list[MetricTable] = field(default_factory=list)
    figures: list[ReportFigure] = field(default_factory=list)
    pictures: list[ReportPicture] = field(default_factory=list)
    files: dict[str, Path] = field(default_factory=dict)


def studied(context: Context) -> Studied:
    """Of the studies that are done; empty for a run that was asked nothing."""
    found = Studied()
    if context.workdir.is_done("scalability"):
        _add_scalability(context, found)
    if context.workdir.is_done("visuals"):
        _add_visuals(context, found)
    return found


def _add_scalability(context: Context, found: Studied) -> None:
    from landmarks_tf.plots.scalability import scalability_figure

    folder = context.workdir.root / "scalability"
    study = scalability_report.read_study(context.workdir.root)
    found.tables.append(_sizes(study))
    sizes = {row["index_size"] for row in study["trained"]}
    if len(sizes) > 1:
        found.figures.append(
            ReportFigure(
                "mAP@100 against index size",
                scalability_figure(scalability_report.series_of(study)),
                "Every index holds all ground truth and every k-th other picture; relative to the "
                "smallest.",
            )
        )
    for path in context.workdir.outputs("scalability"):
        found.files[f"scalability study, {path.suffix[1:]}"] = folder / path.name


def _sizes(study: dict) -> MetricTable:
    rows = study["trained"]
    columns: dict[str, dict] = {}
    for part in scalability_report.PARTS:
        values = {_size(row): row[part]["map@100"] for row in rows}
        shares = {_size(row): row[part]["relative"] for row in rows}
        columns[f"{part} mAP@100"] = values
        columns[f"{part}, relative"] = {
            size: None if share is None else f"{share:.2%}" for size, share in shares.items()
        }
    queries = ", ".join(f"{rows[0][part]['queries']} {part}" for part in scalability_report.PARTS)
    protocol = {
        "queries": queries,
        "of each index ground truth": rows[0]["ground_truth"],
        "search": study["search"],
        "train seed": study["seeds"]["train"],
    }
    return MetricTable("Retrieval against index size", columns, protocol, " ".join(study["notes"]))


def _size(row: dict) -> str:
    return f"{row['index_size']:,} pictures (k = {row['step']})"


def _add_visuals(context: Context, found: Studied) -> None:
    from experiments.stages.rankings import read_rankings
    from experiments.stages.schedule_curves import stage_schedules
    from experiments.stages.visuals import CannotShowError, counted
    from landmarks_tf.plots import thumbnail
    from landmarks_tf.plots.schedules import schedule_figure

    folder = context.workdir.root / "visuals"
    shown = {entry["title"]: entry for entry in read_json(folder / "visuals.json")["shown"]}
    for title, entry in shown.items():
        for number, file in enumerate(entry["files"]):
            found.files[title if not number else f"{title}, {Path(file).name}"] = folder / file
    if "schedules" in shown:
        figure = schedule_figure(stage_schedules(context))
        found.figures.append(ReportFigure("Schedules", figure, shown["schedules"]["caption"]))
    if "similarity maps" in shown:
        entry = shown["similarity maps"]
        image = thumbnail(folder / entry["files"][0], size_px=_PICTURE_PX)
        found.pictures.append(ReportPicture("What matched what", image, entry["caption"]))
    rankings = read_rankings(context)
    try:
        found.tables.append(_confused(counted(rankings), rankings))
    except CannotShowError:
        return


def _confused(confusions, rankings) -> MetricTable:
    queries = dict(zip(confusions.landmarks.tolist(), confusions.queries.tolist(), strict=True))
    pairs = confusions.pairs()
    names = {
        f"{rankings.name(asked)} → {rankings.name(other)}": (share, queries[asked])
        for asked, other, share in pairs[:_PAIRS]
    }
    columns = {
        "share of its places": {name: f"{share:.0%}" for name, (share, _) in names.items()},
        "queries": {name: count for name, (_, count) in names.items()},
    }
    return MetricTable(
        "Landmarks that are mixed up",
        columns,
        {"search": "as scored above", "shown": f"{len(names)} of {len(pairs):,} pairs"},
        "Asked for → found. Of the first places that the landmark's own pictures could fill (at "
        "most ten), the share that the other's pictures take.",
    )
