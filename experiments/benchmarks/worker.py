"""One network in a process of its own, which runs it when told to.

    python -m experiments.benchmarks.worker '{"backbone": "resnet50", "is_twin": false, ...}'

`experiments.benchmarks.comparison` starts it. Commands come on standard input and answers go to
standard output, one JSON object a line. When its input ends, it ends: whoever started it is gone.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator

MODES = ("inference", "training")


def main() -> None:
    """Answer commands until the input ends."""
    serve(MeasuredNetwork)


def serve(make: Callable[..., object]) -> None:
    """Make what is measured of the JSON on the command line, and call its methods as told.

    Args:
        make: takes the arguments by name; a command's "do" names a method of what it returns, and
            the rest are the method's arguments by name. Methods return what JSON can hold.
    """
    # Whatever else is printed in this process must not end up among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    commands = _commands()
    try:
        measured = make(**json.loads(sys.argv[1]))
        for command in commands:
            _answer(answers, getattr(measured, command.pop("do"))(**command))
    # A person reads it in the parent's table, beside what the others gave.
    except Exception as error:
        _answer(answers, {"error": f"{type(error).__name__}: {error}"})
        raise


def _answer(answers, value: dict) -> None:
    answers.write(json.dumps(value) + "\n")
    answers.flush()


def _commands() -> Iterator[dict]:
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        os._exit(1)  # in the midst of a step as well

    threading.Thread(target=read, daemon=True).start()
    while True:
        yield json.loads(lines.get())


class MeasuredNetwork:
    """A subject, built and compiled once, and timed whenever asked.

    Args:
        backbone, is_twin: see `experiments.benchmarks.subjects.Subject`.
        image_size: side of the pictures in pixels.
        batch_size: pictures a step.
        precision: a Keras dtype policy.
    """

    def __init__(
        self, backbone: str, is_twin: bool, image_size: int, batch_size: int, precision: str
    ):
        import keras

        from experiments.benchmarks import subjects

        keras.config.set_dtype_policy(precision)
        self.subject = subjects.Subject(backbone, is_twin)
        self.image_size = image_size
        self.pixels, self.classes = subjects.batch(batch_size, image_size)

    def prepare(self) -> dict:
        """Build, compile and warm up; everything about the network but its speed."""
        from experiments.benchmarks import device, subjects
        from experiments.benchmarks.multiply_adds import count_multiply_adds
        from landmarks_tf.models import count_parameters

        kind, before = device.peak_memory_mib()
        networks = subjects.build(self.subject, self.image_size)
        self._steps: dict[str, Callable[[], object]] = {
            "inference": lambda: networks.embedder.predict_on_batch(self.pixels),
            "training": lambda: networks.classifier.train_on_batch(self.pixels, self.classes),
        }
        memory, seconds = {"counted": kind}, {}
        for mode in MODES:
            self.run(mode, 1)  # traces and compiles
            seconds[mode] = self.run(mode, 1)["seconds"]
            memory[f"{mode}_mib"] = device.peak_memory_mib()[1] - before
        return {
            "parameters": count_parameters(networks.trunk)["total"],
            "multiply_adds": count_multiply_adds(networks.trunk),
            "xla": bool(networks.classifier.jit_compile),
            "memory": memory,
            "seconds": seconds,
        }

    def describe(self) -> dict:
        """Where and with what this process computes."""
        import keras

        from experiments.benchmarks import device

        return {
            "backend": keras.backend.backend(),
            "backend_version": device.backend_version(),
            "keras_version": keras.__version__,
            "device": device.describe_device(),
        }

    def run(self, mode: str, steps: int) -> dict:
        """Seconds for a number of steps, each waited for."""
        step = self._steps[mode]
        started = time.perf_counter()
        for _ in range(steps):
            step()
        return {"seconds": time.perf_counter() - started}


if __name__ == "__main__":
    main()
