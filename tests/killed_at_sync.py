"""`python -m experiments.index` that dies by SIGKILL when it makes a file safe for the n-th time.

    KILLED_AT_SYNC=3 python -m tests.killed_at_sync search ...

What it writes is on the disk by then, and has not got its name yet.
"""

from __future__ import annotations

import os
import signal
import sys

from experiments.index import main

if __name__ == "__main__":
    left = int(os.environ["KILLED_AT_SYNC"])
    plain = os.fsync

    def fsync(descriptor: int) -> None:
        global left
        left -= 1
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        plain(descriptor)

    os.fsync = fsync
    sys.exit(main())
