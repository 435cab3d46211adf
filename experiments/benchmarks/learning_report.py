"""What the recipes of `experiments.benchmarks.learning` reached: means, intervals, table, plot."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.workdir import read_json
from landmarks_tf import metrics

PARTS = ("public", "private")
DRAWS = 10_000
RANK = 100


def collect(runs: Mapping[str, Mapping[int, Path]], settings: Sequence[str] = ()) -> dict:
    """The report of finished runs.

    Args:
        runs: recipe -> seed -> the run's folder, as `experiments.run` left it.
        settings: what was replaced in every recipe, for the record.

    Returns:
        The value of learning.json (see `experiments.benchmarks.learning`).

    Raises:
        ValueError: a folder lacks its files, or its rankings do not belong to its solution.
    """
    folders = [folder for by_seed in runs.values() for folder in by_seed.values()]
    first = read_json(folders[0] / "metrics.json")
    recipes = []
    for name, by_seed in runs.items():
        precisions = [query_precisions(folder) for folder in by_seed.values()]
        entry: dict = {
            "name": name,
            "curves": {str(seed): _losses(folder) for seed, folder in by_seed.items()},
            "runs": [
                {"seed": seed} | {part: float(found[part].mean()) for part in PARTS}
                for seed, found in zip(by_seed, precisions, strict=True)
            ],
        }
        for part in PARTS:
            entry[part] = interval(np.stack([found[part] for found in precisions]))
        recipes.append(entry)
    untrained = first.get("untrained")
    return {
        "format_version": 1,
        "data": Path(first["data"]).name,
        "images": first["images"],
        "classes": first["classes"],
        "seeds": sorted({seed for by_seed in runs.values() for seed in by_seed}),
        "settings": [_without_folder(setting) for setting in settings],
        "untrained": untrained
        and {part: untrained["retrieval"][part][f"map@{RANK}"] for part in PARTS},
        "recipes": recipes,
    }


def _without_folder(setting: str) -> str:
    """A setting as others read it: a file by its name, not by where it lay."""
    name, _, value = setting.partition("=")
    return f"{name}={Path(value).name}" if "/" in value else setting


def query_precisions(folder: Path) -> dict[str, np.ndarray]:
    """part -> (Q,) average precision at 100 of each of its queries, in the solution's order."""
    truth = metrics.read_retrieval_solution(
        folder / "records" / "metadata" / "retrieval_solution_v2.1.csv"
    )
    found = metrics.read_retrieval_predictions(folder / "predictions" / "retrieval.csv", truth)
    return {
        part: metrics.average_precisions(
            metrics.find_hits(getattr(found, part), getattr(truth, part), RANK)
        )
        for part in PARTS
    }


def interval(precisions: np.ndarray, draws: int = DRAWS) -> dict[str, float | int]:
    """The mean over seeds and queries, and the 95 % interval of a bootstrap over both.

    Args:
        precisions: (S, Q) average precision of each seed and query.
        draws: how often seeds and queries are drawn anew.

    Returns:
        {"mean", "low", "high", "queries"}.
    """
    seeds, queries = precisions.shape
    random = np.random.default_rng(0)
    means = np.empty(draws)
    for draw in range(draws):
        rows = random.integers(0, seeds, seeds)
        columns = random.integers(0, queries, queries)
        means[draw] = precisions[np.ix_(rows, columns)].mean()
    low, high = np.quantile(means, [0.025, 0.975])
    mean = float(precisions.mean())
    return {"mean": mean, "low": float(low), "high": float(high), "queries": queries}


def _losses(folder: Path) -> list[list[float]]:
    """[[step, loss], ...] of metrics.jsonl."""
    lines = (folder / "training" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [[line["step"], line["loss"]] for line in map(json.loads, lines)]


def markdown(report: dict) -> str:
    """The table, and what its numbers are about."""
    queries = [report["recipes"][0][part]["queries"] for part in PARTS]
    settings = f" Replaced: {', '.join(report['settings'])}." if report["settings"] else ""
    lines = [
        f"{report['images']['train']:,} training pictures of {report['classes']} landmarks, index "
        f"of {report['images']['index']:,}, {queries[0]} public and {queries[1]} private queries; "
        f"train seeds {', '.join(map(str, report['seeds']))}.{settings} Not GLDv2: not comparable "
        f"with published numbers.",
        "",
        "| recipe | mAP@100 public (95 %) | private (95 %) | seeds, public | seeds, private |",
        "|---|---|---|---|---|",
    ]
    if report["untrained"]:
        frozen = " | ".join(f"{report['untrained'][part]:.3f}" for part in PARTS)
        lines.append(f"| before fine-tuning | {frozen} |  |  |")
    for entry in report["recipes"]:
        ranges = [
            f"**{entry[part]['mean']:.3f}** ({entry[part]['low']:.3f}-{entry[part]['high']:.3f})"
            for part in PARTS
        ]
        seeds = [", ".join(f"{run[part]:.3f}" for run in entry["runs"]) for part in PARTS]
        lines.append(f"| `{entry['name']}` | {' | '.join(ranges + seeds)} |")
    return "\n".join(lines)


def draw(report: dict, path: Path) -> None:
    """mAP of each recipe with its interval and seeds, and the training losses below."""
    from landmarks_tf.plots.style import COLOURS, drawing, new_figure

    entries = report["recipes"]
    columns = 3
    rows = -(-len(entries) // columns)
    with drawing():
        figure = new_figure(9.0, 1.2 + 0.42 * len(entries) + 2.0 * rows)
        grid = figure.add_gridspec(
            rows + 1, columns, height_ratios=[0.9 + 0.42 * len(entries), *[2.0] * rows]
        )
        axes = figure.add_subplot(grid[0, :])
        for side, part in enumerate(PARTS):
            for place, entry in enumerate(entries):
                y, found = place + 0.22 * (side - 0.5), entry[part]
                colour = COLOURS[side]
                axes.plot([found["low"], found["high"]], [y, y], color=colour, linewidth=2.2)
                axes.plot(found["mean"], y, "o", color=colour, label=part if not place else None)
                each = [run[part] for run in entry["runs"]]
                axes.plot(each, [y] * len(each), "|", color=colour, markersize=9, alpha=0.7)
            if report["untrained"]:
                axes.axvline(report["untrained"][part], color=COLOURS[side], linestyle=":")
        axes.set_yticks(range(len(entries)), [_short(entry["name"]) for entry in entries])
        axes.invert_yaxis()
        axes.set_xlabel("mAP@100: mean and 95 % interval, ticks: seeds, dotted: before fine-tuning")
        # Above the axes: wherever it stood inside, there could be an interval or a dotted line.
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(PARTS))
        for place, entry in enumerate(entries):
            small = figure.add_subplot(grid[1 + place // columns, place % columns])
            for number, points in enumerate(entry["curves"].values()):
                small.plot(*zip(*points, strict=True), color=COLOURS[number % len(COLOURS)])
            small.set_title(_short(entry["name"]), loc="left", fontsize=9)
            small.set_xlabel("step")
            small.set_ylabel("training loss")
        figure.savefig(path, dpi=120)


def _short(name: str) -> str:
    return name.removeprefix("mobilenet_v2_").replace("_", " ")
