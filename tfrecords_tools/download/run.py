"""The download: every file that is missing, several at a time, each through all its steps."""

from __future__ import annotations

import dataclasses
import queue
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from tqdm import tqdm

from tfrecords_tools.download.disk import in_words
from tfrecords_tools.download.extract import ArchiveError
from tfrecords_tools.download.fetch import StoppedError
from tfrecords_tools.download.http import GivenUpError, RefusedError
from tfrecords_tools.download.inventory import Inventory, describe, take_inventory
from tfrecords_tools.download.options import DownloadOptions
from tfrecords_tools.download.published import ABOUT_BYTES, IMAGES, TARS, PublishedTar
from tfrecords_tools.download.state import DownloadFolder
from tfrecords_tools.download.steps import Steps
from tfrecords_tools.download.tables import TableError

_IN_A_ROW = 8  # files given up with no other answer between, before the run ends
_GRACE_S = 5.0


class DownloadError(OSError):
    """Some files could not be fetched; the message names them and says why."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What a download did. Attributes: tars and images extracted, CSVs fetched, bytes, repairs.

    `repairs` counts the connections that broke, stalled or gave a wrong file and were mended.
    """

    tars: int = 0
    images: int = 0
    tables: int = 0
    bytes: int = 0
    repairs: int = 0


