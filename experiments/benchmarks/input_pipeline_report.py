"""What was measured of the input pipelines, as tables for people."""

from __future__ import annotations

import statistics

START_TARGET_S, MEMORY_TARGET_MIB = 5.0, 2048.0
TARGETS = {"p_x_k": 0.9, "p_x_k_s1": 0.75, "p_x_k_scaled": 0.9, "p_x_k_scaled_s1": 0.75}


def markdown(report: dict) -> str:
    """Where it was measured, the pipelines, the start."""
    setting, device = report["setting"], report["environment"]["device"]
    lines = [
        f"{device['name']} ({device['count']} cores), TensorFlow "
        f"{report['environment']['tensorflow']['decoding']}; {setting['pictures']:,} JPEGs of "
        f"{setting['longer_side']} px and {setting['mean_bytes'] / 1000:.0f} kB on average, in the "
        f"page cache; batches of {setting['batch_size']}, medians of {setting['repeats']} rounds "
        f"of {setting['batches']} batches",
        "",
        "| pipeline | px | images/s | of bare decoding | target | processor ms an image | "
        "of bare decoding |",
        "|---|---:|---:|---:|---:|---:|---:|",
        *(_row(one) for one in report["pipelines"]),
    ]
    if report["missing"]:
        lines += ["", f"Left out: {report['missing']}."]
    if report["start"]:
        lines += ["", _start(report["start"])]
    return "\n".join(lines)


def _row(one: dict) -> str:
    seconds = {clock: statistics.median(values) for clock, values in one["seconds"].items()}
    target = TARGETS.get(one["name"])
    cells = [
        one["title"],
        str(one["image_size"]),
        f"{1 / seconds['wall']:,.0f}",
        _ratio(one["ratio"]["wall"]),
        "" if target is None else f"{target}",
        f"{1000 * seconds['processor']:.2f}",
        _ratio(one["ratio"]["processor"]),
    ]
    return "| " + " | ".join(cells) + " |"


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


def _start(start: dict) -> str:
    return (
        f"A made-up index of {start['rows']:,} rows and {start['classes']:,} classes: opened and "
        f"checked in {start['open_s']:.2f} s, planned in {start['plan_s']:.2f} s, the first batch "
        f"of {start['batch_size']} after another {start['first_batch_s']:.2f} s: "
        f"{start['start_s']:.2f} s in all (target: {START_TARGET_S:g} s), after "
        f"{start['import_s']:.1f} s of importing TensorFlow and Keras. Step {start['far_step']:,} "
        f"is read from a new pipeline in {start['far_batch_s']:.2f} s. Planning a step takes "
        f"{1000 * start['plan_a_step_s']:.2f} ms. The process held {start['memory_mib']:,.0f} MiB "
        f"at most (target: {MEMORY_TARGET_MIB:,.0f} MiB), of which "
        f"{start['memory_of_frameworks_mib']:,.0f} MiB after importing the frameworks."
    )
