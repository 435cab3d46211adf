"""What is there, what is missing, and how large that is: the plan of a download."""

from __future__ import annotations

import concurrent.futures
import dataclasses

from tfrecords_tools.download.disk import in_words
from tfrecords_tools.download.fetch import announced_size
from tfrecords_tools.download.http import RefusedError, UnansweredError
from tfrecords_tools.download.options import DownloadOptions
from tfrecords_tools.download.partial import partial_path
from tfrecords_tools.download.presence import images_on_disk, missing_images
from tfrecords_tools.download.published import (
    ABOUT_BYTES,
    PublishedTable,
    PublishedTar,
    published_tables,
    published_tars,
)
from tfrecords_tools.download.state import DownloadFolder
from tfrecords_tools.download.tables import TableError, check_table

_SILENCE_S = 10.0  # sizes are good to know, and not worth a long wait
_SILENT_SERVERS = 4  # answers that fail to come before no more sizes are asked for


@dataclasses.dataclass(frozen=True, eq=False)
class Inventory:
    """What a download would do.

    Attributes:
        tars, tables: all that are asked for.
        tars_left, tables_left: those of them that are missing or wrong; tars of which something is
            there already come first.
        lost: how many images of a tar were extracted once and are not there any more.
        sizes: bytes of a file that is left, by its name, where the server told.
    """

    tars: list[PublishedTar]
    tables: list[PublishedTable]
    tars_left: list[PublishedTar]
    tables_left: list[PublishedTable]
    lost: dict[PublishedTar, int]
    sizes: dict[str, int]


def take_inventory(options: DownloadOptions, folder: DownloadFolder) -> Inventory:
    """Looks at the folder, and asks the server for the sizes of what is missing.

    Raises:
        OSError: the folder cannot be read.
    """
    tars = published_tars(options.splits, options.tars)
    tables = published_tables(options.splits)
    lost = _lost_images(options, folder, tars)
    tars_left = [tar for tar in tars if tar in lost or folder.note_of_tar(tar) is None]
    tars_left.sort(key=lambda tar: -bytes_there(folder, tar))
    candidates = [table for table in tables if _size_there(folder, table) is None]
    urls = {file.name: file.url(options.base_url) for file in (*candidates, *tars_left)}
    sizes = _announced_sizes(urls, options)
    tables_left = [table for table in candidates if not _adopt(folder, table, sizes)]
    left = {file.name for file in (*tables_left, *tars_left)}
    sizes = {name: size for name, size in sizes.items() if name in left}
    return Inventory(tars, tables, tars_left, tables_left, lost, sizes)


def describe(inventory: Inventory, options: DownloadOptions, folder: DownloadFolder) -> list[str]:
    """What a download would do, in words, one line each."""
    lines = [_table_line(inventory)]
    for split in options.splits:
        asked = [tar for tar in inventory.tars if tar.split == split]
        left = [tar for tar in inventory.tars_left if tar.split == split]
        line = f"{split}: {len(left)} of {len(asked)} tars to fetch"
        if left:
            line += f" ({_numbers(left)}), {_total([tar.name for tar in left], inventory.sizes)}"
            if not any(tar.name in inventory.sizes for tar in left):
                line += f", about {in_words(len(left) * ABOUT_BYTES[split])} are published"
        begun = sum(1 for tar in left if bytes_there(folder, tar))
        if begun:
            there = in_words(sum(bytes_there(folder, tar) for tar in left))
            line += f"; of {begun} of them {there} are here already"
        lines.append(line)
    for tar, count in inventory.lost.items():
        lines.append(f"{tar.name} was extracted, {count} of its images are gone: fetched again")
    return lines


def bytes_there(folder: DownloadFolder, tar: PublishedTar) -> int:
    """Bytes of a tar that earlier runs fetched and have not extracted."""
    path = folder.tar(tar)
    return sum(one.stat().st_size for one in (path, partial_path(path)) if one.is_file())


def _lost_images(
    options: DownloadOptions, folder: DownloadFolder, tars: list[PublishedTar]
) -> dict[PublishedTar, int]:
    lost = {}
    for split in options.splits:
        done = [tar for tar in tars if tar.split == split and folder.note_of_tar(tar) is not None]
        if not done:
            continue
        there = images_on_disk(folder.split(split), sizes=options.recheck)
        for tar in done:
            wanted = folder.images_of_tar(tar)
            if wanted is None:
                lost[tar] = folder.note_of_tar(tar).images
            elif missing := missing_images(wanted, there, sizes=options.recheck):
                lost[tar] = missing
    return lost


def _size_there(folder: DownloadFolder, table: PublishedTable) -> int | None:
    """Bytes of a CSV that was fetched before and is as it was then; None when it is not."""
    path, size = folder.table(table), folder.size_of_table(table)
    return size if size is not None and path.is_file() and path.stat().st_size == size else None


def _adopt(folder: DownloadFolder, table: PublishedTable, sizes: dict[str, int]) -> bool:
    """Whether a CSV that we did not fetch lies there, as long as the server's and with its header.

    So one that another program fetched stays as it is.
    """
    path = folder.table(table)
    if not path.is_file() or path.stat().st_size != sizes.get(table.name):
        return False
    try:
        check_table(path, table)
    except TableError:
        return False
    return True


def _announced_sizes(urls: dict[str, str], options: DownloadOptions) -> dict[str, int]:
    """Bytes of each file, where the server says; it is asked in parallel, once for each."""
    sizes: dict[str, int] = {}
    silent: list[str] = []
    silence_s = min(_SILENCE_S, options.patience.silence_s)

    def ask(name: str) -> None:
        if len(silent) >= _SILENT_SERVERS:
            return
        try:
            size = announced_size(urls[name], silence_s=silence_s)
        except RefusedError:
            return  # some servers know no HEAD; what is wrong is told when the file is fetched
        except UnansweredError:
            silent.append(name)
            return
        if size is not None:
            sizes[name] = size

    pool = concurrent.futures.ThreadPoolExecutor(options.jobs)
    try:
        list(pool.map(ask, urls))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # Ctrl-C waits for no silent server
    return sizes


def _table_line(inventory: Inventory) -> str:
    line = f"CSVs: {len(inventory.tables_left)} of {len(inventory.tables)} to fetch"
    names = [table.name for table in inventory.tables_left]
    if names:
        line += f" ({', '.join(names)}), {_total(names, inventory.sizes)}"
    return line


def _total(names: list[str], sizes: dict[str, int]) -> str:
    known = [sizes[name] for name in names if name in sizes]
    if not known:
        return "sizes unknown: the server does not tell"
    unknown = len(names) - len(known)
    return in_words(sum(known)) + (f" and {unknown} of unknown size" if unknown else "")


def _numbers(tars: list[PublishedTar]) -> str:
    """images_000 to images_003, images_007."""
    runs: list[list[PublishedTar]] = []
    for tar in sorted(tars, key=lambda tar: tar.number):
        if runs and tar.number == runs[-1][-1].number + 1:
            runs[-1].append(tar)
        else:
            runs.append([tar])
    words = [run[0].stem + (f" to {run[-1].stem}" if len(run) > 1 else "") for run in runs]
    return ", ".join(words[:8]) + (", ..." if len(words) > 8 else "")
