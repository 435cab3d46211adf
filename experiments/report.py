"""The report of a run: one HTML page that needs nothing but itself.

Pictures are inside the page as data URIs, drawings as SVG in the page's own colours; there is no
script and no request, so it can be mailed, archived, and opened from a disk.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from landmarks_tf.plots import GalleryRow, figure_svg, training_curves

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class MetricTable:
    """Numbers that were measured in this run, or numbers that a paper states; never both.

    Attributes:
        title: what was measured, for instance "Retrieval".
        values: column -> metric -> number; columns are parts that are never mixed, such as public
            and private. None means "not defined here" and is shown as a dash.
        protocol: what a number means nothing without: data, split, index size, seed ...
        note: a sentence under the table; for published numbers, the source.
    """

    title: str
    values: Mapping[str, Mapping[str, float | int | str | None]]
    protocol: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class ReportFigure:
    """A drawing with its title and a sentence on what it shows."""

    title: str
    figure: Figure
    caption: str = ""


@dataclass(frozen=True)
class ReportPicture:
    """A picture of pixels, as `landmarks_tf.plots.thumbnail` makes it, with its title."""

    title: str
    image: str | None
    caption: str = ""


@dataclass(frozen=True)
class Report:
    """What a report says; every part but the title may be left out.

    Attributes:
        title: heading and name of the page.
        summary: a sentence or two under the heading.
        facts: label -> value, shown large: the few numbers that matter.
        metrics: this run's tables.
        published: the source's tables, shown apart and labelled as not measured here.
        curves: lines of metrics.jsonl, drawn by `landmarks_tf.plots.training_curves`.
        figures: further drawings.
        pictures: what shows photographs, under the drawings.
        gallery: queries and their matches.
        recipe: the whole recipe, nested.
        files: label -> path of what the run left; links are relative to the report.
        warnings: sentences that a reader must not miss, such as "a small index".
    """

    title: str
    summary: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    metrics: Sequence[MetricTable] = ()
    published: Sequence[MetricTable] = ()
    curves: Sequence[Mapping] = ()
    figures: Sequence[ReportFigure] = ()
    pictures: Sequence[ReportPicture] = ()
    gallery: Sequence[GalleryRow] = ()
    recipe: Mapping[str, object] = field(default_factory=dict)
    files: Mapping[str, str | Path] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def write_report(path: str | Path, report: Report) -> Path:
    """Writes the page under `path`; it appears there only when complete.

    Raises:
        ValueError: if a metric table is not column -> metric -> value.
        OSError: if it cannot be written.
    """
    path = Path(path)
    page = render(report, path.parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(page, encoding="utf-8")
    temporary.replace(path)
    return path


def render(report: Report, folder: Path) -> str:
    """The page as text; `folder` is where it will lie, for the links to the run's files."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = format_number
    drawings = [ReportFigure(t, f) for t, f in training_curves(report.curves).items()]
    return environment.get_template("report.html").render(
        report=report,
        metrics=[_table(table) for table in report.metrics],
        published=[_table(table) for table in report.published],
        # The only markup that is not escaped: matplotlib has written it and escaped its labels.
        curves=[_drawing(d, f"curve{n}-", Markup) for n, d in enumerate(drawings)],
        figures=[_drawing(d, f"figure{n}-", Markup) for n, d in enumerate(report.figures)],
        recipe=list(flatten(report.recipe)),
        files=[_file(name, Path(file), folder) for name, file in report.files.items()],
    )


def format_number(value: object) -> str:
    """A value as a reader wants it: 0.5321, 761,757, 1e-05, a dash for what is not defined."""
    if value is None or (isinstance(value, Real) and math.isnan(value)):
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Integral):
        return f"{value:,}"
    if isinstance(value, Real):
        if value and abs(value) < 1e-3:
            return f"{value:.3g}"
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.1f}"
    return str(value)


def flatten(recipe: Mapping, prefix: str = "") -> Sequence[tuple[str, str]]:
    """A nested recipe as ("train.learning_rate", "0.1") pairs, in its own order."""
    pairs = []
    for name, value in recipe.items():
        if isinstance(value, Mapping) and value:
            pairs.extend(flatten(value, f"{prefix}{name}."))
        else:
            text = value if isinstance(value, str) else json.dumps(value, default=str)
            pairs.append((f"{prefix}{name}", text))
    return pairs


def _table(table: MetricTable) -> dict:
    for column, values in table.values.items():
        if not isinstance(values, Mapping):
            raise ValueError(
                f"table {table.title!r}: expected column -> metric -> value, "
                f"column {column!r} holds {values!r}"
            )
    metrics = dict.fromkeys(name for values in table.values.values() for name in values)
    return {
        "title": table.title,
        "columns": list(table.values),
        "rows": [
            (name, [values.get(name) for values in table.values.values()]) for name in metrics
        ],
        "protocol": list(table.protocol.items()),
        "note": table.note,
    }


def _drawing(drawing: ReportFigure, id_prefix: str, markup) -> dict:
    return {
        "title": drawing.title,
        "caption": drawing.caption,
        "svg": markup(figure_svg(drawing.figure, id_prefix)),
    }


def _file(name: str, file: Path, folder: Path) -> dict:
    shown = Path(os.path.relpath(file, folder))
    size = file.stat().st_size if file.is_file() else None
    # A link out of the report's folder would break as soon as the folder is moved.
    inside = ".." not in shown.parts and not shown.is_absolute()
    return {
        "name": name,
        "path": shown.as_posix() if inside else str(file),
        "href": quote(f"./{shown.as_posix()}") if inside and file.exists() else None,
        "size": None if size is None else _bytes(size),
    }


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} GB"
