"""Command line of the demo set: `python -m tfrecords_tools demo --out DIR ...`."""

from __future__ import annotations

import argparse

from tfrecords_tools.demo.layout import write_demo
from tfrecords_tools.demo.plan import Settings

_SIZES = {
    "images_per_landmark": "mean number of clean training images per landmark",
    "index_per_landmark": "mean number of index images per landmark",
    "queries_per_landmark": "test images per landmark",
    "no_landmark_share": "test images of no landmark, relative to those of a landmark",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command on `parser`."""
    default = Settings()
    parser.description = (
        "Renders made-up landmarks, photographed from many sides at many times, into a folder "
        "that is laid out like Google Landmarks v2 (images, labels, ground truth). The same "
        "settings give the same bytes. An interrupted run continues."
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder to write")
    parser.add_argument(
        "--landmarks",
        type=int,
        default=default.landmarks,
        metavar="N",
        help="number of landmarks, at least 6 (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", type=int, default=default.seed, metavar="S", help="default: %(default)s"
    )
    for name, text in _SIZES.items():
        value = getattr(default, name)
        parser.add_argument(
            "--" + name.replace("_", "-"),
            type=type(value),
            default=value,
            metavar="X" if isinstance(value, float) else "N",
            help=f"{text} (default: %(default)s)",
        )
    parser.add_argument(
        "--workers",
        type=int,
        default=None,
        metavar="N",
        help="processes that draw (default: one per core, at most 8)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Runs the command and prints a summary; returns the exit code.

    Raises:
        ValueError, OSError: what `write_demo` raises; the caller prints it.
    """
    summary = write_demo(
        args.out,
        landmarks=args.landmarks,
        seed=args.seed,
        workers=args.workers,
        progress=not args.quiet,
        **{name: getattr(args, name) for name in _SIZES},
    )
    counts = summary.counts
    if summary.drawn == 0:
        print(f"{summary.folder} is already complete; nothing to do.")
    print(
        f"{summary.folder}: {counts['train']} train ({counts['train_clean']} clean, "
        f"{counts['classes_clean']} classes of {counts['smallest_class']} to "
        f"{counts['largest_class']}), {counts['index']} index, {counts['test']} test images"
    )
    return 0
