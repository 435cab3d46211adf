"""What the search benchmark measured: frontiers, targets, what to pick when, and the tables.

Everything said here is read from the numbers; nothing is known beforehand.
"""

from __future__ import annotations

from experiments.benchmarks.retrieval_subjects import EXHAUSTIVE, LARGE_FROM, TITLES, wanted_recall

# Times exact search's speed, wanted of ScaNN as set up by us, on all cores.
_TIMES, _LARGE_TIMES = 8.0, 20.0
_RIVALS = ("hnswlib", "faiss_hnsw", "faiss_ivfpq")
_USABLE = 0.9  # recall below which nobody would use a search for k neighbours
_RECALLS = (0.90, 0.95, 0.98, 0.99)
_MIB, _QUERIES_OF_GLDV2 = 2**20, 117_577


def frontier(points: list[dict], cores: str = "all") -> list[dict]:
    """The points that no other of them beats in both recall@k and speed, by rising recall."""
    measured = [p for p in points if p["recall"] and p["queries_per_s"][cores]]
    kept: list[dict] = []
    for point in sorted(measured, key=lambda p: (-recall(p), -p["queries_per_s"][cores])):
        if not kept or point["queries_per_s"][cores] > kept[-1]["queries_per_s"][cores]:
            kept.append(point)
    return kept[::-1]


def recall(point: dict) -> float:
    """recall@k, k being the most neighbours that were asked for."""
    return point["recall"][max(point["recall"], key=int)]


def fastest(points: list[dict], least: float, cores: str = "all") -> dict | None:
    """The fastest point with at least that recall@k."""
    able = [p for p in frontier(points, cores) if recall(p) >= least]
    return max(able, key=lambda p: p["queries_per_s"][cores], default=None)


def conclusions(report: dict) -> dict:
    """{"targets": [{"text", "met"}], "choice": [sentences]}."""
    subjects = {one["name"]: one for one in report["subjects"]}
    return {
        "targets": [*_speed_target(report, subjects), *_rival_targets(subjects)],
        "choice": _choice(report, subjects),
    }


def _speed_target(report: dict, subjects: dict) -> list[dict]:
    exact = _speed(subjects.get("exact"))
    ours = [point for one in _scanns(subjects) for point in one["points"] if point["recall"]]
    if not exact or not ours:
        return []
    rows = report["data"]["rows"]
    wanted, times = wanted_recall(rows), _LARGE_TIMES if rows >= LARGE_FROM else _TIMES
    chosen = next((p for p in subjects.get("scann", {"points": ()})["points"] if p["chosen"]), None)
    best = fastest(ours, wanted)
    parts, met = [], False
    if chosen and chosen["recall"]:
        ratio = chosen["queries_per_s"]["all"] / exact
        met = recall(chosen) >= wanted and ratio >= times
        used = _processor_ratio(subjects, chosen)
        parts.append(
            f"as our rule sets it up recall {recall(chosen):.4f} at {ratio:.1f} times "
            f"({used:.1f} by processor time)"
        )
    if best:
        parts.append(
            f"its fastest point of recall {wanted:g} and more: {recall(best):.4f} at "
            f"{best['queries_per_s']['all'] / exact:.1f} times "
            f"({_processor_ratio(subjects, best):.1f}; {_words(best['point'])})"
        )
    else:
        parts.append(f"no point reaches recall {wanted:g}")
    text = f"ScaNN with recall {wanted:g} at {times:g} times exact search's speed: "
    return [{"text": text + "; ".join(parts), "met": bool(met)}]


def _processor_ratio(subjects: dict, point: dict) -> float:
    """As the ratio of speeds would be on a machine with nothing else to do."""
    return subjects["exact"]["points"][0]["cpu_ms_per_query"] / point["cpu_ms_per_query"]


