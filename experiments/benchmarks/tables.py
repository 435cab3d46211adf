"""What was measured, as a table for people and a sentence for each network."""

from __future__ import annotations

from experiments.benchmarks.worker import MODES

MAY_BE_SLOWER = 0.05  # than the twin

_HEADINGS = (
    "network", "parameters, M", "multiply-adds, G", "inference, images/s", "training, images/s",
    "memory, MiB: inference", "training",
)  # fmt: skip


def markdown(report: dict) -> str:
    """The whole report: where it was measured, the table, the verdicts."""
    lines = [heading(report["setting"], report["environment"]), "", *_table(report["networks"]), ""]
    lines += [f"- {entry['name']}: {entry['verdict']}" for entry in report["networks"]]
    lines += ["", _notes(report["networks"])]
    return "\n".join(lines)


def heading(setting: dict, environment: dict | None) -> str:
    """One line: the device, the framework and the sizes."""
    sizes = (
        f"batch {setting['batch_size']} of {setting['image_size']} px, {setting['precision']}, "
        f"medians of {setting['repeats']} rounds"
    )
    if environment is None:
        return sizes
    device = environment["device"]
    counted = "cores" if device["kind"] == "cpu" else "devices"
    return (
        f"{device['name']} ({device['count']} {counted}), {environment['backend']} "
        f"{environment['backend_version']} {'with' if environment['xla'] else 'without'} XLA, "
        f"Keras {environment['keras_version']}, {sizes}"
    )


def verdict(entry: dict) -> str:
    """Whether a network keeps up with its twin: a sentence without its name."""
    if "error" in entry:
        return f"not measured: {entry['error']}"
    if entry["twin_missing"]:
        return f"its twin could not be measured: {entry['twin_missing']}"
    if entry["twin"] is None:
        return "no network of keras.applications is like it"
    slow = [
        f"{mode} slower by {100 * (1 - ratio['median']):.1f} % "
        f"(quartiles {100 * (1 - ratio['high']):.1f} to {100 * (1 - ratio['low']):.1f} %)"
        for mode in MODES
        if (ratio := entry["ratio"][mode])["median"] < 1 - MAY_BE_SLOWER
    ]
    more = entry["multiply_adds"] / entry["twin"]["multiply_adds"] - 1
    work = f"; it computes {100 * more:.1f} % more" if more > 0.001 else ""
    if slow:
        return f"{' and '.join(slow)} than {entry['twin']['name']}{work}"
    return f"within {100 * MAY_BE_SLOWER:.0f} % of {entry['twin']['name']}{work}"


def _table(entries: list[dict]) -> list[str]:
    columns = (*_HEADINGS, "speed over twin's: inference", "training")
    lines = ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1)]
    for entry in entries:
        if "error" in entry:
            continue
        ratios = [_ratio(entry["ratio"][mode]) if entry["ratio"] else "" for mode in MODES]
        lines.append(_row(entry, *ratios))
        if entry["twin"]:
            lines.append(_row(entry["twin"], "", ""))
    return lines


def _row(measured: dict, *ratios: str) -> str:
    cells = [
        measured["name"],
        f"{measured['parameters'] / 1e6:.2f}",
        f"{measured['multiply_adds'] / 1e9:.3f}",
        *(f"{measured[mode]['images_per_s']:.1f}" for mode in MODES),
        *(f"{measured['memory'][f'{mode}_mib']:,.0f}" for mode in MODES),
        *ratios,
    ]
    return "| " + " | ".join(cells) + " |"


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.3f} ({ratio['low']:.3f}-{ratio['high']:.3f})"


def _notes(entries: list[dict]) -> str:
    counted = {entry["memory"]["counted"] for entry in entries if "error" not in entry}
    memory = {
        "process": "what the process held at most, less what it held with the framework loaded",
        "device": "what the device's allocator gave out at most",
    }
    lines = [
        "All counts are of the trunk, without a classifier; multiply-adds are those of its "
        "convolutions and dense layers for one picture (twice as many FLOPs). Inference ends with "
        "the mean of the last map; training is forward, backward and a step of SGD with momentum "
        "under a classifier of 1000. Ratios are medians of the rounds' (and their quartiles).",
        *(f"Memory: {memory[kind]}; tracing and compiling included." for kind in sorted(counted)),
    ]
    return "\n".join(lines)
