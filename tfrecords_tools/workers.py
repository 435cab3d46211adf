"""The shards of a conversion on all cores: processes of their own, or threads for little work.

A process reads, checks and writes without waiting for any other, and without TensorFlow, which it
imports only when it meets a picture that is no ordinary JPEG. Images that are written anew are
decoded by TensorFlow, one and all: then threads of one process share it.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from tfrecords_tools import resume
from tfrecords_tools.images import strict_decoding
from tfrecords_tools.shards import ShardTask, Stop, write_shard

# To start a process takes about as long as to convert this many images.
IMAGES_PER_PROCESS = 500
_POLL_SECONDS = 0.2

Note = dict[str, Any]


def write_shards(
    tasks: list[ShardTask],
    *,
    out: Path,
    group: str,
    workers: int,
    progress: Callable[[int], None],
) -> Iterator[Note]:
    """Writes shards, several at a time, and notes each in `out` when it is finished.

    Args:
        tasks: one a shard.
        out: the records folder.
        group: as of `resume`.
        workers: shards at a time.
        progress: receives the number of images done since it was last called.

    Yields:
        the note of each shard, in the order in which they are finished.

    Raises:
        OSError: a shard could not be written, or a worker process was killed. The others give up
            at their next image; nothing of theirs stays but finished shards.
    """
    total = sum(len(task.ids) for task in tasks)
    anew = any(task.reencoding is not None for task in tasks)
    processes = min(workers, -(-total // IMAGES_PER_PROCESS), len(tasks))
    threads = anew or processes < 2
    crew = _threads(workers, len(tasks)) if threads else _processes(processes, len(tasks))
    with crew as (pool, submit, stop, counts):
        seen = 0
        try:
            with _blocked_interrupts():
                left: set[Future] = {
                    submit(number, task, out, group) for number, task in enumerate(tasks)
                }
            while left:
                done, left = wait(left, _POLL_SECONDS, FIRST_COMPLETED)
                now = sum(counts)
                progress(now - seen)
                seen = now
                for future in done:
                    yield future.result()
        except BrokenProcessPool:
            raise OSError(
                "a worker process was killed from outside, most likely for want of memory: "
                "try fewer --workers"
            ) from None
        finally:  # Ctrl-C too
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)


class _Flag:
    """An event without a lock, which a process that is killed would never give back.

    Args:
        value: shared by all who look at the flag; has an attribute `value`.
    """

    def __init__(self, value: Any):
        self._value = value

    def is_set(self) -> bool:
        return bool(self._value.value)

    def set(self) -> None:
        self._value.value = 1


def _work(
    number: int, task: ShardTask, out: Path, group: str, stop: Stop, counts: MutableSequence[int]
) -> Note:
    def tick() -> None:
        counts[number] += 1  # nobody else writes this one

    note = write_shard(task, stop=stop, tick=tick)
    resume.save_note(out, group, note)
    return note


# The pool, what gives it a task, the flag that stops it, and the images done of each task.
Crew = tuple[Executor, Callable[..., Future], _Flag, Sequence[int]]


@contextlib.contextmanager
def _threads(workers: int, num_tasks: int) -> Iterator[Crew]:
    stop, counts = _Flag(types.SimpleNamespace(value=0)), [0] * num_tasks

    def submit(*what: Any) -> Future:
        return pool.submit(_work, *what, stop, counts)

    with strict_decoding(), ThreadPoolExecutor(workers) as pool:
        yield pool, submit, stop, counts


@contextlib.contextmanager
def _processes(workers: int, num_tasks: int) -> Iterator[Crew]:
    context = multiprocessing.get_context(start_method())
    stop, counts = _Flag(context.RawValue("b", 0)), context.RawArray("Q", num_tasks)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin_process, initargs=(stop, counts)
    ) as pool:
        yield pool, lambda *what: pool.submit(_work_here, *what), stop, counts


def start_method() -> str:
    """How worker processes begin: "fork" or "spawn".

    A fork has all modules and the plan at once, where a new process takes a fifth of a second to
    import them. But the copy of a process with threads (TensorFlow's, say) may hang.
    """
    try:
        alone = len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        alone = False
    return "fork" if alone and "tensorflow" not in sys.modules else "spawn"


# What a worker process was started with; such things cannot be sent to it later.
_process_state: dict[str, Any] = {}


def _begin_process(stop: _Flag, counts: MutableSequence[int]) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a fork has its parent's answer to it
    decoding = strict_decoding()
    decoding.__enter__()  # for as long as the process lives
    _process_state.update(stop=stop, counts=counts, decoding=decoding)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _work_here(*what: Any) -> Note:
    return _work(*what, _process_state["stop"], _process_state["counts"])


def _end_with_parent() -> None:
    """A conversion that was killed must not go on in its workers, beside the one that follows."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


@contextlib.contextmanager
def _blocked_interrupts() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C: it goes to all of a terminal's processes, and
    the first is to tell the others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
