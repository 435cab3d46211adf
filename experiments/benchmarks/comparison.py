"""A network beside its twin: each in a process of its own, run by turns, so that what else the
machine does falls on both alike."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass

from experiments.benchmarks.ratios import speed_ratio
from experiments.benchmarks.subjects import TWINS, Subject
from experiments.benchmarks.worker import MODES
from experiments.command import MeasurementError

# Both processes share one accelerator: neither may take its whole memory at the start.
_SHARED_DEVICE = {
    "TF_FORCE_GPU_ALLOW_GROWTH": "true",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
}


@dataclass(frozen=True)
class Setting:
    """How networks are measured.

    Attributes:
        image_size: side of the pictures in pixels.
        batch_size: pictures a step.
        precision: a Keras dtype policy.
        repeats: rounds; in each the network and its twin are run once.
        seconds: about how long one run lasts; at least one step.

    Raises:
        ValueError: a number out of range.
    """

    image_size: int = 128
    batch_size: int = 8
    precision: str = "float32"
    repeats: int = 7
    seconds: float = 0.5

    def __post_init__(self):
        for field in ("image_size", "batch_size", "repeats"):
            if getattr(self, field) < 1:
                raise ValueError(f"{field} must be at least 1. Received: {getattr(self, field)}.")
        if not 0 <= self.seconds < math.inf:
            raise ValueError(f"seconds must not be negative. Received: {self.seconds}.")


class Process:
    """What is measured, in a process of its own that does as it is told; ends with the `with`.

    Args:
        title: for messages.
        module: what to run; it calls `experiments.benchmarks.worker.serve`.
        arguments: what it is given, as JSON can hold it.
        python: of another environment; None for this one.
        retry: what a person can do when it was killed.
    """

    def __init__(
        self,
        title: str,
        module: str,
        arguments: dict,
        *,
        python: str | None = None,
        retry: str = "",
    ):
        self.title, self._retry = title, retry
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python or sys.executable, "-m", module, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            env={**os.environ, **_SHARED_DEVICE},
            text=True,
        )

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()

    def ask(self, do: str, **command) -> dict:
        """Give a command and wait for its answer.

        Raises:
            MeasurementError: the process failed or was killed.
        """
        self.send(do, **command)
        return self.receive()

    def send(self, do: str, **command) -> None:
        # A process that has ended says why when it is asked for its answer.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps({"do": do, **command}) + "\n")
            self._process.stdin.flush()

    def receive(self) -> dict:
        line = self._process.stdout.readline()
        answer = json.loads(line) if line else {"error": self._ending()}
        if "error" in answer:
            raise MeasurementError(f"{self.title}: {answer['error']}")
        return answer

    def _ending(self) -> str:
        code = self._process.wait()
        if code == -signal.SIGKILL:
            return f"its process was killed, most likely for memory. {self._retry}".strip()
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return f"its process ended with code {code}. " + " ".join(lines[-1:])


class Worker(Process):
    """The process of one network; see `experiments.benchmarks.worker`."""

    def __init__(self, subject: Subject, setting: Setting):
        arguments = {
            **asdict(subject),
            "image_size": setting.image_size,
            "batch_size": setting.batch_size,
            "precision": setting.precision,
        }
        super().__init__(
            subject.title,
            "experiments.benchmarks.worker",
            arguments,
            retry="Try a smaller --batch.",
        )


def measure(backbone: str, setting: Setting, progress: Callable[[str], None]) -> dict:
    """Measure a backbone, and by turns with it its twin in `keras.applications` if it has one.

    Args:
        backbone: a key of `landmarks_tf.models.BACKBONES`.
        setting: how.
        progress: is told what happens, in a few words.

    Returns:
        The backbone's entry of `networks.json` (see `experiments.benchmarks.networks`), and under
        "environment" what it was measured on.

    Raises:
        MeasurementError: the backbone could not be measured. A twin that cannot is left out, and
            the entry says why under "twin_missing".
    """
    entry: dict = {"name": backbone, "twin": None, "twin_missing": None, "ratio": None}
    with contextlib.ExitStack() as stack:
        progress("building")
        workers = [stack.enter_context(Worker(Subject(backbone), setting))]
        if backbone in TWINS:
            workers.append(stack.enter_context(Worker(Subject(backbone, is_twin=True), setting)))
        for worker in workers:
            worker.send("prepare")
        prepared = [workers[0].receive()]
        if backbone in TWINS:
            try:
                prepared.append(workers[1].receive())
            except MeasurementError as error:
                entry["twin_missing"] = str(error)
                del workers[1]
        rounds = {}
        for mode in MODES:
            progress(mode)
            rounds[mode] = _alternate(workers, mode, prepared, setting)
        environment = workers[0].ask("describe")
    environment["xla"] = prepared[0]["xla"]
    summaries = [
        _summary(facts, {mode: rounds[mode][number] for mode in MODES}, setting.batch_size)
        for number, facts in enumerate(prepared)
    ]
    entry |= summaries[0]
    if len(summaries) > 1:
        entry["twin"] = {"name": workers[1].title, **summaries[1]}
        entry["ratio"] = {mode: speed_ratio(*rounds[mode]) for mode in MODES}
    return entry | {"environment": environment}


def _alternate(
    workers: list[Worker], mode: str, prepared: list[dict], setting: Setting
) -> list[list[float]]:
    """Seconds a step of each worker, round by round."""
    slowest = max(facts["seconds"][mode] for facts in prepared)
    steps = max(1, math.ceil(setting.seconds / slowest))
    seconds: list[list[float]] = [[] for _ in workers]
    for number in range(setting.repeats):
        order = list(enumerate(workers))
        # Neither is always the one that finds the machine warm.
        for place, worker in order if number % 2 == 0 else reversed(order):
            seconds[place].append(worker.ask("run", mode=mode, steps=steps)["seconds"] / steps)
    return seconds


def _summary(facts: dict, seconds: dict[str, list[float]], batch_size: int) -> dict:
    speeds = {
        mode: {
            "images_per_s": batch_size / statistics.median(values),
            "seconds_per_step": values,
        }
        for mode, values in seconds.items()
    }
    kept = {key: facts[key] for key in ("parameters", "multiply_adds", "memory")}
    return kept | speeds
