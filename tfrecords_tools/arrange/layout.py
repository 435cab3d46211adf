"""Writes the folder: links to the pictures in GLDv2's places, the CSVs, and all of it at once.

Everything is made in a hidden folder beside, which takes the name asked for when it is whole. A
second run continues what a first one left there; pictures that were proven to decode are not opened
again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from landmarks_tf.records import replacing, write_text
from tfrecords_tools.arrange.sources import Collection
from tfrecords_tools.arrange.tables import Arrangement, all_tables
from tfrecords_tools.demo.tables import encode_rows
from tfrecords_tools.integrity.journal import Journal
from tfrecords_tools.integrity.pictures import inspect
from tfrecords_tools.options import SPLITS
from tfrecords_tools.raw import relative_path

MARKER = "arrange.json"
SKIPPED = "skipped.csv"
# Raised whenever the same pictures and settings would give another folder.
CONTENT_VERSION = 1


class ArrangeError(ValueError):
    """The folder asked for holds something else, or the pictures cannot be arranged."""


def partial_folder(out: Path) -> Path:
    """Where an arrangement lies until it is whole: beside, so that links stay right."""
    return out.with_name(f".{out.name}.partial")


def refuse_other(out: Path, pictures: Path) -> None:
    """Raises ArrangeError where `out` lies in the pictures' folder, or holds something else."""
    if pictures in (out, *out.parents):
        raise ArrangeError(
            f"{out} lies in the pictures' own folder, where it would be a class itself: choose a "
            "--out elsewhere"
        )
    if not out.exists() or (out / MARKER).is_file():
        return
    if not out.is_dir():
        raise ArrangeError(f"{out} is a file: --out is the folder to make")
    if any(out.iterdir()):
        raise ArrangeError(f"{out} is not empty and not of this command: choose a new --out")


def broken_pictures(
    collection: Collection, ids: np.ndarray, out: Path, *, workers: int, progress: bool
) -> dict[bytes, str]:
    """Id -> reason of each picture that does not decode, as a conversion would leave it out.

    Args:
        collection: the pictures.
        ids: (N,) S16 id of each.
        out: the folder to make; beside it is noted what was proven.
        workers: pictures decoded at a time.
        progress: whether to draw a progress bar.

    Raises:
        OSError: the note cannot be written, or the pictures went away meanwhile.
    """
    path = partial_folder(out) / "decoded.journal"
    originals = _Originals(collection, ids)
    with (
        contextlib.closing(Journal(path)) as journal,
        tqdm(total=len(ids), unit=" pictures", disable=None if progress else True) as bar,
    ):
        broken = {}
        for verdict in inspect(originals, ids, journal, workers=workers):
            if verdict.fault:
                broken[verdict.image_id] = verdict.fault
            bar.update()
    return broken


class _Originals:
    """Own pictures where they are, as `inspect` asks for them."""

    def __init__(self, collection: Collection, ids: np.ndarray):
        self.images = collection.root
        self._by_id = dict(zip(ids.tolist(), collection.pictures, strict=True))

    def image_path(self, image_id: bytes) -> Path:
        return Path(self._by_id[image_id].path)


def write_folder(
    out: Path,
    arranged: Arrangement,
    skipped: Iterable[tuple[str, str, str]],
    *,
    copy: bool,
    progress: bool,
) -> bool:
    """Makes the folder; False when it was there already, the same.

    Args:
        out: the folder; it appears when all of it is there.
        arranged: the pictures and their places.
        skipped: (name, label, reason) of what was left out.
        copy: copy the pictures, instead of symbolic links to them.
        progress: whether to draw a progress bar.

    Raises:
        ArrangeError: `out` is an arrangement of other pictures or settings.
        OSError: something cannot be written; what is done is kept for the next run.
    """
    places = [
        relative_path(SPLITS[part], image_id)
        for image_id, part in zip(arranged.ids.tolist(), arranged.parts.tolist(), strict=True)
    ]
    links = None if copy else _links(out, arranged, places)
    marker = _marker(arranged, links)
    if (out / MARKER).is_file():
        if (out / MARKER).read_text("utf-8") == marker:
            shutil.rmtree(partial_folder(out), ignore_errors=True)
            return False
        raise ArrangeError(
            f"{out} holds other pictures, or was made with other settings: choose a new --out, or "
            "remove it (it holds links and tables, the pictures are elsewhere unless copied)"
        )
    partial = partial_folder(out)
    _begin(partial, marker)
    sources = links or [picture.path for picture in arranged.pictures]
    _place_pictures(partial, places, sources, _copy if copy else _link, progress)
    for name, content in {**all_tables(arranged), SKIPPED: _skipped_table(skipped)}.items():
        with replacing(partial / name) as temporary:
            temporary.write_bytes(content)
    for left_over in (*partial.glob("*.journal"), partial / "begun.json"):
        left_over.unlink(missing_ok=True)
    os.sync()  # the pictures copied reach the disk before the folder is taken for whole
    write_text(partial / MARKER, marker)
    partial.rename(out)
    return True