def _rival_targets(subjects: dict) -> list[dict]:
    """ScaNN's speed over each rival's, at the recall of each usable point of its frontier: the
    fastest of ScaNN's with at least that recall, nothing interpolated. Of no use is what finds
    too little, and what is slower than exact search."""
    exact = _speed(subjects.get("exact")) or 0.0
    ours = [point for one in _scanns(subjects) for point in one["points"]]
    found = []
    for name in _RIVALS:
        theirs = frontier(subjects.get(name, {"points": []})["points"])
        theirs = [
            point
            for point in theirs
            if recall(point) >= _USABLE and point["queries_per_s"]["all"] > exact
        ]
        if not theirs or not frontier(ours):
            continue
        pairs = [(point, fastest(ours, recall(point))) for point in theirs]
        ratios = [
            mine["queries_per_s"]["all"] / point["queries_per_s"]["all"] if mine else 0.0
            for point, mine in pairs
        ]
        said = ", ".join(
            f"{ratio:.2f} at {recall(point):.3f}" if ratio else f"none at {recall(point):.4f}"
            for ratio, (point, _) in zip(ratios, pairs, strict=True)
        )
        text = (
            f"ScaNN at least as fast as {TITLES[name]} at equal recall, where that is faster than "
            f"exact search: times its speed {said}"
        )
        found.append({"text": text, "met": min(ratios) >= 1})
    return found


def _choice(report: dict, subjects: dict) -> list[str]:
    k = report["setting"]["k"]
    lines = [*_exact_choice(subjects)]
    able = [one for one in report["subjects"] if one["name"] not in EXHAUSTIVE]
    for least in _RECALLS:
        words = []
        for cores, where in (("all", "on all cores"), ("one", "on one")):
            reached = [(one, fastest(one["points"], least, cores)) for one in able]
            reached = [(one, point) for one, point in reached if point]
            if reached:
                one, point = max(reached, key=lambda pair: pair[1]["queries_per_s"][cores])
                words.append(
                    f"{one['title']} {where} ({point['queries_per_s'][cores]:,.0f} queries/s, "
                    f"{_words(point['point'])})"
                )
        said = ", ".join(words) if words else "nothing but exact search reached it"
        lines.append(f"Fastest with recall@{k} of {least:g}: {said}.")
    lines += _cheapest(k, able)
    return lines


def _exact_choice(subjects: dict) -> list[str]:
    exact = _speed(subjects.get("exact"))
    if not exact:
        return []
    minutes = _QUERIES_OF_GLDV2 / exact / 60
    lines = [
        "For numbers that are reported: ExactIndex, whose recall is 1 and which needs no building; "
        f"{exact:,.0f} queries/s, {minutes:,.1f} minutes for GLDv2's {_QUERIES_OF_GLDV2:,} queries."
    ]
    scann = subjects.get("scann")
    chosen = next((p for p in scann["points"] if p["chosen"]), None) if scann else None
    if chosen and scann["build"] and chosen["queries_per_s"]["all"] > exact:
        saved = 1 / exact - 1 / chosen["queries_per_s"]["all"]
        lines.append(
            "Building ScaNN by our rule pays from "
            f"{scann['build']['seconds'] / saved:,.0f} queries on; for fewer exact search is done "
            "sooner."
        )
    return lines


def _cheapest(k: int, able: list[dict]) -> list[str]:
    """Who holds least, builds soonest and is smallest, of those that reach a usable recall."""
    least = 0.95
    reach = [one for one in able if one["build"] and fastest(one["points"], least)]
    lines = []
    for what, value, unit in (
        ("Least memory while searching", lambda one: one["search_peak_mib"], "MiB"),
        ("Least memory while building", lambda one: one["build"]["peak_mib"], "MiB"),
        ("Built soonest", lambda one: one["build"]["seconds"], "s"),
        ("Smallest on disk", lambda one: one["build"]["bytes"] / _MIB, "MiB"),
    ):
        if reach:
            one = min(reach, key=value)
            lines.append(
                f"{what}, of those that reach recall@{k} {least:g}: {one['title']} "
                f"({value(one):,.0f} {unit})."
            )
    return lines


def _scanns(subjects: dict) -> list[dict]:
    return [one for name, one in subjects.items() if name.startswith("scann")]


def _speed(subject: dict | None) -> float | None:
    points = subject["points"] if subject else []
    return points[0]["queries_per_s"]["all"] if points else None


