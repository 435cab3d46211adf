"""Search indexes from files of embeddings: `python -m experiments.index --help`.

    python -m experiments.index tune   --embeddings FILE --recall 0.99 --budget 120 --out tuned.json
    python -m experiments.index build  --embeddings FILE --out DIR [--parameters tuned.json]
    python -m experiments.index search --index DIR --queries FILE --out ranking.csv
    python -m experiments.index search ... --runner DirectRunner       # parts on Apache Beam
    python -m experiments.index add    --index DIR --embeddings FILE [--update]
    python -m experiments.index remove --index DIR --ids FILE

FILE is NAME.npy as a run leaves it (its ids are found beside it), any .npy of a matrix, or an .npz
with an array `embeddings`. Rows must have length 1, or `--normalize` makes them so. `--whitening`
(of `python -m experiments.whitening`) turns, stretches and cuts rows and queries alike; an index
remembers its own and refuses rows of another.

Exit codes: 0 done; 1 a file, a row or an id that does not fit, or ScaNN failed; 2 usage; 3 tuned,
but nothing reached the wanted recall; 130 after Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from experiments import beam_runner
from experiments.command import exit_code
from experiments.index_files import (
    QUERIES_AT_ONCE,
    neighbours_of,
    read_ids_file,
    read_rows,
    write_rankings,
)
from experiments.whitening import check_whitening, read_whitening, with_whitening

NOT_REACHED = 3


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # ScaNN may bring TensorFlow in
    options = _parser().parse_args(arguments)
    return exit_code(
        lambda: options.run(options), interrupted="interrupted; what is finished stays"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.index",
        description="Builds, tunes, searches and changes search indexes.",
    )
    tasks = parser.add_subparsers(metavar="TASK", required=True)
    task = _task(tasks, "build", _build, "an index from embeddings", "--embeddings")
    task.add_argument("--out", type=Path, required=True, metavar="DIR", help="the index")
    task.add_argument("--ids", type=Path, metavar="FILE", help="ids, one a line, or a .npy")
    task.add_argument("--fingerprint", metavar="TEXT", help="names what made the embeddings")
    kind = task.add_mutually_exclusive_group()
    kind.add_argument("--parameters", type=Path, metavar="JSON", help="as tune wrote them")
    kind.add_argument("--exact", action="store_true", help="no ScaNN: every row, always")
    task.add_argument("--parts", type=_count, metavar="N", help="in N parts, each on its own")
    task.add_argument("--only", type=_number, nargs="+", metavar="I", help="with --parts: these")
    _add_wish(task)
    task = _task(tasks, "tune", _tune, "the fastest parameters of a recall", "--embeddings")
    task.add_argument("--queries", type=Path, metavar="FILE", help="rows that are not among them")
    task.add_argument("--budget", type=float, default=120.0, metavar="SECONDS", help="(120)")
    task.add_argument("--out", type=Path, metavar="JSON", help="for build --parameters")
    _add_wish(task)
    task = _task(tasks, "search", _search, "rankings of queries as a CSV", "--queries")
    task.add_argument("--ids", type=Path, metavar="FILE", help="ids of the queries")
    task.add_argument("--index", type=Path, required=True, metavar="DIR")
    task.add_argument("--out", type=Path, required=True, metavar="CSV", help="id,images")
    task.add_argument("--fingerprint", metavar="TEXT", help="refuse an index of another")
    task.add_argument("--k", type=_count, default=100, help="neighbours (100)")
    beam_runner.add_options(task)
    task = _task(tasks, "add", _add, "rows to an index, found from then on", "--embeddings")
    task.add_argument("--ids", type=Path, metavar="FILE", help="ids, one a line, or a .npy")
    task.add_argument("--index", type=Path, required=True, metavar="DIR")
    task.add_argument("--fingerprint", metavar="TEXT", help="refuse an index of another")
    task.add_argument("--update", action="store_true", help="new rows for ids that are there")
    task = tasks.add_parser("remove", help="take ids out of an index")
    task.add_argument("--index", type=Path, required=True, metavar="DIR")
    task.add_argument("--ids", type=Path, required=True, metavar="FILE", help="one a line, or .npy")
    task.set_defaults(run=_remove)
    return parser


def _task(tasks, name: str, run, what: str, rows: str) -> argparse.ArgumentParser:
    task = tasks.add_parser(name, help=what)
    task.add_argument(rows, type=Path, required=True, metavar="FILE", help=".npy or .npz")
    task.add_argument("--normalize", action="store_true", help="make rows unit long")
    task.add_argument("--whitening", type=Path, metavar="FILE", help="of experiments.whitening")
    task.set_defaults(run=run)
    return task


def _add_wish(task: argparse.ArgumentParser) -> None:
    task.add_argument("--k", type=_count, default=100, help="neighbours wanted (100)")
    task.add_argument("--recall", type=_share, default=0.99, help="share of them (0.99)")


def _preparation(options: argparse.Namespace) -> dict:
    """What `read_rows` is told of how rows are prepared."""
    return {"normalize": options.normalize, "whitening": read_whitening(options.whitening)}


def _build(options: argparse.Namespace) -> int:
    from landmarks_tf.retrieval.exact_folder import save_exact
    from landmarks_tf.retrieval.scann_index import ScannIndex
    from landmarks_tf.retrieval.sharded_index import ShardedIndex
    from landmarks_tf.retrieval.tuning import read_tuned

    if options.only is not None and options.parts is None:
        raise ValueError("--only says which of --parts: give both")
    if options.parts is not None and options.parameters is not None:
        raise ValueError("--parameters are of one index, --parts make several: leave one out")
    how = _preparation(options)
    rows = read_rows(options.embeddings, options.ids, **how)
    fingerprint = rows.fingerprint if options.fingerprint is None else options.fingerprint
    made = {"fingerprint": with_whitening(fingerprint, how["whitening"])}
    wish = {"k": options.k, "recall": options.recall}
    if options.parts is not None:
        made |= {"parts": options.parts, "only": options.only, "progress": sys.stderr.isatty()}
        made["kind"] = "exact" if options.exact else "scann"
        ShardedIndex.build(rows.vectors, rows.ids, options.out, **wish, **made)
    elif options.exact:
        save_exact(rows.vectors, rows.ids, options.out, **made)
        print(f"exact index {options.out}: {len(rows.vectors)} rows")
    else:
        if options.parameters is not None:
            wish["parameters"] = read_tuned(options.parameters, *rows.vectors.shape)
        ScannIndex.build(rows.vectors, rows.ids, options.out, **wish, **made)
    return 0


def _tune(options: argparse.Namespace) -> int:
    from landmarks_tf.retrieval.tuning import tune

    how = _preparation(options)
    rows = read_rows(options.embeddings, **how).vectors
    queries = None
    if options.queries is not None:
        queries = read_rows(options.queries, **how).vectors
    found = tune(
        rows,
        queries=queries,
        k=options.k,
        recall=options.recall,
        budget_s=options.budget,
        progress=sys.stderr.isatty(),
    )
    print(table_of(found))
    if options.out is not None:
        found.save(options.out)
        print(f"python -m experiments.index build --parameters {options.out} ... builds the chosen")
    return 0 if found.reached else NOT_REACHED


def table_of(found) -> str:
    """A `Tuning` as a table: its frontier, what was chosen, and how far it came."""
    lines = [f"recall@{found.k}  queries/s  x exact  leaves  searched  re-ordered  settings"]
    for trial in found.frontier:
        p = trial.parameters
        mark = "  <- chosen" if trial == found.chosen else ""
        tree = (
            f"{p.num_leaves:>6}  {p.leaves_to_search:>8}" if p.num_leaves else f"{'-':>6}{'-':>10}"
        )
        ratio = trial.queries_per_s / found.exact_queries_per_s
        lines.append(
            f"{trial.recall:>10.4f}  {trial.queries_per_s:>9.0f}  {ratio:>7.1f}  {tree}  "
            f"{p.reorder or '-':>10}  {_settings(p)}{mark}"
        )
    how = "the whole grid" if found.finished else "the time was up before the grid was"
    if found.died:
        how = f"ScaNN's process {found.died}"
    lines.append(
        f"{found.num_rows} rows of {found.dim}; {len(found.trials)} settings in "
        f"{found.seconds:.0f} s ({how}); exact search: {found.exact_queries_per_s:.0f} queries/s"
    )
    if not found.reached:
        lines.append(
            f"nothing reached a recall of {found.wanted:g}: give it more time, or take less"
        )
    return "\n".join(lines)


def _settings(parameters) -> str:
    if parameters.method == "brute_force":
        return "brute force"
    words = [f"{parameters.dimensions_per_block} dimensions a code"]
    if parameters.projected_dim:
        words.append(f"of {parameters.projected_dim} projected")
    if parameters.soar_lambda:
        words.append(f"SOAR {parameters.soar_lambda:g}")
    return ", ".join(words)


def _search(options: argparse.Namespace) -> int:
    runner = beam_runner.runner_of(options)
    if runner is None:
        found = _searched_here(options)
    else:
        from experiments.index_beam import search_on_beam

        found = search_on_beam(
            options.queries,
            options.index,
            options.out,
            runner,
            k=options.k,
            ids=options.ids,
            normalize=options.normalize,
            whitening=options.whitening,
            fingerprint=options.fingerprint,
        )
    print(f"{options.out}: {found[0]} queries, {found[1]} neighbours each")
    return 0


def _searched_here(options: argparse.Namespace) -> tuple[int, int]:
    """(queries, neighbours of each) of the file that it has written."""
    from tqdm import tqdm

    from landmarks_tf.retrieval.opening import open_index

    how = _preparation(options)
    check_whitening(options.index, how["whitening"])
    queries = read_rows(options.queries, options.ids, **how)
    fingerprint = with_whitening(options.fingerprint, how["whitening"])
    index = open_index(options.index, fingerprint=fingerprint)
    if queries.ids is not None and len(queries.ids) != len(queries.vectors):
        raise ValueError(f"{len(queries.ids)} ids for {len(queries.vectors)} queries")
    k = neighbours_of(options.k, len(index))

    def blocks() -> Iterator[tuple[int, np.ndarray]]:
        starts = range(0, len(queries.vectors), QUERIES_AT_ONCE)
        for start in tqdm(starts, desc="search", disable=not sys.stderr.isatty()):
            part = np.asarray(queries.vectors[start : start + QUERIES_AT_ONCE])
            yield start, index.search(part, k)[1]

    write_rankings(options.out, queries.ids, index.ids, blocks())
    return len(queries.vectors), k


def _add(options: argparse.Namespace) -> int:
    how = _preparation(options)
    check_whitening(options.index, how["whitening"])
    index = _changeable(options.index, with_whitening(options.fingerprint, how["whitening"]))
    rows = read_rows(options.embeddings, options.ids, **how)
    change = index.update if options.update else index.add
    change(rows.vectors, rows.ids)
    print(f"{options.index}: {len(index)} rows, {len(rows.vectors)} of them from here")
    return 0


def _remove(options: argparse.Namespace) -> int:
    index = _changeable(options.index, None)
    ids = read_ids_file(options.ids)
    index.remove(ids)
    print(f"{options.index}: {len(index)} rows, {len(ids)} are gone")
    return 0


def _changeable(path: Path, fingerprint: str | None):
    from landmarks_tf.retrieval.index_folder import IndexFolderError, kind_of
    from landmarks_tf.retrieval.scann_index import ScannIndex

    if (kind := kind_of(path)) != "scann":
        raise IndexFolderError(f"{path} is a {kind} index: only ScaNN's take changes; build again")
    return ScannIndex.load(path, check=False, fingerprint=fingerprint)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, received {text!r}")
    return int(text)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 up, received {text!r}")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, 1 at most, received {text!r}")
    return value


if __name__ == "__main__":
    sys.exit(main())
