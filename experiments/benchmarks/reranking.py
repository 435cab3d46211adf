"""What re-ranking gains on a file of labelled embeddings.

    python -m experiments.benchmarks.reranking --embeddings FILE.npz [--out DIR]

FILE.npz has `embeddings` (N, D), unit rows, and `labels` (N,). Of each class, at random: a part
trains (whitening, classes), one row is a query (of every second class a public, of the others a
private one), the rest is the index. Settings are chosen on public, gains reported on private. With
--out, a run that was stopped goes on.

Exit codes: 0 done, 1 the file cannot be used, 2 usage, 130 interrupted.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.command import exit_code
from experiments.workdir import write_json


class Split(NamedTuple):
    """Rows of a file by what they are used for.

    Attributes:
        train: (T,) rows.
        index: (M,) rows.
        queries: (Q,) rows, one of a class.
    """

    train: np.ndarray
    index: np.ndarray
    queries: np.ndarray


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    return exit_code(
        lambda: _run(options), interrupted="interrupted; with --out the same command goes on"
    )


def _run(options: argparse.Namespace) -> int:
    from experiments.reranking_study import markdown

    found = _measured(options)
    text = markdown(found, options.embeddings.name)
    print(text)
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "reranking.md").write_text(text + "\n", encoding="utf-8")
        write_json(options.out / "reranking.json", found)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.benchmarks.reranking",
        description="What re-ranking gains on a file of labelled embeddings.",
    )
    add = parser.add_argument
    add("--embeddings", type=Path, required=True, metavar="NPZ", help="embeddings, labels")
    add("--train-part", type=float, default=0.3, help="part of each class that trains (0.3)")
    add("--seed", type=int, default=0, help="of the division (0)")
    add("--out", type=Path, metavar="DIR", help="also write reranking.json and .md")
    return parser


def read_embeddings(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) float32 rows of length 1 and (N,) labels.

    Raises:
        ValueError, OSError: no such file, other arrays, labels that do not fit, rows not near 1.
    """
    from landmarks_tf.retrieval.reranking.archives import read_npz
    from landmarks_tf.retrieval.reranking.ranking import unit_rows
    from landmarks_tf.retrieval.vectors import as_matrix, check_unit_rows

    vectors, labels = read_npz(path, ("embeddings", "labels"), what="embeddings")
    vectors = as_matrix(vectors, name="the embeddings")
    if labels.shape != (len(vectors),) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"expected {len(vectors)} labels as whole numbers, received {labels.dtype} of shape "
            f"{labels.shape}"
        )
    check_unit_rows(vectors, name="the embeddings", tolerance=1e-2)
    # Half precision leaves lengths off by a thousandth.
    return unit_rows(vectors, name="the embeddings"), labels.astype(np.int64)


def divide(labels: np.ndarray, *, train_part: float, seed: int) -> Split:
    """Rows of each class to train, index and one query.

    Raises:
        ValueError: a part outside 0..1, or fewer than two classes with a row for each use.
    """
    if not 0 < train_part < 1:
        raise ValueError(f"--train-part must be between 0 and 1, received {train_part}")
    order = np.random.default_rng(seed).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    _, first, counts = np.unique(labels[order], return_index=True, return_counts=True)
    place = np.arange(len(order)) - np.repeat(first, counts)
    trains = np.repeat(np.ceil(train_part * counts).astype(np.int64), counts)
    whole = np.repeat(counts, counts) >= trains + 2
    if len(np.unique(labels[order[whole]])) < 2:
        raise ValueError("fewer than two classes have rows to train, to ask and to find")
    return Split(
        np.sort(order[place < trains]),
        np.sort(order[(place > trains) | (~whole & (place >= trains))]),
        np.sort(order[whole & (place == trains)]),
    )


def _book(options: argparse.Namespace):
    """Keeps each pipeline's numbers in --out, so that what was stopped goes on."""
    from experiments.reranking_study import FORMAT_VERSION
    from experiments.score_book import ScoreBook

    if options.out is None:
        return None
    with options.embeddings.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    parts = [digest, str(options.train_part), str(options.seed), str(FORMAT_VERSION)]
    return ScoreBook(options.out / "scores.jsonl", "/".join(parts))


def _measured(options: argparse.Namespace) -> dict:
    from tqdm import tqdm

    from experiments.reranking_study import METHODS, study
    from landmarks_tf.metrics import Solution
    from landmarks_tf.retrieval.reranking import RetrievalData, neighbour_graph

    vectors, labels = read_embeddings(options.embeddings)
    split = divide(labels, train_part=options.train_part, seed=options.seed)
    index = vectors[split.index]
    data = RetrievalData(
        vectors[split.queries],
        index,
        vectors[split.train],
        labels[split.train],
        graph=neighbour_graph(index, min(50, len(index) - 1), progress=True),
    )
    names = np.char.mod("%d", np.arange(len(labels)))
    by_class = {label: names[split.index][labels[split.index] == label] for label in set(labels)}
    truth = {names[row].item(): by_class[labels[row]].tolist() for row in split.queries}
    halves = [dict(list(truth.items())[start::2]) for start in (0, 1)]
    methods = {name: texts for name, texts in METHODS.items() if "geometric" not in texts[0]}
    total = 1 + sum(map(len, methods.values())) + 3 * len(methods)
    with tqdm(total=total, desc="pipelines") as bar:

        def told(text: str) -> None:
            bar.set_postfix_str(text[:60], refresh=False)
            bar.update()

        found = study(
            data,
            names[split.queries],
            names[split.index],
            Solution(public=halves[0], private=halves[1]),
            methods=methods,
            told=told,
            book=_book(options),
        )
    sizes = {name: len(rows) for name, rows in split._asdict().items()}
    return found | {"rows": sizes, "seed": options.seed, "train_part": options.train_part}


if __name__ == "__main__":
    sys.exit(main())
