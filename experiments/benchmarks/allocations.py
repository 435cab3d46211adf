"""What a TensorFlow process asked its allocator for, at most, out of the allocator's own log.

The process' resident memory would say what the allocator's pool made of it: it grows by doubling,
and a tensor that fits no gap takes new room though the old is free. What a step needs is the sum
of the tensors that were alive at once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Makes TensorFlow's CPU write a line for each tensor that comes and goes, on standard error.
LOGGED = {"TF_CPP_MIN_LOG_LEVEL": "0", "TF_CPP_VMODULE": "bfc_allocator=3"}
_LINE = re.compile(r"\] (AllocateRaw|DeallocateRaw) \w+ +(\d+)( 0x[0-9a-f]+)?\s*$")


def most_bytes_alive(log: Iterable[str]) -> int:
    """The largest sum of tensors alive at once, in bytes.

    Args:
        log: lines of the process' standard error, run with `LOGGED` in its environment.

    Raises:
        ValueError: no line is the allocator's, as without oneDNN or with another TensorFlow.
    """
    alive = most = found = 0
    for line in log:
        match = _LINE.search(line)
        # An allocation is told twice: before it is tried, and with its address when it is there.
        if match is None or (match[1] == "AllocateRaw" and match[3] is None):
            continue
        found += 1
        alive += int(match[2]) if match[1] == "AllocateRaw" else -int(match[2])
        most = max(most, alive)
    if not found:
        raise ValueError(
            "The log has no line of TensorFlow's CPU allocator. It is written with "
            f"{' '.join('='.join(pair) for pair in LOGGED.items())} and TF_ENABLE_ONEDNN_OPTS on."
        )
    return most
