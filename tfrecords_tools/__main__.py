"""`python -m tfrecords_tools demo|download|convert|verify`: see `--help`."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import select
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

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
EXIT_NO_READER = 141  # as of SIGPIPE: whoever read the output is gone


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM); unwinds the way Ctrl-C does."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Returns:
        Its exit code: 0, 1 failed, 2 usage, 130 or 143 interrupted, 141 stopped because nobody
        reads its output; a command whose last words alone go unread (`| head`) ends as ever.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    # TensorFlow reads both when it is imported. What goes wrong comes as an exception, so its log
    # only disturbs the progress bar; a GPU is of no use here and may be busy with training.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    # Nothing here multiplies matrices; NumPy would start a thread a core, in each process.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        code = _run(arguments)
    except KeyboardInterrupt as interrupt:
        code = EXIT_TERMINATED if isinstance(interrupt, Terminated) else EXIT_INTERRUPTED
        _tell("interrupted: give the same command again to continue")
    except UsageError as error:
        code = EXIT_USAGE
        _tell(f"error: {error}; see --help")
    except (ValueError, OSError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            code = EXIT_NO_READER
        else:
            code = EXIT_FAILED
            _tell(f"error: {_words(error)}")
    finally:
        _flush()
    return code


def _run(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, _terminate)
    args = _parser(arguments).parse_args(arguments)
    return importlib.import_module(COMMANDS[args.command][0]).run(args)


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


def _tell(text: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # the exit code says it too
        print(text, file=sys.stderr)


def _nobody_reads() -> bool:
    """Whether the broken pipe is the one that the output goes to, not one to a worker."""
    streams = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(io.UnsupportedOperation):  # a stream in memory
            streams.register(stream.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in streams.poll(0))


def _flush() -> None:
    """Once more, so that the interpreter does not fail when it does so for the last time."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error)


def _terminate(signum, frame) -> None:
    raise Terminated


if __name__ == "__main__":
    sys.exit(main())
