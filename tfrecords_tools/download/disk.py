"""Room on the disk: never more tars at a time than the budget allows, nor than there is space."""

from __future__ import annotations

import contextlib
import errno
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

SPARE_BYTES = 256 * 2**20  # left free for everything else that lives on the disk


class NoRoomError(OSError):
    """Not even one more tar fits, though nothing else is under way."""

    def __init__(self, words: str):
        super().__init__(errno.ENOSPC, words)


class DiskBudget:
    """Lets a tar in when there is room for it, and keeps it waiting while others take that room.

    A tar needs its own bytes and, until it is removed, as many again for its images.

    Args:
        limit_bytes: the most that tars may take at a time, half-fetched ones of earlier runs
            included; None for no limit.
        names: of all tars that there may be something of.
        left: how many bytes of a tar lie on the disk, by its name.
        drop: removes them; the tar is fetched from its start then.
        free_bytes: of the file system that a folder lies on.
    """

    def __init__(
        self,
        limit_bytes: int | None,
        names: Iterable[str],
        left: Callable[[str], int],
        drop: Callable[[str], None],
        free_bytes: Callable[[Path], int] = lambda folder: shutil.disk_usage(folder).free,
    ):
        self._limit = limit_bytes
        self._left, self._drop = left, drop
        self._idle = {name: size for name in names if (size := left(name))}
        self._free = free_bytes
        self._busy: dict[str, int] = {}
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def room_for(
        self, name: str, size: int | None, folder: Path, stop: threading.Event
    ) -> Iterator[None]:
        """Waits until a tar fits; its room is free again after the block.

        Args:
            name: of the tar.
            size: its bytes; None where the server does not say.
            folder: where it goes.
            stop: when set, it is let in at once (and ends by itself).

        Raises:
            NoRoomError: it cannot fit.
            ValueError: its size is unknown, so that the budget could not be kept.
        """
        if size is None and self._limit is not None:
            raise ValueError(f"the server does not say how large {name} is: no budget can be kept")
        if self._limit is not None and size > self._limit:
            raise NoRoomError(f"{name} has {in_words(size)}, the budget is {in_words(self._limit)}")
        with self._changed:
            while not self._fits(name, size or 0, folder) and not stop.is_set():
                if not self._busy and not self._drop_one_but(name):
                    raise NoRoomError(self._why(name, size or 0, folder))
                if self._busy:
                    self._changed.wait(0.5)
            self._idle.pop(name, None)
            self._busy[name] = size or 0
        try:
            yield
        finally:
            with self._changed:
                del self._busy[name]
                if left := self._left(name):  # it failed: what has come of it stays for later
                    self._idle[name] = left
                self._changed.notify_all()

    def _fits(self, name: str, size: int, folder: Path) -> bool:
        others = sum(self._busy.values())
        idle = sum(self._idle.values()) - self._idle.get(name, 0)
        if self._limit is not None and others + idle + size > self._limit:
            return False
        # Of what the others will still write nothing is known here: all of it is set aside.
        promised = 2 * others + 2 * size - self._idle.get(name, 0)
        return promised + SPARE_BYTES <= self._free(folder)

    def _drop_one_but(self, name: str) -> bool:
        """Removes the largest left-over of another tar; False when there is none."""
        others = {other: size for other, size in self._idle.items() if other != name}
        if not others:
            return False
        largest = max(others, key=others.__getitem__)
        self._drop(largest)
        del self._idle[largest]
        return True

    def _why(self, name: str, size: int, folder: Path) -> str:
        return (
            f"{name} needs {in_words(2 * size)} (the tar and its images) and "
            f"{in_words(SPARE_BYTES)} to spare, {in_words(self._free(folder))} are free in {folder}"
        )


def in_words(size: int) -> str:
    """1_500_000_000 -> "1.50 GB"."""
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.2f} {unit}"
    return f"{size} bytes"
