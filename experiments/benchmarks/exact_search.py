"""Measure exact search beside the bare float32 matrix product that it cannot avoid.

    python -m experiments.benchmarks.exact_search                    # 761,757 x 512, both counts
    python -m experiments.benchmarks.exact_search --rows 100000 --queries 1129 --repeats 5
    python -m experiments.benchmarks.exact_search --embeddings FILE.npz --out FOLDER

The product is `np.matmul` of blocks of 1,024 queries with blocks of 8,192 rows into one buffer, and
nothing else. Both are run by turns; a ratio is that of one round, and their median is told. Memory
is the most that the process held during a search less what it held before, which is the index.
`--embeddings` takes an .npz with "embeddings" or an .npy: rows of it, turned into `--dim` columns
by a random projection that keeps cosines, with a little noise so that none is there twice; without
it rows are random directions. `--out FOLDER` gets exact_search.md and exact_search.json:

    {"format_version": 1, "setting": {...}, "machine": {...}, "searches": [{"queries",
     "seconds": {"product": {"wall": [...], "processor": [...]}, "search": {...}},
     "ratio": {"wall": {"median", "low", "high"}, "processor": {...}}, "memory_mib", "index_mib"}]}

Exit codes: 0 done, 1 a measurement failed, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.benchmarks.ratios import speed_ratio
from experiments.command import MeasurementError, exit_code

QUERIES_PER_BLOCK, ROWS_PER_BLOCK = 1_024, 8_192
_NOISE = 0.1  # length of what is added to a row of unit length
_ROWS_MADE_AT_ONCE = 65_536


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, measure, and turn every user's mistake into a message and an exit code."""
    options = _parser().parse_args(arguments)
    try:
        counts = [int(text) for text in options.queries.split(",")]
    except ValueError as error:
        print(f"error: --queries takes whole numbers such as 1129,10000. {error}", file=sys.stderr)
        return 2
    numbers = {name: getattr(options, name) for name in ("rows", "dim", "k", "repeats")}
    for name, value in (numbers | {"queries": min(counts)}).items():
        if value < 1:
            print(f"error: --{name} is at least 1. Received: {value}.", file=sys.stderr)
            return 2
    if options.k > options.rows:
        print(
            f"error: --k is at most --rows ({options.rows}). Received: {options.k}.",
            file=sys.stderr,
        )
        return 2
    return exit_code(lambda: _dispatch(options, counts))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.exact_search",
        description="Measure exact search beside the bare float32 matrix product.",
        epilog="Threads of the product: OPENBLAS_NUM_THREADS (or your BLAS' own) before it.",
    )
    add = parser.add_argument
    add("--rows", metavar="N", type=int, default=761_757, help="default: 761757, GLDv2's index")
    add("--dim", metavar="D", type=int, default=512, help="default: 512")
    add("--queries", metavar="Q,Q", default="1129,10000", help="default: 1129,10000")
    add("--k", metavar="K", type=int, default=100, help="default: 100")
    add("--repeats", metavar="N", type=int, default=3, help="rounds by turns; default: 3")
    add("--embeddings", metavar="FILE", type=Path, help=".npz or .npy; default: random directions")
    add("--out", metavar="DIR", type=Path, help="write exact_search.md and exact_search.json there")
    add("--json", action="store_true", help="print JSON instead of the table")
    return parser


def _dispatch(options: argparse.Namespace, counts: list[int]) -> int:
    from experiments.workdir import write_json
    from landmarks_tf.retrieval.exact import ExactIndex

    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)  # before the work, not after it
    source = read_embeddings(options.embeddings) if options.embeddings else None
    print("making the rows", file=sys.stderr, flush=True)
    # Queries come from the same place as the rows, and are none of them.
    index = ExactIndex(make_rows(options.rows, options.dim, source, seed=0))
    queries = make_rows(max(counts), options.dim, source, seed=1)
    report = {
        "format_version": 1,
        "setting": {
            "rows": options.rows,
            "dim": options.dim,
            "k": options.k,
            "repeats": options.repeats,
            "embeddings": options.embeddings.name if options.embeddings else None,
        },
        "machine": machine(),
        "searches": [],
    }
    for count in counts:
        print(f"{count:,} queries", file=sys.stderr, flush=True)
        report["searches"].append(measure(index, queries[:count], options.k, options.repeats))
    text = markdown(report)
    if options.out is not None:
        (options.out / "exact_search.md").write_text(text + "\n", encoding="utf-8")
        write_json(options.out / "exact_search.json", report)
    print(json.dumps(report) if options.json else text)
    return 0


