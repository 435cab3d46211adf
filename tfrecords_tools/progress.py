"""A progress bar where someone watches, and nothing at all, not even its import, elsewhere.

To import tqdm takes as long as to convert some hundred pictures, and it starts a thread.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol


class ProgressBar(Protocol):
    """What is used of a `tqdm.tqdm`; a context manager, too."""

    def update(self, amount: int = 1) -> Any: ...

    def __enter__(self) -> ProgressBar: ...

    def __exit__(self, *error) -> Any: ...


class _NoBar:
    def update(self, amount: int = 1) -> None:
        pass

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *error) -> None:
        pass


def progress_bar(wanted: bool, **how: Any) -> ProgressBar:
    """A bar on standard error if it is wanted and standard error is a terminal.

    It is drawn by those who call `update`, without the thread that would draw it as well: a
    process with threads cannot be forked.

    Args:
        wanted: whether to draw it where it can be seen.
        how: arguments of `tqdm.tqdm`.
    """
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        return _NoBar()
    from tqdm import tqdm

    class Bar(tqdm):
        """A class of its own: others' bars keep their thread."""

        monitor_interval = 0

    return Bar(**how)
