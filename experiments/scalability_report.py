"""Scalability studies as tables and a figure; of several runs together, for an ablation.

    python -m experiments.scalability_report runs/a runs/b --out FOLDER [--published]

takes the workdirs of runs whose `--stage scalability` is done, and writes scalability.csv, .md and
.png with all of them. `--published` adds the report's three methods (S1), dashed: on GLDv2, and so
comparable with runs on GLDv2's own index alone.

Exit codes: 0 done, 1 a study is missing or cannot be read, 2 usage.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from experiments.command import exit_code
from experiments.workdir import read_json

PARTS = ("public", "private")
STATES = ("trained", "untrained")
_COLUMNS = (
    *("experiment", "state", "step", "index_size", "ground_truth", "part", "queries"),
    *("map@100", "relative"),
)

# Wang, Wang and Cui's report, by index size and then by method (public, private):
# reproduction.md section 2.10. Theirs, not measured here.
PUBLISHED_SIZES = (12_563, 22_051, 41_011, 78_962, 154_826, 382_409, 761_757)
PUBLISHED = {
    "arcface": (
        (0.331209, 0.317417, 0.302344, 0.286468, 0.265617, 0.237164, 0.214198),
        (0.357800, 0.344080, 0.325231, 0.304259, 0.281880, 0.259910, 0.233212),
    ),
    "ge2e": (
        (0.173768, 0.156727, 0.137490, 0.120826, 0.099128, 0.077156, 0.061897),
        (0.181976, 0.168435, 0.149303, 0.130272, 0.110432, 0.086414, 0.071373),
    ),
    "mean_squared_error": (
        (0.063312, 0.054817, 0.049006, 0.038860, 0.030575, 0.023210, 0.017318),
        (0.064802, 0.054095, 0.043765, 0.036796, 0.030248, 0.024599, 0.019721),
    ),
}
_METHODS = {"arcface": "ArcFace", "ge2e": "GE2E", "mean_squared_error": "U-Net"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the studies, write tables and figure; returns the exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(lambda: _run(options))


def _run(options: argparse.Namespace) -> int:
    studies = [read_study(workdir) for workdir in options.workdirs]
    for path in write(studies, options.out, published=options.published):
        print(path)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.scalability_report",
        description="mAP@100 against index size, of several runs together.",
    )
    add = parser.add_argument
    add("workdirs", nargs="+", type=Path, metavar="WORKDIR", help="with a finished study")
    add("--out", type=Path, required=True, metavar="DIR", help="where to write")
    add("--published", action="store_true", help="add the report's methods, dashed")
    return parser


def read_study(workdir: Path) -> dict:
    """The scalability.json of a run.

    Raises:
        ValueError: there is none, or it is not one of this version.
    """
    path = Path(workdir) / "scalability" / "scalability.json"
    if not path.is_file():
        raise ValueError(
            f"{workdir} has no scalability study ({path.name} is missing). Make it with the run's "
            f"own command and --stage scalability."
        )
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format_version") != 1 or "trained" not in found:
        raise ValueError(f"{path} is no scalability study of this version. Make it again.")
    return found


def write(studies: Sequence[Mapping], folder: Path, *, published: bool = False) -> list[Path]:
    """Write scalability.csv, .md and .png of some studies; each file appears whole."""
    from landmarks_tf.plots.scalability import scalability_figure
    from landmarks_tf.plots.style import figure_png

    drawn = [one for study in studies for one in series_of(study)]
    drawn += published_series() if published else []
    contents = {
        "scalability.csv": csv_text(studies).encode(),
        "scalability.md": (markdown(studies) + "\n").encode(),
        "scalability.png": figure_png(scalability_figure(drawn), dpi=200),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        partial = folder / f".{name}.partial"
        partial.write_bytes(content)
        partial.replace(folder / name)
    return [folder / name for name in contents]


def series_of(study: Mapping) -> list[dict]:
    """The lines of `landmarks_tf.plots.scalability.scalability_figure` that a study holds."""
    series = []
    for state in STATES:
        if state in study:
            rows, name = study[state], study["experiment"]
            line = {
                "label": name if state == "trained" else f"{name}, {state}",
                "method": study["loss"] if state == "trained" else "",
                "sizes": [row["index_size"] for row in rows],
            }
            series.append(line | {p: [row[p]["relative"] for row in rows] for p in PARTS})
    return series


def published_series() -> list[dict]:
    """The report's own lines, relative to its smallest index."""
    return [
        {
            "label": f"{_METHODS[method]} (published, S1)",
            "method": method,
            "sizes": list(PUBLISHED_SIZES),
            "dashed": True,
        }
        | {
            part: [value / values[0] for value in values]
            for part, values in zip(PARTS, by_part, strict=True)
        }
        for method, by_part in PUBLISHED.items()
    ]


def csv_text(studies: Sequence[Mapping]) -> str:
    """A line for each study, state, index and part, with a header."""
    target = io.StringIO()
    table = csv.DictWriter(target, _COLUMNS, lineterminator="\n")
    table.writeheader()
    for study, state, row in _rows(studies):
        whole = {"experiment": study["experiment"], "state": state}
        whole |= {name: row[name] for name in ("step", "index_size", "ground_truth")}
        table.writerows(whole | {"part": part} | row[part] for part in PARTS)
    return target.getvalue()


def markdown(studies: Sequence[Mapping]) -> str:
    """A table for each study and state, with what its numbers mean nothing without."""
    parts = []
    for study in studies:
        for state in STATES:
            if state in study:
                parts.append(_table(study, state))
        parts += [f"Note: {note}" for note in study["notes"]]
    return "\n\n".join(parts)


def _table(study: Mapping, state: str) -> str:
    queries = " and ".join(f"{study[state][0][part]['queries']} {part}" for part in PARTS)
    lines = [
        f"mAP@100 against index size: {study['experiment']}, {state} ({queries} queries; "
        f"{study['search']} search; data: {study['data']}; seed {study['seeds']['train']})",
        "",
        "| every k-th row | index size | of it ground truth | public mAP@100 | relative | "
        "private mAP@100 | relative |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in study[state]:
        cells = [f"{row['step']}", f"{row['index_size']:,}", f"{row['ground_truth']:,}"]
        for part in PARTS:
            cells += [_number(row[part]["map@100"], ".4f"), _number(row[part]["relative"], ".2%")]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _rows(studies: Sequence[Mapping]) -> Iterator[tuple[Mapping, str, Mapping]]:
    for study in studies:
        for state in STATES:
            for row in study.get(state, ()):
                yield study, state, row


if __name__ == "__main__":
    sys.exit(main())
