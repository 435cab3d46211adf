"""Competition metrics from competition files: `python -m experiments.score --help`.

    python -m experiments.score retrieval --predictions CSV --solution CSV
    python -m experiments.score recognition --predictions CSV --solution CSV
    python -m experiments.score kaggle-2020 --model DIR --images DIR --solution CSV [--k 100]

Each prints one JSON object on standard output, with the public and the private part of the test set
side by side and never together; all measures are fractions, 0..1. kaggle-2020 is the organisers'
loop of Landmark Retrieval 2020: it calls a SavedModel on every picture of DIR/test and DIR/index.

Exit codes: 0 scored; 1 a file is missing or malformed, or the model is rejected; 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from landmarks_tf import metrics


def score_retrieval(predictions: str | Path, solution: str | Path) -> dict[str, dict]:
    """{"public": {"map@100", "p@1", ...}, "private": {...}} of a retrieval CSV.

    Raises:
        ValueError, OSError: as the readers of `landmarks_tf.metrics.solutions`.
    """
    truth = metrics.read_retrieval_solution(solution)
    answers = metrics.read_retrieval_predictions(predictions, truth)
    return {
        "public": metrics.retrieval_summary(answers.public, truth.public),
        "private": metrics.retrieval_summary(answers.private, truth.private),
    }


def score_recognition(predictions: str | Path, solution: str | Path) -> dict[str, dict]:
    """{"public": {"gap", "gap_ignoring_non_landmarks", "top1"}, "private": {...}} of a CSV.

    Raises:
        ValueError, OSError: as the readers of `landmarks_tf.metrics.solutions`.
    """
    truth = metrics.read_recognition_solution(solution)
    answers = metrics.read_recognition_predictions(predictions, truth)
    return {
        "public": metrics.recognition_summary(answers.public, truth.public),
        "private": metrics.recognition_summary(answers.private, truth.private),
    }


def score_kaggle_2020(
    model_dir: str | Path,
    images_dir: str | Path,
    solution: str | Path,
    *,
    k: int = 100,
    progress: bool = False,
) -> dict[str, dict | int | list]:
    """`score_retrieval`'s numbers for a SavedModel, by the organisers' loop.

    Returns:
        public and private as `score_retrieval` (map@k), and what was scored: test_images,
        index_images, descriptor_size, unreadable (files that no picture could be read from; a
        query among them scores zero).

    Raises:
        ValueError, OSError: as `landmarks_tf.export.rank_kaggle_2020` and the solution's reader.
    """
    from landmarks_tf.export import rank_kaggle_2020

    truth = metrics.read_retrieval_solution(solution)
    scored = truth.public.keys() | truth.private.keys()
    found = rank_kaggle_2020(model_dir, images_dir, scored, k=k, progress=progress)
    parts = {
        name: metrics.retrieval_summary(
            {query: found.rankings[query] for query in part if query in found.rankings}, part, k
        )
        for name, part in (("public", truth.public), ("private", truth.private))
    }
    return {
        **parts,
        "test_images": found.num_test,
        "index_images": found.num_index,
        "descriptor_size": found.descriptor_size,
        "unreadable": found.unreadable,
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        scores = options.score(options)
    except (ValueError, OSError) as error:
        print(f"error: {_message(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; nothing was scored", file=sys.stderr)
        return 130
    print(json.dumps(scores, indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.score",
        description="Scores competition files, or a SavedModel, as the competitions did.",
    )
    tasks = parser.add_subparsers(metavar="TASK", required=True)
    for name, score, columns in (
        ("retrieval", score_retrieval, "id,images"),
        ("recognition", score_recognition, "id,landmarks"),
    ):
        task = tasks.add_parser(name, help=f"score a prediction file with the columns {columns}")
        task.add_argument("--predictions", required=True, metavar="CSV", help=columns)
        task.add_argument("--solution", required=True, metavar="CSV", help=f"{columns},Usage")
        task.set_defaults(score=lambda o, score=score: score(o.predictions, o.solution))
    task = tasks.add_parser("kaggle-2020", help="score a SavedModel by the organisers' loop")
    task.add_argument("--model", required=True, metavar="DIR", help="folder of saved_model.pb")
    task.add_argument("--images", required=True, metavar="DIR", help="has test/ and index/")
    task.add_argument("--solution", required=True, metavar="CSV", help="id,images,Usage")
    task.add_argument("--k", type=_positive, default=100, help="neighbours a query (100)")
    task.set_defaults(score=_run_kaggle_2020)
    return parser


def _run_kaggle_2020(options: argparse.Namespace) -> dict:
    # Before TensorFlow is imported: its start-up chatter would bury the message that matters.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    scores = score_kaggle_2020(
        options.model, options.images, options.solution, k=options.k, progress=True
    )
    if scores["unreadable"]:
        print(
            f"warning: {len(scores['unreadable'])} files could not be read as images and were left "
            "out; they are listed under unreadable",
            file=sys.stderr,
        )
    return scores


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number from 1 up, received {text!r}")
    return int(text)


def _message(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
