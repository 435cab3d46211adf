"""Whole downloads from a server of this machine: what it has, a run, what lies on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from tests.gldv2_server import Gldv2Server, image_ids, tar_of_images
from tfrecords_tools.download.fetch import Patience
from tfrecords_tools.download.options import DownloadOptions
from tfrecords_tools.download.published import published_tables
from tfrecords_tools.download.run import download

SPLITS = ("train", "index", "test")
TARS = (("train", 0), ("train", 1), ("index", 0), ("index", 1), ("test", 0), ("test", 1))
QUICK = Patience(
    tries=4, first_wait_s=0.001, longest_wait_s=0.01, silence_s=20, progress_bytes=5_000
)
OPTIONS = DownloadOptions(tars=frozenset({0, 1}), jobs=4, patience=QUICK)


def publish(server: Gldv2Server, images_per_tar: int = 12, size: int = 700) -> dict[str, bytes]:
    """Puts two tars a split and every CSV on the server; what should lie on disk afterwards."""
    expected = {}
    for split, number in TARS:
        tar, images = tar_of_images(image_ids(split, number, images_per_tar), size)
        server.add_tar(split, number, tar)
        expected |= {f"{split}/{name}": content for name, content in images.items()}
    for table in published_tables(SPLITS):
        ids = [name[-20:-4] for name in expected if name.startswith(table.name[:4])]
        rows = "".join(",".join([name, *["1"] * (len(table.columns) - 1)]) + "\n" for name in ids)
        content = f"{','.join(table.columns)}\n{rows or '1,2'}".encode()
        server.files[f"{table.folder}/{table.name}"] = expected[table.name] = content
    return expected


def fetch(server, out, **changes):
    """A download into `out`; (its report, the lines it says)."""
    lines = []
    options = dataclasses.replace(OPTIONS, base_url=server.url, **changes)
    return download(out, options, progress=False, say=lines.append), lines


def on_disk(out: Path) -> dict[str, bytes]:
    """Everything a reader of the data set would see: not the state, not what is on its way."""
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and ".download" not in path.parts
    }


def left_over(out: Path) -> list[str]:
    """Tars and parts that are still there."""
    found = (*out.rglob("*.tar"), *out.rglob("*.part"), *out.rglob("*.part.json"))
    return sorted(str(path.relative_to(out)) for path in found)
