"""How commands end: in words and an exit code, whatever goes wrong."""

from __future__ import annotations

import contextlib
import io
import os
import select
import sys
from collections.abc import Callable
from pathlib import Path

from experiments.settings import UnknownSettingError

NO_READER = 141  # 128 + SIGPIPE: what a shell says of a program that a closed pipe has ended


class UsageError(ValueError):
    """Options that are missing or do not go together."""


class MeasurementError(RuntimeError):
    """Something could not be measured, and why."""


def exit_code(work: Callable[[], int], *, interrupted: str = "interrupted") -> int:
    """Do the work, and turn every user's mistake into a message.

    Args:
        work: gives the exit code where nothing goes wrong.
        interrupted: what is said after Ctrl-C.

    Returns:
        That of `work`, also where nobody reads its last words (`| head`); 2 for usage and an
        unknown recipe or setting, 1 for a measurement that failed, a value, a file or a package
        that is not there, 130 after Ctrl-C, 141 where the work stopped for want of a reader.
    """
    try:
        code = work()
    except (UsageError, UnknownSettingError) as error:
        code = _told(f"error: {error}", 2)
    except (MeasurementError, ValueError, OSError, ImportError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            code = NO_READER
        else:
            code = _told(f"error: {_words(error)}", 1)
    except KeyboardInterrupt:
        code = _told(f"\n{interrupted}", 130)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:  # nor may the interpreter fail when it flushes for the last time
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
    return code


def _told(text: str, code: int) -> int:
    with contextlib.suppress(BrokenPipeError):  # the code says it too
        print(text, file=sys.stderr)
    return code


def _nobody_reads() -> bool:
    """Whether a pipe that this process writes its words to is closed at the other end.

    Another pipe may break as well, that to a process of ours which died, and is an error.
    """
    streams = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(io.UnsupportedOperation):  # a stream in memory
            streams.register(stream.fileno(), 0)
    return any(events & (select.POLLERR | select.POLLHUP) for _, events in streams.poll(0))


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{error.strerror}"
    return str(error)
