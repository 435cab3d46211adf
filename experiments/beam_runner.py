"""Apache Beam for the commands: its options, how a pipeline runs, how its failure is told."""

from __future__ import annotations

import argparse
import contextlib
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from experiments.command import UsageError

if TYPE_CHECKING:
    import apache_beam as beam

_POLL_SECONDS = 1.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """`--runner` and `--beam-options`."""
    add = parser.add_argument
    add("--runner", metavar="NAME", help="on this Beam runner: DirectRunner, DataflowRunner, ...")
    add("--beam-options", metavar="FLAGS", help="of the runner, as one word")


class Runner(NamedTuple):
    """Where a pipeline runs.

    Attributes:
        name: "DirectRunner" (this machine), or the name of another of Beam's.
        flags: its own, as "--region=R".
    """

    name: str
    flags: Sequence[str] = ()


def runner_of(options: argparse.Namespace) -> Runner | None:
    """The runner that the options ask for, if they do.

    Raises:
        UsageError: flags without a runner or that cannot be read, or there is no Apache Beam.
    """
    if options.runner is None:
        if options.beam_options is not None:
            raise UsageError("--beam-options goes with --runner")
        return None
    try:
        import apache_beam  # noqa: F401
    except ImportError as error:
        raise UsageError(
            f"--runner needs Apache Beam ({error}): pip install 'landmarks-tf[beam]'"
        ) from None
    try:
        return Runner(options.runner, shlex.split(options.beam_options or ""))
    except ValueError as error:
        raise UsageError(f"--beam-options cannot be read: {error}") from None


def run_pipeline(build: Callable[[beam.Pipeline], None], runner: Runner, *, kept: str) -> None:
    """Runs a pipeline to its end.

    Args:
        build: applies the transforms.
        runner: where.
        kept: what stays of a pipeline that failed, in the plural.

    Raises:
        OSError: the pipeline failed; the same command continues.
    """
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

    here = runner.name == "DirectRunner"
    try:
        options = PipelineOptions(list(runner.flags), runner=None if here else runner.name)
        pipeline = beam.Pipeline(_direct() if here else None, options)
        build(pipeline)
        pipeline.run().wait_until_finish()
    except Exception as error:  # each runner has its own
        raise OSError(
            f"the Beam pipeline failed: {error}\n{kept} are kept: once this is mended, the same "
            "command continues"
        ) from error


def _direct():
    """Not Beam's "DirectRunner", which may fetch a program of another runner (Prism)."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    return FnApiRunner()


@contextlib.contextmanager
def progress_bar(
    paths: Sequence[Path], *, desc: str, unit: str, progress: bool = True
) -> Iterator[None]:
    """Counts the files that are there already, whatever machine writes them.

    Args:
        paths: those that will be there in the end.
        desc, unit: as of tqdm.
        progress: show it.
    """
    from tqdm import tqdm

    stop = threading.Event()
    with tqdm(total=len(paths), desc=desc, unit=unit, disable=not progress) as bar:

        def watch() -> None:
            while not stop.wait(_POLL_SECONDS):
                bar.update(sum(path.exists() for path in paths) - bar.n)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            stop.set()
            watcher.join()
            bar.update(sum(path.exists() for path in paths) - bar.n)
