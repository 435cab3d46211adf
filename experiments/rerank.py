"""Search and re-rank plain files of embeddings: `python -m experiments.rerank --help`.

    python -m experiments.rerank --queries test.npy --index index.npy --out retrieval.csv \\
        --steps alpha_qe:n=10,k_reciprocal:k1=20 [--solution CSV] [--train NPY --train-labels NPY]
    python -m experiments.rerank --list

Files are .npy of unit rows. Beside NAME.npy, NAME.ids.npy holds the ids of its rows, as a run
writes them; they are needed for a CSV and for --solution. An .npz of scores and rows needs none.

Exit codes: 0 done; 1 a file is missing or malformed, or a step refuses it; 2 usage.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.command import exit_code


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    from landmarks_tf.retrieval.reranking import PipelineError, parse_pipeline

    parser = _parser()
    options = parser.parse_args(arguments)
    if options.list:
        return exit_code(_list)
    if options.queries is None or options.index is None:
        parser.error("--queries and --index say what is searched (or --list)")
    if options.out is None and options.solution is None:
        parser.error("name --out, --solution or both: where the rankings go")
    if options.out is not None and options.out.suffix not in (".csv", ".npz"):
        parser.error(f"--out ends in .csv or .npz, received {options.out}")
    try:
        steps = parse_pipeline(options.steps)
    except PipelineError as error:
        parser.error(f"--steps: {error}")
    return exit_code(lambda: _run(options, steps), interrupted="interrupted; nothing was written")


def _list() -> int:
    print(step_list())
    return 0


def step_list() -> str:
    """The steps of a pipeline with their settings and defaults, a line each."""
    from landmarks_tf.retrieval.reranking import STEPS, parse_pipeline

    return "\n".join(str(step) for name in STEPS for step in parse_pipeline(name))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.rerank",
        description="Exact search and re-ranking of embeddings in .npy files.",
    )
    add = parser.add_argument
    add("--queries", type=Path, metavar="NPY", help="(Q, D) unit rows")
    add("--index", type=Path, metavar="NPY", help="(M, D) unit rows")
    add("--steps", default="", metavar="TEXT", help="step:setting=value:...,step,...; see --list")
    add("--train", type=Path, metavar="NPY", help="(T, D) unit rows, for whiten and class_aware")
    add("--train-labels", type=Path, metavar="NPY", help="(T,) whole numbers, their classes")
    add("--k", type=_positive, default=100, help="rows of a ranking (100)")
    add("--out", type=Path, metavar="FILE", help="rankings: .csv as Kaggle takes them, or .npz")
    add("--solution", type=Path, metavar="CSV", help="also print mAP@k and more, as JSON")
    add("--list", action="store_true", help="the steps, their settings and defaults")
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, received {value}")
    return value


def _run(options: argparse.Namespace, steps) -> int:
    from landmarks_tf.retrieval.reranking import needs, run_pipeline

    data = _data(options)
    if needs(steps, "pictures"):
        raise ValueError(
            "geometric verification needs the pictures: it runs as a study of a run with records, "
            "python -m experiments.run --exp NAME --stage rerank"
        )
    for_csv = options.solution is not None or options.out.suffix == ".csv"
    ids = [_ids(path, needed=for_csv) for path in (options.queries, options.index)]
    progress = sys.stderr.isatty()
    scores, rows = run_pipeline(
        steps, data, k=options.k, progress=progress, told=lambda text: print(text, file=sys.stderr)
    )
    if options.out is not None:
        _write(options.out, scores, rows, *ids)
    if options.solution is not None:
        print(json.dumps(_scored(options.solution, rows, *ids, options.k), indent=2))
    return 0


def _data(options: argparse.Namespace):
    from landmarks_tf.retrieval.files import read_npy
    from landmarks_tf.retrieval.reranking import RetrievalData

    if (options.train is None) != (options.train_labels is None):
        raise ValueError("--train and --train-labels go together")
    train = labels = None
    if options.train is not None:
        train = read_npy(options.train, what="--train", mmap=True)
        labels = read_npy(options.train_labels, what="--train-labels")
    queries = read_npy(options.queries, what="--queries", mmap=True)
    index = read_npy(options.index, what="--index", mmap=True)
    return RetrievalData(queries, index, train, labels)


def _ids(path: Path, *, needed: bool) -> np.ndarray | None:
    from landmarks_tf.retrieval.files import read_npy
    from landmarks_tf.retrieval.vectors import check_ids

    ids_path = path.with_suffix(".ids.npy")
    if not needed:
        return None
    if not ids_path.is_file():
        raise ValueError(
            f"{ids_path} is missing: the ids of the rows of {path.name}, (N,) text. Without ids "
            "write an .npz of row numbers."
        )
    ids = read_npy(ids_path, what="ids")
    return check_ids(ids, len(read_npy(path, what="embeddings", mmap=True)))


def _write(path: Path, scores, rows, query_ids, index_ids) -> None:
    if path.suffix == ".npz":
        from landmarks_tf.retrieval.reranking.archives import write_npz

        write_npz(path, scores=scores, rows=rows)
        return
    from landmarks_tf.export.kaggle import write_retrieval_submission

    path.parent.mkdir(parents=True, exist_ok=True)
    named = zip(query_ids.tolist(), index_ids[rows].tolist(), strict=True)
    write_retrieval_submission(path, dict(named))


def _scored(solution: Path, rows, query_ids, index_ids, k: int) -> dict:
    from landmarks_tf import metrics

    truth = metrics.read_retrieval_solution(solution)
    rankings = dict(zip(query_ids.tolist(), index_ids[rows].tolist(), strict=True))
    scores = {}
    for name, part in (("public", truth.public), ("private", truth.private)):
        answers = {query: rankings[query] for query in part if query in rankings}
        scores[name] = metrics.retrieval_summary(answers, part, k)
    return scores


if __name__ == "__main__":
    sys.exit(main())
