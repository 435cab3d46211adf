"""Competition metrics from competition files: `python -m experiments.score --help`.

    python -m experiments.score retrieval --predictions CSV --solution CSV
    python -m experiments.score recognition --predictions CSV --solution CSV
    python -m experiments.score kaggle-2020 --model DIR --images DIR --solution CSV [--k 100]
    python -m experiments.score revisited --truth FILE --ranks NPY --queries cropped
    python -m experiments.score revisited --truth FILE --model DIR --images DIR

Each prints one JSON object on standard output, with the public and the private part of the test set
side by side and never together; all measures are fractions, 0..1. kaggle-2020 is the organisers'
loop of Landmark Retrieval 2020: it calls a SavedModel on every picture of DIR/test and DIR/index.
revisited is Revisited Oxford and Paris, easy, medium and hard. With --intervals or --against OTHER
the first two add bootstrap intervals, and a paired test against another run's file.

Exit codes: 0 scored; 1 a file is missing or malformed, or the model is rejected; 2 usage.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.command import UsageError, exit_code
from experiments.score_inputs import check_fits, model_folder
from experiments.score_revisited import score_model, score_ranks
from experiments.score_uncertainty import (
    Resampling,
    recognition_uncertainty,
    retrieval_uncertainty,
)
from landmarks_tf import metrics


def score_retrieval(
    predictions: str | Path,
    solution: str | Path,
    *,
    more: bool = False,
    uncertainty: Resampling | None = None,
    against: str | Path | None = None,
    data: str | Path | None = None,
) -> dict[str, dict]:
    """{"public": {"map@100", "p@1", ...}, "private": {...}} of a retrieval CSV.

    Args:
        more: adds recall, hit rate and R-precision.
        uncertainty: adds "uncertainty": intervals made like that.
        against: another predictions file; a test against it joins them.
        data: folder with test.csv and index.csv that the solution must fit.

    Raises:
        ValueError, OSError: as the readers of `landmarks_tf.metrics.solutions`.
    """
    truth = metrics.read_retrieval_solution(solution)
    if data is not None:
        check_fits(truth, data, "retrieval")
    answers = metrics.read_retrieval_predictions(predictions, truth)
    others = None if against is None else metrics.read_retrieval_predictions(against, truth)
    scores = {}
    for part in ("public", "private"):
        case = getattr(answers, part), getattr(truth, part)
        scores[part] = metrics.retrieval_summary(*case)
        if more:
            scores[part] |= metrics.recall_summary(*case)
        if uncertainty is not None:
            other = getattr(others, part, None)
            scores[part]["uncertainty"] = retrieval_uncertainty(*case, uncertainty, other)
    return scores


def score_recognition(
    predictions: str | Path,
    solution: str | Path,
    *,
    uncertainty: Resampling | None = None,
    against: str | Path | None = None,
    data: str | Path | None = None,
) -> dict[str, dict]:
    """{"public": {"gap", "gap_ignoring_non_landmarks", "top1"}, "private": {...}} of a CSV.

    Arguments and errors as `score_retrieval`; `data` has test.csv and train.csv.
    """
    truth = metrics.read_recognition_solution(solution)
    if data is not None:
        check_fits(truth, data, "recognition")
    answers = metrics.read_recognition_predictions(predictions, truth)
    others = None if against is None else metrics.read_recognition_predictions(against, truth)
    scores = {}
    for part in ("public", "private"):
        case = getattr(answers, part), getattr(truth, part)
        scores[part] = metrics.recognition_summary(*case)
        if uncertainty is not None:
            other = getattr(others, part, None)
            scores[part]["uncertainty"] = recognition_uncertainty(*case, uncertainty, other)
    return scores


def score_kaggle_2020(
    model_dir: str | Path,
    images_dir: str | Path,
    solution: str | Path,
    *,
    k: int = 100,
    progress: bool = False,
) -> dict[str, dict | int | list]:
    """`score_retrieval`'s numbers for a SavedModel or a submission.zip, by the organisers' loop.

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
    with model_folder(Path(model_dir)) as folder:
        found = rank_kaggle_2020(folder, images_dir, scored, k=k, progress=progress)
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
    return exit_code(lambda: _score(options), interrupted="interrupted; nothing was scored")


