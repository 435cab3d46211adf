"""One part of a search benchmark in a process of its own: building an index, or searching it.

    python -m experiments.benchmarks.retrieval_worker '{"do": "search", "subject": "hnswlib", ...}'

`experiments.benchmarks.retrieval_jobs` starts it. What it finds stands in the JSON file that it is
told, after each step anew, so that an abort costs one step. When its standard input ends, it and
all that it started end: whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_WARM_UP = 64  # queries
_MOST_ROUNDS = 20


def main() -> int:
    """Do what the argument says."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    told = json.loads(sys.argv[1])
    if told["cores"] == 1:
        # Before any library asks how many there are.
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        os.environ |= dict.fromkeys(_THREADS, "1")
    # ScaNN's searcher needs no TensorFlow; start-up takes half a second without it, not six.
    sys.modules["tensorflow"] = None
    work = {"build": build, "search": search}[told.pop("do")]
    work(**told)
    return 0


def _end_with_parent() -> None:
    while os.read(0, 1):  # not through sys.stdin, which Python locks when it ends
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def build(*, subject: str, shape: list[int], vectors: str, index: str, result: str, **_) -> None:
    """Builds and saves an index; writes {"seconds", "cpu_seconds", "bytes", "parameters",
    "version", "peak_mib"}."""
    from experiments.benchmarks.retrieval_subjects import find_subject, folder_bytes

    made = find_subject(subject)(*shape)
    started = time.perf_counter()
    parameters = made.build(Path(vectors), Path(index))
    found = {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": _cpu_seconds(),
        "bytes": folder_bytes(Path(index)),
        "parameters": parameters,
        "version": made.version(),
        "peak_mib": peak_mib(),
    }
    _write(Path(result), found | {"finished": True})


def search(
    *,
    subject: str,
    shape: list[int],
    queries: str,
    index: str,
    result: str,
    cores: int,
    seconds: float,
    most_queries: int,
    keep_rows: bool,
) -> None:
    """Times every point of a subject that is not in `result` yet.

    Writes {"points": [{"point", "seconds": [one a round], "cpu_seconds": [...], "queries",
    "rows": name of a .npy or null}], "load_seconds", "peak_mib"}.
    """
    import numpy as np

    from experiments.benchmarks.retrieval_subjects import find_subject

    path = Path(result)
    found = json.loads(path.read_text()) if path.is_file() else {"points": []}
    made = find_subject(subject)(*shape)
    asked = np.load(queries)[:most_queries]
    started = time.perf_counter()
    made.load(Path(index))
    found["load_seconds"] = time.perf_counter() - started
    for number, point in enumerate(made.points()):
        if any(one["point"] == point for one in found["points"]):
            continue
        rows, timed = _time(made, asked, point, seconds)
        name = f"{path.stem}-{number}.npy" if keep_rows and len(rows) else None
        if name:
            np.save(path.with_name(name), rows.astype(np.int32))
        found["points"].append({"point": point, "queries": len(asked), "rows": name} | timed)
        found["peak_mib"] = peak_mib()
        _write(path, found)
    _write(path, found | {"finished": True})


def _time(made, asked, point: dict, seconds: float):
    """The rows found, and {"seconds", "cpu_seconds"} of rounds that last about so long together,
    one at least."""
    made.search(asked[:_WARM_UP], point)
    wall, used = [], []
    while not wall or (sum(wall) + wall[-1] <= seconds and len(wall) < _MOST_ROUNDS):
        started, before = time.perf_counter(), time.process_time()
        rows = made.search(asked, point)
        wall.append(time.perf_counter() - started)
        used.append(time.process_time() - before)
    return rows, {"seconds": wall, "cpu_seconds": used}


def _cpu_seconds() -> float:
    """Of this process and of those that it has waited for, so far."""
    import resource

    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def peak_mib() -> float:
    """The most memory that this process, or one that it has waited for, held so far."""
    import resource

    own = 0.0
    for line in Path("/proc/self/status").read_text().splitlines():
        # Linux hands the parent's ru_maxrss on to a child; VmHWM is this program's own.
        if line.startswith("VmHWM:"):
            own = int(line.split()[1]) / 1024
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def _write(path: Path, value: dict) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(value), encoding="utf-8")
    partial.replace(path)


if __name__ == "__main__":
    sys.exit(main())
