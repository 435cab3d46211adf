"""How commands end: in words and an exit code, whatever goes wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable

from experiments.settings import UnknownSettingError


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
        That of `work`; 2 for usage and an unknown recipe or setting, 1 for a measurement that
        failed, a value, a file or a package that is not there, 130 after Ctrl-C.
    """
    try:
        return work()
    except (UsageError, UnknownSettingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (MeasurementError, ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\n{interrupted}", file=sys.stderr)
        return 130
