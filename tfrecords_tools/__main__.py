"""`python -m tfrecords_tools demo|download|convert|verify`: see `--help`."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Sequence

from tfrecords_tools.options import UsageError

COMMANDS = {
    "demo": ("tfrecords_tools.demo.cli", "render a small made-up data set in GLDv2's layout"),
    "download": ("tfrecords_tools.download.cli", "fetch GLDv2 as published, and extract it"),
    "arrange": ("tfrecords_tools.arrange.cli", "lay own pictures out as GLDv2 lays out its own"),
    "check": ("tfrecords_tools.integrity.cli", "say what is wrong with a GLDv2 folder"),
    "convert": ("tfrecords_tools.convert", "turn one split of a GLDv2 folder into records"),
    "verify": ("tfrecords_tools.verify", "read records back and say what is wrong with them"),
}
EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED, EXIT_TERMINATED = 1, 2, 130, 143


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM); unwinds the way Ctrl-C does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0, 1 failed, 2 usage, 130 or 143 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # TensorFlow reads both when it is imported. What goes wrong comes as an exception, so its log
    # only disturbs the progress bar; a GPU is of no use here and may be busy with training.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        signal.signal(signal.SIGTERM, _terminate)
        args = _parser(arguments).parse_args(arguments)
        return importlib.import_module(COMMANDS[args.command][0]).run(args)
    except KeyboardInterrupt as interrupt:
        print("interrupted: give the same command again to continue", file=sys.stderr)
        return EXIT_TERMINATED if isinstance(interrupt, Terminated) else EXIT_INTERRUPTED
    except UsageError as error:
        print(f"error: {error}; see --help", file=sys.stderr)
        return EXIT_USAGE
    except (ValueError, OSError) as error:
        print(f"error: {_words(error)}", file=sys.stderr)
        return EXIT_FAILED


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tfrecords_tools",
        description="GLDv2 as published, or any folder of that shape, to sharded records.",
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = commands.add_parser(name, help=text)
        if name in arguments:  # the others' modules need not be imported
            importlib.import_module(module).add_arguments(command)
    return parser


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error)


def _terminate(signum, frame) -> None:
    raise Terminated


if __name__ == "__main__":
    sys.exit(main())