def read_embeddings(path: Path) -> np.ndarray:
    """(N, D) float32 unit rows of an .npy, or of "embeddings" in an .npz.

    Raises:
        ValueError: it holds no matrix, or a row of no length.
        OSError: it cannot be read.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        rows = loaded if isinstance(loaded, np.ndarray) else loaded["embeddings"]
    except (KeyError, EOFError, ValueError) as error:
        raise ValueError(
            f"{path} must be an .npy of embeddings or an .npz that has them under "
            f'"embeddings": {error}'
        ) from None
    if rows.ndim != 2 or rows.dtype.kind != "f":
        raise ValueError(
            f"{path} must hold floats of shape (rows, dimension), received {rows.dtype} "
            f"{rows.shape}"
        )
    rows = rows.astype(np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > 0)).all():
        raise ValueError(f"{path} has a row that holds NaN or has no length")
    return rows / lengths


def make_rows(count: int, dim: int, source: np.ndarray | None, *, seed: int) -> np.ndarray:
    """(count, dim) float32 unit rows.

    Args:
        count, dim: shape.
        source: (N, D) unit rows that they are drawn from; None for random directions.
        seed: of the draw; the projection is the same for all.
    """
    random = np.random.default_rng(seed)
    rows = np.empty((count, dim), np.float32)
    if source is not None:
        projection = np.random.default_rng(12345).standard_normal(
            (source.shape[1], dim), dtype=np.float32
        ) / np.sqrt(dim)
    for start in range(0, count, _ROWS_MADE_AT_ONCE):
        part = rows[start : start + _ROWS_MADE_AT_ONCE]
        random.standard_normal(out=part, dtype=np.float32)
        if source is not None:
            part *= _NOISE / np.sqrt(dim)
            part += source[random.integers(0, len(source), len(part))] @ projection
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def measure(index, queries: np.ndarray, k: int, repeats: int) -> dict:
    """One number of queries: the entry of the report."""
    before = _start_peak()
    index.search(queries, k)
    memory = _status_mib("VmHWM") - before
    product = Product(queries, index.embeddings)
    product()
    subjects = {"product": product, "search": lambda: index.search(queries, k)}
    seconds = by_turns(subjects, repeats)
    ratios = {
        clock: speed_ratio(seconds["product"][clock], seconds["search"][clock])
        for clock in ("wall", "processor")
    }
    return {
        "queries": len(queries),
        "seconds": seconds,
        "ratio": ratios,
        "memory_mib": memory,
        "index_mib": index.embeddings.nbytes / 2**20,
    }


class Product:
    """The products that a search cannot avoid, and nothing else; call it to make them."""

    def __init__(self, queries: np.ndarray, embeddings: np.ndarray):
        self._queries, self._embeddings = queries, embeddings
        self.buffer = np.zeros(
            (min(QUERIES_PER_BLOCK, len(queries)), min(ROWS_PER_BLOCK, len(embeddings))),
            np.float32,
        )

    def __call__(self) -> None:
        for first in range(0, len(self._queries), QUERIES_PER_BLOCK):
            part = self._queries[first : first + QUERIES_PER_BLOCK]
            for start in range(0, len(self._embeddings), ROWS_PER_BLOCK):
                rows = self._embeddings[start : start + ROWS_PER_BLOCK]
                np.matmul(part, rows.T, out=self.buffer[: len(part), : len(rows)])


def by_turns(subjects: dict[str, Callable[[], object]], repeats: int) -> dict[str, dict]:
    """Seconds of each, round by round: wall clock, and processor time over all threads."""
    seconds: dict[str, dict] = {name: {"wall": [], "processor": []} for name in subjects}
    for number in range(repeats):
        for name in subjects if number % 2 == 0 else reversed(subjects):
            wall, processor = time.perf_counter(), time.process_time()
            subjects[name]()
            seconds[name]["wall"].append(time.perf_counter() - wall)
            seconds[name]["processor"].append(time.process_time() - processor)
    return seconds


def machine() -> dict:
    """{"cores", "numpy", "blas"}: what decides how fast a product is."""
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "numpy": np.__version__,
        "blas": f"{blas['name']} {blas['version']}",
        "load": os.getloadavg()[0],
    }


def markdown(report: dict) -> str:
    """Where it was measured, and a table."""
    setting, where = report["setting"], report["machine"]
    rows = setting["embeddings"] or "random directions"
    lines = [
        f"{setting['rows']:,} x {setting['dim']} float32 ({rows}), k {setting['k']}, "
        f"{where['cores']} cores, load {where['load']:.1f} at the start, NumPy {where['numpy']}, "
        f"{where['blas']}, medians of {setting['repeats']} rounds (and their quartiles)",
        "",
        "| queries | product, s | search, s | times the product | the same in processor time | "
        "queries/s | memory beyond the index, MiB |",
        "|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in report["searches"]:
        product, search = (
            statistics.median(one["seconds"][name]["wall"]) for name in ("product", "search")
        )
        cells = [
            f"{one['queries']:,}",
            f"{product:.2f}",
            f"{search:.2f}",
            *(_ratio(one["ratio"][clock]) for clock in ("wall", "processor")),
            f"{one['queries'] / search:,.0f}",
            f"{one['memory_mib']:,.0f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _ratio(ratio: dict[str, float]) -> str:
    return f"{ratio['median']:.2f} ({ratio['low']:.2f}-{ratio['high']:.2f})"


def _start_peak() -> float:
    """MiB that the process holds now; from here on its peak counts anew."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError as error:
        raise MeasurementError(f"memory is measured on Linux alone: {error}") from None
    return _status_mib("VmRSS")


def _status_mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise MeasurementError(f"/proc/self/status has no {field}: memory is measured on Linux alone")


if __name__ == "__main__":
    sys.exit(main())
