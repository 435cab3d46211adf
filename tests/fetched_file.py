"""One file, fetched from a server of this machine and checked byte by byte."""

from __future__ import annotations

import dataclasses
import hashlib
import random
import threading
from collections.abc import Callable
from pathlib import Path

from tests.gldv2_server import Gldv2Server
from tfrecords_tools.download.fetch import Patience, fetch

CONTENT = random.Random(5).randbytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
PATH = "train/images_000.tar"
QUICK = Patience(
    tries=4, first_wait_s=0.001, longest_wait_s=0.01, silence_s=20, progress_bytes=10_000
)
# Where silence is what is tested; on a busy machine it may find some where there is none.
IMPATIENT = dataclasses.replace(QUICK, silence_s=0.4)


def getter(server: Gldv2Server, folder: Path) -> Callable:
    """Fetches the file, with or without its MD5; the ticks must add up to its size."""

    def call(md5=MD5, patience=QUICK, stop=None, **options):
        ticks = []
        target = folder / "file"
        done = fetch(
            f"{server.url}/{PATH}", target, md5=md5, patience=patience,
            stop=stop or threading.Event(), tick=ticks.append, **options,
        )  # fmt: skip
        assert target.read_bytes() == server.files[PATH]
        assert done.bytes == sum(ticks) == len(server.files[PATH])
        assert done.md5 == hashlib.md5(server.files[PATH]).hexdigest()
        assert [path.name for path in folder.iterdir()] == ["file"]
        return done

    return call
