"""What the benchmark of the ingestion measured, as a table and a sentence for each target."""

from __future__ import annotations

import statistics

from experiments.benchmarks import ratios

_MB = 1e6
TARGETS = {"floor": 0.8, "md5": 0.8, "delf": 5.0}
_WHAT = {
    "floor": "(a) read and SHA-256, all cores",
    "md5": "(a) with MD5, GLDv2's own checksum",
    "copy": "(a) and the bytes written once",
    "decode": "(a) and a full decode by Pillow, all cores",
    "delf": "(b) DELF's algorithm, one process",
    "tfds": "(c) TensorFlow Datasets' writer",
    "convert": "`convert`: every picture proven to decode",
    "convert, checked": "`convert --checked`: proven by `check` before",
    "convert, trusting": "`convert --no-verify-pixels`",
}


def speed_ratio(ours: dict, other: dict) -> dict[str, float]:
    """Images a second of ours for one of the other's, round by round.

    Args:
        ours, other: {"images", "seconds": [one a round]}.

    Returns:
        {"median", "low", "high"}: of the rounds' ratios; low and high are their quartiles.
    """
    return ratios.speed_ratio(
        *([seconds / one["images"] for seconds in one["seconds"]] for one in (ours, other))
    )


def processor_ratio(ours: dict, other: dict, other_cores: float) -> float:
    """As `speed_ratio` would be on a machine with nothing else to do, if nothing but processors
    were the bound: from the processor time an image.

    Args:
        ours: what runs on all cores.
        other: {"images", "cpu_seconds": [one a round]}, as is `ours`.
        other_cores: all cores over those that the other uses: 1, or their number for one process.
    """
    cost = [statistics.median(entry["cpu_seconds"]) / entry["images"] for entry in (ours, other)]
    return other_cores * cost[1] / cost[0]


def markdown(report: dict) -> str:
    """The whole report."""
    corpus, machine = report["corpus"], report["machine"]
    lines = [
        f"{machine['cpu']} ({machine['cores']} cores), medians of {report['repeats']} rounds by "
        f"turns; {corpus['names']:,} images ({corpus['files']:,} different files, "
        f"{corpus['pictures']}), {corpus['bytes'] / corpus['names'] / 1000:.0f} kB on average, "
        "from a warm page cache. `convert` is timed as a command, from its start to its end; of "
        "the others the work alone.",
        "",
        "| what | images | images/s | MB/s | over (a) | over (b) | processor, ms an image |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    subjects = report["subjects"]
    for name, entry in subjects.items():
        seconds = statistics.median(entry["seconds"])
        cells = [_cell(speed_ratio(entry, subjects[other])) for other in ("floor", "delf")]
        lines.append(
            f"| {_WHAT[name]} | {entry['images']:,} | {entry['images'] / seconds:,.0f} "
            f"| {entry['bytes'] / seconds / _MB:,.0f} | {' | '.join(cells)} "
            f"| {1000 * statistics.median(entry['cpu_seconds']) / entry['images']:.3f} |"
        )
    return "\n".join([*lines, "", *_verdicts(report)])


def _verdicts(report: dict) -> list[str]:
    lines, subjects = [], report["subjects"]
    for ours, by_name in report["ratios"].items():
        for name, target in TARGETS.items():
            median = by_name[name]["median"]
            cores = report["machine"]["cores"] if name == "delf" else 1
            undisturbed = processor_ratio(subjects[ours], subjects[name], cores)
            word = "met" if median >= target else "missed"
            lines.append(
                f"- {_WHAT[ours]}: {median:.2f} of {_WHAT[name]} (by processor time "
                f"{undisturbed:.2f}); the target of {target:g} is {word}"
            )
        undisturbed = processor_ratio(subjects[ours], subjects["copy"], 1)
        lines.append(
            f"- {_WHAT[ours]}: {by_name['copy']['median']:.2f} of {_WHAT['copy']} (by processor "
            f"time {undisturbed:.2f}), which nothing that writes can pass"
        )
    return lines


def _cell(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"