def _score(options: argparse.Namespace) -> int:
    print(json.dumps(options.score(options), indent=2))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m experiments.score",
        description="Scores competition files, or a SavedModel, as the competitions did.",
    )
    tasks = parser.add_subparsers(metavar="TASK", required=True)
    for name, run, columns in (
        ("retrieval", _run_retrieval, "id,images"),
        ("recognition", _run_recognition, "id,landmarks"),
    ):
        task = tasks.add_parser(name, help=f"score a prediction file with the columns {columns}")
        task.add_argument("--predictions", required=True, metavar="CSV", help=columns)
        task.add_argument("--solution", required=True, metavar="CSV", help=f"{columns},Usage")
        task.add_argument("--data", metavar="DIR", help="GLDv2's CSVs, which --solution must fit")
        _add_uncertainty(task, columns)
        if name == "retrieval":
            task.add_argument("--more", action="store_true", help="also recall and R-precision")
        task.set_defaults(score=run)
    task = tasks.add_parser("kaggle-2020", help="score a SavedModel by the organisers' loop")
    task.add_argument(
        "--model", required=True, metavar="DIR", help="folder of saved_model.pb, or submission.zip"
    )
    task.add_argument("--images", required=True, metavar="DIR", help="has test/ and index/")
    task.add_argument("--solution", required=True, metavar="CSV", help="id,images,Usage")
    task.add_argument("--k", type=_positive, default=100, help="neighbours a query (100)")
    task.set_defaults(score=_run_kaggle_2020)
    task = tasks.add_parser("revisited", help="score ROxford or RParis")
    task.add_argument("--truth", required=True, metavar="FILE", help="gnd_*.json, .mat or .pkl")
    source = task.add_mutually_exclusive_group(required=True)
    source.add_argument("--ranks", metavar="NPY", help="(queries, index) integers, best first")
    source.add_argument("--model", metavar="DIR", help="folder of saved_model.pb; with --images")
    task.add_argument("--images", metavar="DIR", help="has NAME.jpg of index and queries")
    task.add_argument(
        "--queries", choices=("cropped", "whole"), help="with --ranks: how they were described"
    )
    task.add_argument("--metrics-txt", metavar="FILE", help="also write DELF's metrics.txt")
    task.set_defaults(score=_run_revisited)
    return parser


def _add_uncertainty(task: argparse.ArgumentParser, columns: str) -> None:
    task.add_argument("--intervals", action="store_true", help="bootstrap intervals over queries")
    task.add_argument("--against", metavar="CSV", help=f"{columns} of another run: a paired test")
    task.add_argument("--level", type=_level, default=0.95, help="of intervals (0.95)")
    task.add_argument("--resamples", type=_positive, default=10_000, help="of queries (10000)")
    task.add_argument("--seed", type=int, default=0, help="of the resampling (0)")


def _uncertainty(options: argparse.Namespace) -> Resampling | None:
    if not options.intervals and options.against is None:
        return None
    return Resampling(options.level, options.resamples, options.seed, progress=sys.stderr.isatty())


def _run_retrieval(options: argparse.Namespace) -> dict:
    return score_retrieval(
        options.predictions,
        options.solution,
        more=options.more,
        uncertainty=_uncertainty(options),
        against=options.against,
        data=options.data,
    )


def _run_recognition(options: argparse.Namespace) -> dict:
    return score_recognition(
        options.predictions,
        options.solution,
        uncertainty=_uncertainty(options),
        against=options.against,
        data=options.data,
    )


def _run_revisited(options: argparse.Namespace) -> dict:
    if options.ranks is not None:
        if options.queries is None:
            raise UsageError(
                "--ranks wants --queries cropped: rankings do not show how their queries were "
                "described, and the protocol wants each cropped to its box."
            )
        scores = score_ranks(
            options.truth, options.ranks, queries_cropped=options.queries == "cropped"
        )
    else:
        if options.images is None or options.queries is not None:
            raise UsageError("--model wants --images, and no --queries: it crops them itself.")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        scores = score_model(options.truth, options.model, options.images, progress=True)
    if options.metrics_txt is not None:
        from landmarks_tf.export.atomic import replacing

        with replacing(options.metrics_txt) as scratch:
            scratch.write_text(metrics.delf_metrics_text(scores), encoding="ascii")
    return scores


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


def _level(text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = 0.0
    if not 0 < level < 1:
        raise argparse.ArgumentTypeError(f"expected a number between 0 and 1, received {text!r}")
    return level


if __name__ == "__main__":
    sys.exit(main())
