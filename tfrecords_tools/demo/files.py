"""Files that appear under their name complete or not at all."""

from __future__ import annotations

import os
from pathlib import Path

TEMPORARY_SUFFIX = ".partial"


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that appears under its name complete or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY_SUFFIX}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