def _begin(partial: Path, marker: str) -> None:
    """Clears away what a run with other pictures or settings left in the hidden folder."""
    partial.mkdir(parents=True, exist_ok=True)
    begun = partial / "begun.json"
    if not begun.is_file() or begun.read_text("utf-8") != marker:
        for split in SPLITS:
            shutil.rmtree(partial / split, ignore_errors=True)
        for table in (*partial.glob("*.csv"), partial / MARKER):
            table.unlink(missing_ok=True)
        write_text(begun, marker)


def _place_pictures(
    partial: Path,
    places: list[str],
    sources: list[str],
    put: Callable[[str, Path], None],
    progress: bool,
) -> None:
    made: set[Path] = set()
    bar = tqdm(
        zip(places, sources, strict=True),
        total=len(places),
        unit=" pictures",
        disable=None if progress else True,
    )
    for place, source in bar:
        target = partial / place
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        put(source, target)


def _copy(source: str, target: Path) -> None:
    if not target.exists():
        temporary = target.with_suffix(".tmp")
        shutil.copyfile(source, temporary)
        temporary.replace(target)


def _link(to: str, target: Path) -> None:
    if target.is_symlink():
        if str(target.readlink()) == to:
            return
        target.unlink()
    target.symlink_to(to)


def _links(out: Path, arranged: Arrangement, places: list[str]) -> list[str]:
    """What each link says: the way from its folder in `out` to the picture.

    The hidden folder lies in the same one as `out`: what is right from there is right from here.
    """
    base = os.path.realpath(out.parent) + f"/{out.name}/"
    return [
        os.path.relpath(_real(picture.path), base + place.rpartition("/")[0])
        for picture, place in zip(arranged.pictures, places, strict=True)
    ]


def _real(path: str) -> str:
    """The file with the links of its folders resolved, its own name as it is."""
    folder, _, name = path.rpartition("/")
    return f"{_real_folder(folder or '/')}/{name}"


@functools.lru_cache(maxsize=1024)
def _real_folder(folder: str) -> str:
    return os.path.realpath(folder)


def _marker(arranged: Arrangement, links: list[str] | None) -> str:
    """What decided the folder, and what is in it, as JSON; `links` is None where it has copies."""
    digest = hashlib.sha256()
    parts = arranged.parts.tolist()
    for row, picture in enumerate(arranged.pictures):
        source = links[row] if links else str(Path(picture.path).stat().st_size)
        line = "\0".join((SPLITS[parts[row]], picture.name, picture.label, source, ""))
        digest.update(os.fsencode(line))
    content = {
        "what": "own pictures, laid out as GLDv2 by `python -m tfrecords_tools arrange`",
        "content_version": CONTENT_VERSION,
        "ids": "first 16 hexadecimal digits of the SHA-256 of the path in pictures.csv",
        "copied": links is None,
        "classes": len(arranged.names),
        **{split: parts.count(part) for part, split in enumerate(SPLITS)},
        "sha256_of_pictures": digest.hexdigest(),
    }
    return json.dumps(content, indent=1) + "\n"


def _skipped_table(skipped: Iterable[tuple[str, str, str]]) -> bytes:
    return encode_rows(["path", "label", "reason"], [list(row) for row in skipped])
