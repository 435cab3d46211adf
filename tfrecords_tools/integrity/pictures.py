"""Opens every image of a split, many at a time, and tells in order what each of them is."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy as np

from tfrecords_tools.images import BadImageError, read_file, strict_decoding
from tfrecords_tools.integrity.journal import Journal, stamp_of
from tfrecords_tools.integrity.traits import to_bits, traits_of
from tfrecords_tools.proof import prove_image

BATCH = 64  # images between two looks at the journal and at whether to stop


class ImageSource(Protocol):
    """Where images lie by id, as `RawFolder` tells it; `images` is the folder of them all."""

    images: Path

    def image_path(self, image_id: bytes) -> Path: ...


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What an image is.

    Attributes:
        image_id: its id.
        fault: why it cannot become a record, "kind" or "kind: detail"; empty when it can.
        traits: of a good image, as bits (`traits.from_bits`).
        noted: whether the journal knew it already, so that it was not opened.
    """

    image_id: bytes
    fault: str
    traits: int
    noted: bool


def inspect(
    source: ImageSource, ids: np.ndarray, journal: Journal, *, workers: int
) -> Iterator[Verdict]:
    """Opens the images, in the order of their ids; what was good goes into the journal.

    An image is good when it decodes, all of it, as a conversion proves it. At most a few
    batches a worker are in memory, however many images there are.

    Args:
        source: where they are.
        ids: (N,) S16.
        journal: of the split.
        workers: images that are decoded at a time.

    Raises:
        OSError: the images' folder went away, or the journal cannot be written.
    """
    batches = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
    stop = threading.Event()
    waiting: deque[concurrent.futures.Future] = deque()
    with strict_decoding(), concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            for batch in batches:
                waiting.append(pool.submit(_inspect_batch, source, batch, journal, stop))
                if len(waiting) > 2 * workers:
                    yield from _collect(waiting.popleft(), journal)
            while waiting:
                yield from _collect(waiting.popleft(), journal)
        except BaseException:  # Ctrl-C too: the workers give up at their next image
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _collect(future: concurrent.futures.Future, journal: Journal) -> Iterator[Verdict]:
    verdicts, rows = future.result()
    journal.note(rows)
    yield from verdicts


def _inspect_batch(
    source: ImageSource, ids: np.ndarray, journal: Journal, stop: threading.Event
) -> tuple[list[Verdict], list[tuple[bytes, int, int]]]:
    """Verdicts of a batch and the rows for the journal."""
    verdicts, rows = [], []
    for image_id in ids.tolist():
        if stop.is_set():
            break
        verdict, row = _inspect_one(source, image_id, journal)
        verdicts.append(verdict)
        if row is not None:
            rows.append(row)
    return verdicts, rows


def _inspect_one(source: ImageSource, image_id: bytes, journal: Journal):
    path = source.image_path(image_id)
    try:
        status = path.stat()  # before reading: a file that changes meanwhile is looked at again
        noted = journal.known(image_id, status)
        if noted is not None:
            return Verdict(image_id, "", noted, True), None
    except OSError:
        status = None  # `read_file` tells why
    try:
        traits = to_bits(inspect_file(path))
    except BadImageError as error:
        _require_folder(source)
        return Verdict(image_id, str(error), 0, False), None
    row = None if status is None else (image_id, stamp_of(status), traits)
    return Verdict(image_id, "", traits, False), row


def inspect_file(path: Path) -> frozenset[str]:
    """Traits of an image file that decodes.

    Raises:
        BadImageError: it cannot become a record; the message is "kind" or "kind: detail".
        OSError: reading failed for a reason that has nothing to do with this one file.
    """
    data = read_file(path)
    prove_image(data)
    return traits_of(data)


def _require_folder(source: ImageSource) -> None:
    """A disk that was unplugged is not a million missing images."""
    if not source.images.is_dir():
        raise OSError(f"the image folder {source.images} went away during the check")
