"""One file by HTTP, whatever the server does: resumed, bounded in tries, and taken only whole."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tfrecords_tools.download.http import (
    Answer,
    GivenUpError,
    RefusedError,
    UnansweredError,
    asking,
)
from tfrecords_tools.download.partial import PartialFile

LARGEST_FILE = 32 * 2**30  # no file of GLDv2 comes near; a body without an end stops here
LARGEST_TEXT = 4096


@dataclasses.dataclass(frozen=True)
class Patience:
    """How long to bear with a server.

    Attributes:
        tries: in a row that bring nothing new, before a file is given up.
        wrong_files: whole files with the wrong MD5 before a file is given up.
        first_wait_s: before the second try; doubled for each one after, and varied by half so
            that many connections do not come back at once.
        longest_wait_s: the most that is waited, also where the server asks for more.
        silence_s: a connection that gives nothing for so long is given up.
        slowest_bytes_s: so is one that gives less than this, measured over `silence_s`.
        progress_bytes: what a try must bring for the tries to be counted anew.
    """

    tries: int = 8
    wrong_files: int = 3
    first_wait_s: float = 1.0
    longest_wait_s: float = 120.0
    silence_s: float = 60.0
    slowest_bytes_s: float = 1024.0
    progress_bytes: int = 2**20

    def wait_s(self, failures: int, asked_s: float | None) -> float:
        """The pause after `failures` (1 or more) tries in a row without success, in seconds."""
        backoff = min(self.longest_wait_s, self.first_wait_s * 2.0 ** min(failures - 1, 30))
        wait = max(backoff * random.uniform(0.5, 1.0), asked_s or 0.0)
        return min(wait, self.longest_wait_s)


class StoppedError(Exception):
    """The run is ending; what has come so far stays."""


@dataclasses.dataclass(frozen=True)
class Fetched:
    """A whole file. Attributes: bytes, md5 (32 hexadecimal digits), broken (tries that failed)."""

    bytes: int
    md5: str
    broken: int


def fetch(
    url: str,
    target: Path,
    *,
    md5: str | None,
    patience: Patience,
    stop: threading.Event,
    tick: Callable[[int], None] = lambda count: None,
    largest: int = LARGEST_FILE,
) -> Fetched:
    """Fetches a file to `target`, going on where `<target>.part` ends.

    With an MD5, that alone decides whether the file is whole and right, whatever lengths the server
    announces. Without one the server must say how long the file is, and parts of two versions are
    never joined.

    Args:
        url: http or https.
        target: its folder must exist.
        md5: 32 hexadecimal digits, or None where none is published.
        patience: with the server.
        stop: when set, the fetch ends at its next piece or pause.
        tick: is told of every piece: how many bytes there are more, or fewer.
        largest: bytes that the file may have at most.

    Raises:
        RefusedError: the server will not give the file; GivenUpError, which is one, where it was
            tried too often, or gives another file than its MD5 says.
        StoppedError: `stop` was set.
        OSError: the file cannot be written.
    """
    failures = wrong = broken = furthest = 0
    with PartialFile(target, tick) as part:
        furthest = part.size
        while True:
            try:
                _try(url, part, md5, largest, patience, stop)
                if md5 is None or part.md5 == md5:
                    part.finish()
                    return Fetched(part.size, part.md5, broken)
                wrong += 1
                error = UnansweredError(
                    f"{url}: its MD5 should be {md5}, {part.size} bytes came whose MD5 is "
                    f"{part.md5}"
                )
                part.restart()
                furthest = 0
                if wrong >= patience.wrong_files:
                    raise GivenUpError(f"{error} ({wrong} times)")
            except UnansweredError as unanswered:
                error = unanswered
            broken += 1
            if part.size >= furthest + patience.progress_bytes:
                failures, furthest = 0, part.size
            failures += 1
            if failures >= patience.tries:
                raise GivenUpError(f"{error} ({failures} tries)") from None
            _pause(stop, patience.wait_s(failures, error.wait_s))


def fetch_text(url: str, *, patience: Patience, stop: threading.Event) -> str:
    """A short text, such as a checksum; it is not kept on disk.

    Raises:
        RefusedError, StoppedError: as `fetch`; also when it is longer than 4 KiB.
    """
    failures = 0
    while True:
        try:
            with asking(url, silence_s=patience.silence_s) as answer:
                content = b"".join(_pieces(answer, patience, stop, LARGEST_TEXT))
            if answer.total is not None and len(content) != answer.total:
                raise UnansweredError(f"{url}: cut after {len(content)} of {answer.total} bytes")
            return content.decode("latin-1")
        except UnansweredError as error:
            failures += 1
            if failures >= patience.tries:
                raise GivenUpError(f"{error} ({failures} tries)") from None
            _pause(stop, patience.wait_s(failures, error.wait_s))


def announced_size(url: str, *, silence_s: float) -> int | None:
    """How long a file is, as the server says; None where it does not.

    Raises:
        RefusedError, UnansweredError: there is no such file, or no answer (one try).
    """
    with asking(url, silence_s=silence_s, method="HEAD") as answer:
        return answer.total


def _try(
    url: str,
    part: PartialFile,
    md5: str | None,
    largest: int,
    patience: Patience,
    stop: threading.Event,
) -> None:
    """Fetches what is missing; returns when there seems to be nothing more to come."""
    if md5 is not None and part.size and part.md5 == md5:
        return  # killed between the last byte and the rename, or the announced length was wrong
    if part.size and md5 is None and part.validator is None:
        part.restart()  # nothing could tell whether the rest would fit
    with asking(
        url, silence_s=patience.silence_s, offset=part.size, validator=part.validator
    ) as answer:
        if answer.start is None:
            _at_its_end(url, part, answer, md5)
            return
        if answer.start != part.size or part.validator not in (None, answer.validator):
            part.restart()
        if answer.start != part.size:
            raise UnansweredError(f"{url}: another part of the file than was asked for")
        if md5 is None and not answer.proves_its_end:
            raise RefusedError(f"{url}: the server does not say how long the file is")
        part.begin(answer.validator)
        limit = largest if answer.total is None else min(answer.total, largest)
        try:
            for piece in _pieces(answer, patience, stop, limit - part.size):
                part.append(piece)
        except UnansweredError:
            if md5 is not None and part.md5 == md5:
                return
            raise
    if answer.total is not None and part.size < answer.total and part.md5 != md5:
        raise UnansweredError(f"{url}: cut after {part.size} of {answer.total} bytes")


def _at_its_end(url: str, part: PartialFile, answer: Answer, md5: str | None) -> None:
    """The server has nothing behind what is there: that was all, or it is of another file."""
    if md5 is None and (
        answer.total != part.size or answer.validator not in (None, part.validator)
    ):
        part.restart()
        raise UnansweredError(f"{url}: the file has changed on the server")


def _pieces(answer: Answer, patience: Patience, stop: threading.Event, limit: int):
    """The body, at most `limit` bytes; UnansweredError when it comes too slowly."""
    came, since = 0, time.monotonic()
    total = 0
    while piece := answer.read():
        if stop.is_set():
            raise StoppedError
        total += len(piece)
        if total > limit:
            raise RefusedError(f"{answer.url}: more came than the {limit} bytes there should be")
        yield piece
        came += len(piece)
        elapsed = time.monotonic() - since
        if elapsed >= patience.silence_s:
            if came < patience.slowest_bytes_s * elapsed:
                raise UnansweredError(f"{answer.url}: {came} bytes in {elapsed:.0f} s")
            came, since = 0, time.monotonic()


def _pause(stop: threading.Event, seconds: float) -> None:
    if stop.wait(seconds):
        raise StoppedError
