"""The options of `convert` that choose a Beam runner; works where Beam is not installed."""

from __future__ import annotations

import argparse
import importlib
import logging
import shlex

from tfrecords_tools.options import ConvertOptions, UsageError

RUNNERS = ("direct", "flink", "spark", "dataflow")


def add_arguments(group: argparse._ArgumentGroup) -> None:
    """Declares --runner and --beam-options."""
    group.add_argument(
        "--runner",
        choices=RUNNERS,
        help="convert on this Apache Beam runner, one element a shard; --raw and --out may then be "
        "gs://, s3:// or hdfs:// (default: processes of this machine)",
    )
    group.add_argument(
        "--beam-options",
        metavar="FLAGS",
        help="of the runner, as one word: --beam-options='--region=R --temp_location=gs://B/tmp'",
    )


def run(args: argparse.Namespace, options: ConvertOptions) -> int:
    """Converts on the runner that is asked for; returns the exit code.

    Raises:
        UsageError: options that do not go with a runner, or Beam is not installed.
        ValueError, OSError: as `tfrecords_tools.convert.convert`.
    """
    if args.records is not None:
        raise UsageError("--runner reads a GLDv2 folder (--raw), not --records")
    for name in ("workers", "dry_run"):
        if getattr(args, name):
            raise UsageError(f"--{name.replace('_', '-')} does not go with --runner")
    try:
        flags = shlex.split(args.beam_options or "")
    except ValueError as error:
        raise UsageError(f"--beam-options {args.beam_options!r} cannot be read: {error}") from None
    try:
        importlib.import_module("apache_beam")
    except ImportError as error:
        raise UsageError(
            f"--runner needs Apache Beam ({error}): pip install 'landmarks-tf[beam]', best in an "
            "environment of its own"
        ) from None
    from tfrecords_tools.beam.pipeline import convert_on_beam

    if args.runner == "direct":
        # What fails is told at the end, in words, and not as a traceback before.
        logging.getLogger("apache_beam.runners").setLevel(logging.CRITICAL)
    convert_on_beam(args.raw, args.out, options, runner=args.runner, flags=flags)
    return 0
