"""Draws pictures in several processes and puts each file in its place."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import connection
from pathlib import Path

from tqdm import tqdm

from tfrecords_tools.demo.files import write_whole
from tfrecords_tools.demo.plan import Picture, Settings
from tfrecords_tools.demo.studio import take_picture

# Pictures of one landmark that one worker draws in a row: long enough to build the scene once,
# short enough to share the work evenly and to move the progress bar.
_CHUNK = 24


def draw_all(
    root: Path, settings: Settings, pictures: list[Picture], *, workers: int, progress: bool
) -> None:
    """Draws `pictures` below `root`; each file appears complete or not at all.

    Raises:
        OSError: a file could not be written, or a worker process died.
    """
    chunks = _chunks(pictures)
    with tqdm(total=len(pictures), unit="image", desc="demo", disable=not progress) as bar:
        if workers == 1 or len(chunks) <= 1:
            for chunk in chunks:
                bar.update(draw_chunk(root, settings, chunk))
            return
        for done in _in_processes(root, settings, chunks, workers):
            bar.update(done)


def draw_chunk(root: Path, settings: Settings, chunk: list[Picture]) -> int:
    """Draws some pictures in this process; returns how many."""
    for picture in chunk:
        path = root / picture.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, take_picture(settings, picture))
    return len(chunk)


def _chunks(pictures: Iterable[Picture]) -> list[list[Picture]]:
    scenes: dict[int, list[Picture]] = {}
    for picture in pictures:
        scenes.setdefault(picture.scene, []).append(picture)
    return [
        group[start : start + _CHUNK]
        for group in scenes.values()
        for start in range(0, len(group), _CHUNK)
    ]


def _in_processes(
    root: Path, settings: Settings, chunks: list[list[Picture]], workers: int
) -> Iterator[int]:
    # spawn: a fork of a process with running TensorFlow threads can hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        min(workers, len(chunks)), mp_context=context, initializer=_start_worker
    )
    try:
        waiting = _submit(pool, root, settings, chunks)
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    except BrokenProcessPool as error:
        raise OSError(
            "A process that drew pictures ended unexpectedly (killed, or out of memory). Run the "
            "same command again to continue, with --workers 1 if it happens again."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(
    pool: ProcessPoolExecutor, root: Path, settings: Settings, chunks: list[list[Picture]]
) -> set[Future[int]]:
    # The processes start here and inherit the blocked signal: Ctrl-C is the parent's business.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return {pool.submit(draw_chunk, root, settings, chunk) for chunk in chunks}
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _start_worker() -> None:
    """Ends this process with its parent, however that ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    connection.wait([sentinel])
    os._exit(1)
