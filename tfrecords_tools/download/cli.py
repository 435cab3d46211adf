"""`python -m tfrecords_tools download`: GLDv2 by its published addresses; see `--help`."""

from __future__ import annotations

import argparse

from tfrecords_tools.download.options import add_arguments as add_arguments
from tfrecords_tools.download.options import options_from
from tfrecords_tools.download.run import download, dry_run


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns the exit code.

    Raises:
        UsageError: options that do not go together, or out of their range.
        OSError: what `download` raises; the caller prints it.
    """
    options = options_from(args)
    if args.dry_run:
        dry_run(args.out, options)
    else:
        download(args.out, options)
    return 0
