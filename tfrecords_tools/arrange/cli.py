"""Command line of own pictures: `python -m tfrecords_tools arrange --pictures DIR --out DIR`."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfrecords_tools.arrange.layout import (
    MARKER,
    SKIPPED,
    ArrangeError,
    broken_pictures,
    refuse_other,
    write_folder,
)
from tfrecords_tools.arrange.sources import Collection, OwnPicture, read_source
from tfrecords_tools.arrange.splits import (
    SMALLEST_HELD_OUT_CLASS,
    TEST,
    TRAIN,
    split_by_class,
)
from tfrecords_tools.arrange.tables import Arrangement
from tfrecords_tools.options import SPLITS, UsageError
from tfrecords_tools.tables import MAX_ID_CHARACTERS

INDEX_FRACTION, QUERY_FRACTION = 0.3, 0.1


def arrange(
    pictures: str | os.PathLike,
    out: str | os.PathLike,
    *,
    index_fraction: float = INDEX_FRACTION,
    query_fraction: float = QUERY_FRACTION,
    copy: bool = False,
    decode: bool = True,
    workers: int | None = None,
    progress: bool = True,
    say: Callable[[str], None] = print,
) -> Arrangement:
    """Lays own pictures out as a GLDv2 folder, with index, queries and ground truth.

    Args:
        pictures: a folder with one folder a class, or a CSV `path,label` (and `split`, if the
            splits are to be one's own).
        out: the folder to make.
        index_fraction, query_fraction: of each class, see `splits.split_by_class`; both 0 make a
            folder of training pictures alone.
        copy: copy the pictures instead of linking to them.
        decode: prove first that each picture decodes; what does not is left out and listed.
        workers: pictures decoded at a time; None means one per available core.
        progress: whether to draw progress bars (only where standard error is a terminal).
        say: receives the lines that tell what was done.

    Raises:
        RawFolderError: no pictures, or a CSV that is wrong.
        ArrangeError: `out` holds something else; not two classes; too few pictures to ask with.
        ValueError: a fraction out of its range.
        OSError: something cannot be read or written.
    """
    pictures, out = Path(pictures).absolute(), Path(out).absolute()
    refuse_other(out, pictures)
    collection = read_source(pictures)
    ids = _ids(collection.pictures)
    if decode:
        workers = workers or len(os.sched_getaffinity(0))
        broken = broken_pictures(collection, ids, out, workers=workers, progress=progress)
    else:
        paths = zip(ids.tolist(), (picture.path for picture in collection.pictures), strict=True)
        broken = {image_id: "missing" for image_id, path in paths if not Path(path).is_file()}
    good = np.array([image_id not in broken for image_id in ids.tolist()])
    kept = [p for p, is_good in zip(collection.pictures, good, strict=True) if is_good]
    skipped = collection.unreadable + [
        (p.name, p.label, broken[image_id])
        for p, image_id in zip(collection.pictures, ids.tolist(), strict=True)
        if image_id in broken
    ]
    arranged = _arrange(kept, ids[good], index_fraction, query_fraction)
    _check(arranged, skipped, asks=query_fraction > 0)
    made = write_folder(out, arranged, skipped, copy=copy, progress=progress)
    for line in _summary(out, arranged, collection, skipped, made):
        say(line)
    return arranged


def _ids(pictures: list[OwnPicture]) -> np.ndarray:
    ids = np.array([picture.id for picture in pictures], f"S{MAX_ID_CHARACTERS}")
    first: dict[bytes, int] = {}
    for row, image_id in enumerate(ids.tolist()):
        if first.setdefault(image_id, row) != row:
            raise ArrangeError(
                f"{pictures[first[image_id]].name!r} and {pictures[row].name!r} have the same id "
                f"{image_id.decode()}: rename one of them"
            )
    return ids


def _arrange(
    pictures: list[OwnPicture], ids: np.ndarray, index_fraction: float, query_fraction: float
) -> Arrangement:
    names = sorted({picture.label for picture in pictures})
    number = {name: place for place, name in enumerate(names)}
    classes = np.array([number[picture.label] for picture in pictures], np.int64)
    if any(picture.split is not None for picture in pictures):
        parts = np.array([SPLITS.index(picture.split) for picture in pictures], np.int8)
    else:
        parts = split_by_class(
            ids, classes, index_fraction=index_fraction, query_fraction=query_fraction
        )
    return Arrangement(pictures, ids, names, classes, parts)


def _check(arranged: Arrangement, skipped: list[tuple[str, str, str]], *, asks: bool) -> None:
    """Refuses what no training could use."""
    trained = np.unique(arranged.classes[arranged.parts == TRAIN])
    if len(trained) < 2:
        reasons = Counter(reason.split(":")[0] for _, _, reason in skipped)
        lost = ", ".join(f"{count} {kind}" for kind, count in reasons.most_common())
        raise ArrangeError(
            f"{len(arranged.pictures)} usable pictures of {len(trained)} class(es) to train on: at "
            "least two classes are needed" + (f"; left out: {lost}" if lost else "")
        )
    queries = int((arranged.parts == TEST).sum())
    has_own_splits = arranged.pictures[0].split is not None
    if queries < 2 and (queries or (asks and not has_own_splits)):
        raise ArrangeError(
            f"{queries} picture(s) to ask with, at least two are needed. Classes of "
            f"{SMALLEST_HELD_OUT_CLASS} pictures and more give some; --query-fraction 0 "
            "--index-fraction 0 makes a folder of training pictures alone"
        )


def _summary(
    out: Path,
    arranged: Arrangement,
    collection: Collection,
    skipped: list[tuple[str, str, str]],
    made: bool,
) -> list[str]:
    lines = [] if made else [f"{out} is already complete: nothing to do"]
    train, index, test = (int((arranged.parts == part).sum()) for part in range(len(SPLITS)))
    lines.append(
        f"{out}: {len(arranged.names)} classes; {train} train, {index} index, {test} test pictures"
    )
    lines += [f"ignored: {count} {what}" for what, count in collection.ignored.items()]
    if skipped:
        reasons = Counter(reason.split(":")[0] for _, _, reason in skipped)
        counts = ", ".join(f"{count} {kind}" for kind, count in reasons.most_common())
        lines.append(f"{len(skipped)} left out ({counts}): see {out / SKIPPED}")
    if test:
        lines.append(f"next: python -m experiments.run --exp mobilenet_v2_arcface --data {out}")
    else:
        lines.append(
            f"next: python -m tfrecords_tools convert --raw {out} --out RECORDS --split train"
        )
    return lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options of the command on `parser`."""
    parser.description = (
        "Lays own pictures out as GLDv2 lays out its own: links to the pictures under ids made of "
        "their paths, labels, names of the classes, and an index and queries with ground truth. "
        "The folder then goes wherever one of GLDv2 goes: convert, check, experiments.run --data."
    )
    parser.add_argument(
        "--pictures",
        required=True,
        metavar="DIR|CSV",
        help="a folder with one folder a class (DIR/<class>/**/*.jpg, .jpeg, .png), or a CSV with "
        "the columns path,label and, for splits of one's own, split (train, index, test)",
    )
    parser.add_argument(
        "--out", required=True, metavar="DIR", help=f"folder to make; {MARKER} says what is in it"
    )
    parser.add_argument(
        "--query-fraction",
        type=float,
        default=QUERY_FRACTION,
        metavar="F",
        help="part of each class that becomes queries, the split test (default: %(default)s)",
    )
    parser.add_argument(
        "--index-fraction",
        type=float,
        default=INDEX_FRACTION,
        metavar="F",
        help="part of each class that becomes the index (default: %(default)s); 0 and 0: train "
        "alone",
    )
    parser.add_argument(
        "--copy", action="store_true", help="copy the pictures (default: symbolic links)"
    )
    parser.add_argument(
        "--decode",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="prove first that each picture decodes, leave out what does not (default: yes)",
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="pictures opened at a time (default: one per core)"
    )


def run(args: argparse.Namespace) -> int:
    """Runs the command; returns the exit code.

    Raises:
        UsageError: options out of their range.
        ValueError, OSError: what `arrange` raises; the caller prints it.
    """
    if args.workers is not None and args.workers < 1:
        raise UsageError(f"--workers must be at least 1, got {args.workers}")
    sizes = (args.index_fraction, args.query_fraction)
    if sizes != (0, 0) and not (min(sizes) > 0 and sum(sizes) < 1):
        raise UsageError(
            "--index-fraction and --query-fraction must both be above 0 with a sum below 1, or "
            f"both 0, got {sizes[0]:g} and {sizes[1]:g}"
        )
    arrange(
        args.pictures,
        args.out,
        index_fraction=args.index_fraction,
        query_fraction=args.query_fraction,
        copy=args.copy,
        decode=args.decode,
        workers=args.workers,
    )
    return 0
