"""The search benchmark as a picture: recall against queries a second, on all cores and on one."""

from __future__ import annotations

from experiments.benchmarks.retrieval_report import frontier, recall
from experiments.benchmarks.retrieval_subjects import EXHAUSTIVE, TITLES

_TICKS = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.001, 0.0001)  # 1 - recall
_LOWEST_RECALL = 0.5  # what finds less than half is no neighbour search


def draw(report: dict) -> bytes:
    """A PNG with a panel for all cores and one for a single core.

    Each line is a subject's frontier; a ring marks the setting that our rule chose. The axis of
    recall is stretched towards 1: it shows 1 - recall, on a logarithmic scale, turned round.
    """
    from landmarks_tf.plots.style import drawing, figure_png, new_figure

    k, data = report["setting"]["k"], report["data"]
    with drawing():
        figure = new_figure(11.0, 5.2)
        panels = figure.subplots(1, 2, sharex=True, sharey=True)
        cores = report["machine"]["cores"]
        for axes, key, title in zip(
            panels, ("all", "one"), (f"all {cores} cores", "one core"), strict=True
        ):
            _panel(axes, report["subjects"], key)
            axes.set_title(title, loc="left")
            axes.set_xlabel(f"recall@{k}")
        panels[0].set_ylabel("queries a second, one batch")
        figure.suptitle(f"{data['rows']:,} rows of {data['dim']}", fontsize=11, x=0.02, ha="left")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
        return figure_png(figure)


def _panel(axes, subjects: list[dict], cores: str) -> None:
    from landmarks_tf.plots.style import COLOURS, MARKERS

    names = [name for name in TITLES if name not in EXHAUSTIVE]
    misses = []
    for one in subjects:
        if one["name"] in EXHAUSTIVE:
            _level(axes, one, cores)
            continue
        place = names.index(one["name"])
        points = [p for p in frontier(one["points"], cores) if recall(p) >= _LOWEST_RECALL]
        if not points:
            continue
        missed = [max(1 - recall(p), 1e-4) for p in points]
        misses += missed
        style = {"color": COLOURS[place], "marker": MARKERS[place % len(MARKERS)]}
        speeds = [p["queries_per_s"][cores] for p in points]
        axes.plot(missed, speeds, **style, markersize=5, label=one["title"])
        for point, x, y in zip(points, missed, speeds, strict=True):
            if point["chosen"]:
                axes.plot(x, y, "o", markersize=12, fillstyle="none", color=COLOURS[place])
    axes.set_yscale("log")
    axes.set_xscale("log")
    # Both panels share the axis, and it is turned round once.
    axes.set_xlim(0.6, min([*misses, 0.01]) * 0.7)
    ticks = [t for t in _TICKS if t >= min([*misses, 0.01]) * 0.7]
    axes.set_xticks(ticks, [f"{1 - t:g}" for t in ticks], minor=False)
    axes.set_xticks([], minor=True)


def _level(axes, subject: dict, cores: str) -> None:
    """Exhaustive searches have one speed: a line across."""
    speeds = [p["queries_per_s"][cores] for p in subject["points"]]
    if speeds and speeds[0]:
        line = ":" if subject["name"] == "product" else "--"
        axes.axhline(speeds[0], color="#555555", linestyle=line, label=subject["title"])
