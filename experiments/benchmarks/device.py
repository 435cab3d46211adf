"""The machine under a measurement: its name, and how much memory a process has used at most."""

from __future__ import annotations

import os
import platform
import resource
import sys
from pathlib import Path

import keras

_MIB = 2**20


def describe_device() -> dict:
    """{"kind": "cpu" | "gpu" | "tpu", "name", "count"}: where Keras computes.

    For a CPU, `count` is the number of cores that this process may use.
    """
    devices = keras.distribution.list_devices()
    kind = devices[0].partition(":")[0]
    if kind == "cpu":
        allowed = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))
        return {"kind": kind, "name": _cpu_name(), "count": len(allowed(0))}
    return {"kind": kind, "name": _accelerator_name(), "count": len(devices)}


def backend_version() -> str:
    """Version of the framework under Keras."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.__version__
    import tensorflow as tf

    return tf.__version__


def peak_memory_mib() -> tuple[str, float]:
    """The most memory that this process has held so far, and what was counted.

    Returns:
        ("device", MiB) where an accelerator's allocator keeps count, else ("process", MiB).
    """
    peak = _accelerator_peak()
    if peak is not None:
        return "device", peak / _MIB
    return "process", _process_peak() / _MIB


def _process_peak() -> int:
    status = Path("/proc/self/status")
    if status.is_file():
        # Linux hands the parent's ru_maxrss on to a child; VmHWM is this program's own.
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _accelerator_peak() -> int | None:
    if keras.backend.backend() == "jax":
        import jax

        return (jax.local_devices()[0].memory_stats() or {}).get("peak_bytes_in_use")
    import tensorflow as tf

    if not tf.config.list_logical_devices("GPU"):
        return None
    return tf.config.experimental.get_memory_info("GPU:0")["peak"]


def _accelerator_name() -> str:
    if keras.backend.backend() == "jax":
        import jax

        return jax.local_devices()[0].device_kind
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "TPU"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
