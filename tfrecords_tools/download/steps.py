"""What is done to one file: a tar or a CSV, from the server to its place on disk."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

from tfrecords_tools.download.disk import DiskBudget
from tfrecords_tools.download.extract import ArchiveError, extract
from tfrecords_tools.download.fetch import LARGEST_FILE, fetch, fetch_text
from tfrecords_tools.download.inventory import Inventory, bytes_there
from tfrecords_tools.download.options import DownloadOptions
from tfrecords_tools.download.partial import drop_partial
from tfrecords_tools.download.published import PublishedTable, PublishedTar, parse_md5
from tfrecords_tools.download.state import DownloadFolder
from tfrecords_tools.download.tables import TableError, check_table


class Steps:
    """The steps that several threads take at once, each with a file of its own.

    Args:
        folder: where everything lies.
        options: of the download.
        inventory: of what is left to be fetched.
        stop: when set, steps end early.
        tick: is told of bytes, as `fetch` does it.
        count: is told what there is more of, by the fields of `Report`.
        say: receives lines for people.
    """

    def __init__(
        self,
        folder: DownloadFolder,
        options: DownloadOptions,
        inventory: Inventory,
        *,
        stop: threading.Event,
        tick: Callable[[int], None],
        count: Callable[..., None],
        say: Callable[[str], None],
    ):
        self._folder, self._options = folder, options
        self._stop, self._tick, self._count, self._say = stop, tick, count, say
        self._sizes = inventory.sizes
        self._names = {tar.name: tar for tar in inventory.tars_left}
        self._budget = DiskBudget(
            options.disk_budget_bytes,
            self._names,
            lambda name: bytes_there(folder, self._names[name]),
            self._drop,
        )

    def fetch_table(self, table: PublishedTable) -> None:
        """Fetches a CSV beside its place, looks at it, and moves it there.

        Raises:
            RefusedError, StoppedError: as `fetch`.
            TableError: what came is not that CSV.
            OSError: it cannot be written.
        """
        target, place = self._folder.new_table(table), self._folder.table(table)
        url = table.url(self._options.base_url)
        if not target.is_file():
            fetched = fetch(
                *(url, target), md5=None, patience=self._options.patience, stop=self._stop,
                tick=self._tick,
            )  # fmt: skip
            self._count(bytes=fetched.bytes, repairs=fetched.broken)
        try:
            check_table(target, table)
        except TableError as error:
            target.unlink()
            raise TableError(f"{url}: {error}") from None
        size = target.stat().st_size
        if place.is_file() and self._folder.size_of_table(table) is None:
            old = place.with_name(f"{place.name}.old")
            place.replace(old)
            self._say(f"{place} was another file than the published one: it is {old.name} now")
        target.replace(place)
        self._folder.save_table(table, size)
        self._count(tables=1)

    def fetch_tar(self, tar: PublishedTar) -> None:
        """Fetches a tar and its MD5, extracts it when they agree, and removes it.

        Raises:
            RefusedError, StoppedError: as `fetch`.
            ArchiveError: the tar is refused; nothing was taken from it.
            ValueError: what should be its MD5 is none.
            OSError: the disk is full, and the like.
        """
        split = self._folder.split(tar.split)
        text = fetch_text(
            tar.md5_url(self._options.base_url), patience=self._options.patience, stop=self._stop
        )
        try:
            md5 = parse_md5(text)
        except ValueError as error:
            raise ValueError(f"{tar.md5_url(self._options.base_url)}: {error}") from None
        kept = self._folder.kept_tar(tar)
        if kept.is_file() and _md5_of(kept) == md5:
            self._tick(kept.stat().st_size)
            self._extract(tar, kept, md5)
            return
        size = self._sizes.get(tar.name)
        with self._budget.room_for(tar.name, size, split, self._stop):
            path = self._folder.tar(tar)
            self._fetch_whole_tar(tar, path, md5)
            try:
                self._extract(tar, path, md5)
            except ArchiveError:
                path.unlink()
                raise
            if self._options.keep_tars:
                path.replace(kept)
            else:
                path.unlink()

    def _fetch_whole_tar(self, tar: PublishedTar, path: Path, md5: str) -> None:
        if path.is_file():
            if _md5_of(path) == md5:  # killed while it was extracted
                self._tick(path.stat().st_size)
                return
            path.unlink()
        largest = LARGEST_FILE
        if self._options.disk_budget_bytes is not None:
            largest = self._sizes[tar.name]  # what room was made for
        fetched = fetch(
            *(tar.url(self._options.base_url), path), md5=md5, patience=self._options.patience,
            stop=self._stop, tick=self._tick, largest=largest,
        )  # fmt: skip
        self._count(bytes=fetched.bytes, repairs=fetched.broken)

    def _extract(self, tar: PublishedTar, path: Path, md5: str) -> None:
        contents = extract(
            path, self._folder.split(tar.split), self._folder.staging(tar), stop=self._stop
        )
        self._folder.save_tar(tar, contents, md5, path.stat().st_size)
        self._count(tars=1, images=len(contents.images))
        if contents.others:
            self._say(
                f"{tar.name}: {len(contents.others)} file(s) are no {{a}}/{{b}}/{{c}}/{{id}}.jpg "
                f"and were left out, such as {contents.others[0]!r}"
            )

    def _drop(self, name: str) -> None:
        path = self._folder.tar(self._names[name])
        drop_partial(path)
        path.unlink(missing_ok=True)


def _md5_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