def download(
    out: Path,
    options: DownloadOptions,
    *,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Report:
    """Fetches what is missing or wrong of GLDv2, and extracts it.

    Args:
        out: the GLDv2 folder; made when it is not there.
        options: what to fetch, and how.
        progress: whether to draw a progress bar (only where standard error is a terminal).
        say: receives the lines that tell what is done.

    Raises:
        DownloadError: files that could not be fetched, though everything else was.
        OSError: the disk is full, a folder is not writable, and the like; what is there stays.
    """
    folder = DownloadFolder(Path(out))
    folder.make(options.splits)
    with folder.locked():
        inventory = take_inventory(options, folder)
        for line in describe(inventory, options, folder):
            say(line)
        for tar in inventory.lost:
            folder.forget_tar(tar)
        report = _Download(folder, options, inventory, progress, say).run()
        for line in _summary(report, folder, options):
            say(line)
    return report


def dry_run(out: Path, options: DownloadOptions, *, say: Callable[[str], None] = print) -> None:
    """Says what `download` would do; writes nothing.

    Raises:
        OSError: the folder cannot be read.
    """
    folder = DownloadFolder(Path(out))
    inventory = take_inventory(options, folder)
    for line in describe(inventory, options, folder):
        say(line)
    there = next(path for path in (folder.root, *folder.root.absolute().parents) if path.is_dir())
    need = sum(inventory.sizes.get(tar.name, ABOUT_BYTES[tar.split]) for tar in inventory.tars_left)
    say(
        f"disk: {in_words(shutil.disk_usage(there).free)} free in {there}; the images of these "
        f"tars take about {in_words(need)}"
    )


class _Download:
    """One run: a queue of files, threads that take from it, and what became of each."""

    def __init__(
        self,
        folder: DownloadFolder,
        options: DownloadOptions,
        inventory: Inventory,
        progress: bool,
        say: Callable[[str], None],
    ):
        self._options, self._inventory = options, inventory
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._report = Report()
        self._failed: dict[str, str] = {}
        self._in_a_row = 0
        self._fatal: BaseException | None = None
        self._steps = Steps(
            folder, options, inventory, stop=self._stop, tick=self._tick, count=self._count, say=say
        )
        self._bar = tqdm(
            total=sum(inventory.sizes.values()) or None,
            unit="B",
            unit_scale=True,
            desc=f"0 of {len(inventory.tars_left)} tars",
            disable=None if progress else True,
        )

    def run(self) -> Report:
        """Works until the queue is empty or the run has to end.

        The threads are daemons: whatever a silent server keeps one waiting for, Ctrl-C ends the
        program, and files are as safe then as when it is killed.
        """
        work: queue.SimpleQueue = queue.SimpleQueue()
        for item in (*self._inventory.tables_left, *self._inventory.tars_left):
            work.put(item)
        count = min(self._options.jobs, work.qsize())
        threads = [
            threading.Thread(target=self._work, args=(work,), daemon=True) for _ in range(count)
        ]
        with self._bar:
            try:
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
            except BaseException:
                self._stop.set()
                for thread in threads:
                    thread.join(_GRACE_S / len(threads))
                raise
        self._raise_what_failed()
        return self._report

    def _work(self, work: queue.SimpleQueue) -> None:
        while not self._stop.is_set():
            try:
                item = work.get_nowait()
            except queue.Empty:
                return
            try:
                if isinstance(item, PublishedTar):
                    self._steps.fetch_tar(item)
                else:
                    self._steps.fetch_table(item)
                self._in_a_row = 0
            except StoppedError:
                return
            except (RefusedError, ArchiveError, TableError, ValueError) as error:
                self._note_failure(item.name, error)
            except BaseException as error:  # this disk's, or a fault of ours: the others end too
                self._fatal = self._fatal or error
                self._stop.set()

    def _note_failure(self, name: str, error: Exception) -> None:
        with self._lock:
            self._failed[name] = str(error)
            # A server that says no is there: a mirror without CSVs may still have the tars.
            self._in_a_row = self._in_a_row + 1 if isinstance(error, GivenUpError) else 0
            if self._in_a_row >= _IN_A_ROW:
                self._stop.set()

    def _raise_what_failed(self) -> None:
        done = self._report
        kept = "nothing new was fetched: the same command tries again"
        if done.tars or done.tables:
            kept = (
                f"{done.tars} tar(s) and {done.tables} CSV(s) were fetched and are kept: "
                "the same command continues"
            )
        if isinstance(self._fatal, OSError):
            words = self._fatal.strerror or str(self._fatal)
            place = f"{self._fatal.filename}: " if self._fatal.filename else ""
            raise OSError(f"{place}{words}\n{kept}") from self._fatal
        if self._fatal is not None:
            raise self._fatal
        if self._failed:
            lines = [f"{len(self._failed)} file(s) could not be fetched:"]
            lines += [f"  {name}: {reason}" for name, reason in sorted(self._failed.items())[:10]]
            if len(self._failed) > 10:
                lines.append(f"  and {len(self._failed) - 10} more")
            if self._stop.is_set():
                lines.append(f"{_IN_A_ROW} files failed one after the other: no more were tried")
            raise DownloadError("\n".join([*lines, kept]))

    def _tick(self, count: int) -> None:
        with self._lock:
            self._bar.update(count)

    def _count(self, **more: int) -> None:
        with self._lock:
            values = {name: getattr(self._report, name) + count for name, count in more.items()}
            self._report = dataclasses.replace(self._report, **values)
            self._bar.set_description(
                f"{self._report.tars} of {len(self._inventory.tars_left)} tars"
            )


def _summary(report: Report, folder: DownloadFolder, options: DownloadOptions) -> list[str]:
    """What is there now, beside what is published."""
    lines = [
        f"fetched {in_words(report.bytes)}: {report.tars} tar(s) with {report.images} images, "
        f"{report.tables} CSV(s); {report.repairs} broken connection(s) were mended"
    ]
    for split in options.splits:
        tars = [PublishedTar(split, number) for number in range(TARS[split])]
        notes = [note for tar in tars if (note := folder.note_of_tar(tar)) is not None]
        images = sum(note.images for note in notes)
        line = f"{split}: {len(notes)} of {len(tars)} tars are here, {images} images"
        if len(notes) == len(tars) and images != IMAGES[split]:
            line += f"; warning: {IMAGES[split]} are published"
        lines.append(line)
    return lines
