"""One measurement of a head of many classes, in a process of its own.

    python -m experiments.benchmarks.large_head_worker '{"measure": "time", ...}'

`experiments.benchmarks.large_head` starts it; the last line on standard output is the answer.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    """Measure what the argument says."""
    arguments = json.loads(sys.argv[1])
    measure = {"time": measure_time, "memory": measure_memory}[arguments.pop("measure")]
    print(json.dumps(measure(**arguments)))


def measure_time(
    names: list[str], batch_size: int, dim: int, num_classes: int, repeats: int
) -> dict:
    """Seconds a step of each, by turns: wall clock, and processor time over all threads."""
    import keras

    from experiments.benchmarks import device
    from experiments.benchmarks.large_head_subjects import Head

    head = Head(batch_size, dim, num_classes)
    steps = {name: head.step(name) for name in names}
    for step in steps.values():  # traces and compiles
        step()
        step()
    seconds: dict[str, dict] = {name: {"wall": [], "processor": []} for name in names}
    for number in range(repeats):
        for name in names if number % 2 == 0 else reversed(names):
            started, before = time.perf_counter(), time.process_time()
            kept = steps[name]()
            if keras.backend.backend() == "tensorflow":
                float(kept[0]) if name != "products" else kept[0].shape
            seconds[name]["wall"].append(time.perf_counter() - started)
            seconds[name]["processor"].append(time.process_time() - before)
            del kept
    return {
        "seconds": seconds,
        "environment": {
            "backend": keras.backend.backend(),
            "backend_version": device.backend_version(),
            "keras_version": keras.__version__,
            "device": device.describe_device(),
        },
    }


def measure_memory(name: str, batch_size: int, dim: int, num_classes: int) -> dict:
    """The most MiB that a step needs, its centres with them.

    On JAX what XLA planned; else what the process held at most, less what it held before there were
    centres. The framework's own allocator keeps what it once had, so that this counts its gaps.
    """
    import keras

    from experiments.benchmarks.large_head_subjects import Head

    if keras.backend.backend() == "jax":
        planned = Head(batch_size, dim, num_classes).step(name).planned_bytes()
        return {"counted": "planned", "mib": planned / 2**20}
    small = Head(batch_size, dim, 1000)
    small.step(name)()
    before = _resident_mib("VmRSS")
    step = Head(batch_size, dim, num_classes).step(name)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    for _ in range(2):
        step()
    return {"counted": "process", "mib": _resident_mib("VmHWM") - before}


def _resident_mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"/proc/self/status has no {field}: memory is measured on Linux alone.")


if __name__ == "__main__":
    main()