def _words(point: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in point.items()) or "as it is"


def markdown(report: dict) -> str:
    """The whole report: protocol, subjects, points, targets, what to pick when."""
    k = report["setting"]["k"]
    lines = [
        _protocol(report), "", *_subject_table(report), "", *_point_table(report, k), "",
        *(f"- {'met' if one['met'] else '**missed**'}: {one['text']}" for one in report["targets"]),
        "", "What to pick when, by the numbers above:", "",
        *(f"- {line}" for line in report["choice"]),
    ]  # fmt: skip
    notes = [f"- {TITLES[name]}: not measured; {why}" for name, why in report["left_out"].items()]
    notes += [f"- {one['title']}: {one['failed']}" for one in report["subjects"] if one["failed"]]
    return "\n".join([*lines, *(["", *notes] if notes else [])])


def _protocol(report: dict) -> str:
    data, setting, machine = report["data"], report["setting"], report["machine"]
    return (
        f"Data: {data['name']}: {data['rows']:,} rows of {data['dim']}, {data['queries']:,} "
        f"queries that are not in the index, {setting['k']} neighbours. Machine: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']:.0f} GiB. Subjects have processes of "
        f"their own, by turns, {setting['rounds']} a subject; speeds are medians, queries in one "
        f"batch, on one core at most {setting['queries_one_core']:,} of them. recall@r: of the r "
        "nearest rows, how many stand among the first r found (rows of equal score count). Memory: "
        "the most that a subject's processes held, the vectors among it; ScaNN's building includes "
        "its self-check. At most "
        f"{setting['budget_s']:g} s and {setting['memory_gib']:g} GiB a subject."
    )


def _subject_table(report: dict) -> list[str]:
    lines = [
        "| subject | version | built with | build, s | processor, s | memory building, MiB "
        "| searching, MiB | on disk, MiB |",
        "|---|---|---|---:|---:|---:|---:|---:|",
    ]
    for one in report["subjects"]:
        build = one["build"]
        if not build:
            continue
        cells = [one["title"], one["version"], _built_with(build["parameters"])]
        cells += [f"{build[key]:,.1f}" for key in ("seconds", "cpu_seconds")]
        cells += [f"{build['peak_mib']:,.0f}"]
        cells += [f"{one['search_peak_mib']:,.0f}" if one["search_peak_mib"] else ""]
        lines.append("| " + " | ".join([*cells, f"{build['bytes'] / _MIB:,.0f}"]) + " |")
    return lines


def _built_with(parameters: dict) -> str:
    unsaid = ("num_neighbors", "reorder", "leaves_to_search")
    return _words({n: v for n, v in parameters.items() if n not in unsaid and v})


def _point_table(report: dict, k: int) -> list[str]:
    ranks = [str(rank) for rank in sorted({1, 10, 100, k}) if rank <= k]
    heads = [f"recall@{rank}" for rank in ranks]
    lines = [
        f"| subject | search | {' | '.join(heads)} | queries/s, all cores | one core "
        "| processor, ms a query | over exact |",
        "|---|---|" + "---:|" * (len(ranks) + 4),
    ]
    exact = _speed(next((one for one in report["subjects"] if one["name"] == "exact"), None))
    for one in report["subjects"]:
        best = {id(point) for point in frontier(one["points"])}
        for point in one["points"]:
            if point["recall"] and id(point) not in best and not point["chosen"]:
                continue  # another of its points is better in both
            speed = point["queries_per_s"]
            cells = [
                one["title"],
                _words(point["point"]) + (" (chosen)" if point["chosen"] else ""),
            ]
            cells += [f"{point['recall'][r]:.4f}" if point["recall"] else "" for r in ranks]
            cells += [f"{speed['all']:,.0f}", f"{speed['one']:,.0f}" if speed["one"] else ""]
            cells += [f"{point['cpu_ms_per_query']:.3f}"]
            cells += [f"{speed['all'] / exact:.1f}" if exact else ""]
            lines.append("| " + " | ".join(cells) + " |")
    return lines
