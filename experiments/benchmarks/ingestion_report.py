"""What the benchmark of the ingestion measured, as a table and a sentence for each target."""

from __future__ import annotations

import statistics

_MB = 1e6
TARGETS = {"floor": 0.8, "delf": 5.0}
_WHAT = {
    "floor": "(a) read and SHA-256, all cores",
    "copy": "the same, and the bytes written once",
    "decode": "(a) and a full decode by Pillow, all cores",
    "delf": "(b) DELF's algorithm, one process",
    "tfds": "(c) TensorFlow Datasets' writer",
    "convert": "`convert`: every picture proven to decode",
    "convert, trusting": "`convert --no-verify-pixels`",
}


def speed_ratio(ours: dict, other: dict) -> dict[str, float]:
    """Images a second of ours for one of the other's, round by round.

    Args:
        ours, other: {"images", "seconds": [one a round]}.

    Returns:
        {"median", "low", "high"}: of the rounds' ratios; low and high are their quartiles.
    """
    ratios = [
        (ours["images"] / mine) / (other["images"] / theirs)
        for mine, theirs in zip(ours["seconds"], other["seconds"], strict=True)
    ]
    if len(ratios) == 1:
        return {"median": ratios[0], "low": ratios[0], "high": ratios[0]}
    low, median, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high}


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
        "| what | images | images/s | MB/s | over (a) | over (b) |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    subjects = report["subjects"]
    for name, entry in subjects.items():
        seconds = statistics.median(entry["seconds"])
        ratios = [_cell(speed_ratio(entry, subjects[other])) for other in ("floor", "delf")]
        lines.append(
            f"| {_WHAT[name]} | {entry['images']:,} | {entry['images'] / seconds:,.0f} "
            f"| {entry['bytes'] / seconds / _MB:,.0f} | {' | '.join(ratios)} |"
        )
    return "\n".join([*lines, "", *_verdicts(report["ratios"])])


def _verdicts(ratios: dict) -> list[str]:
    lines = []
    for ours, by_name in ratios.items():
        for name, target in TARGETS.items():
            median = by_name[name]["median"]
            word = "met" if median >= target else "missed"
            lines.append(
                f"- {_WHAT[ours]}: {median:.2f} of {_WHAT[name]}; "
                f"the target of {target:g} is {word}"
            )
    return lines


def _cell(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"
