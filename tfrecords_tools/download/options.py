"""What a download can be asked for, checked before any work is done."""

from __future__ import annotations

import argparse
import dataclasses
import urllib.parse
from pathlib import Path

from tfrecords_tools.download.fetch import Patience
from tfrecords_tools.download.published import BASE_URL, TARS, parse_numbers, published_tars
from tfrecords_tools.options import UsageError

DEFAULT_JOBS = 8


@dataclasses.dataclass(frozen=True)
class DownloadOptions:
    """What `download` is asked for.

    Attributes:
        splits: of "train", "index", "test"; their tars and their CSVs.
        tars: numbers of the tars; None means all.
        jobs: files fetched at a time.
        keep_tars: whether extracted tars stay, as `{split}/images_000.tar`.
        disk_budget_bytes: the most that tars may take at a time; None for no limit.
        base_url: of the server, or of a mirror of the same layout.
        recheck: whether the sizes of extracted images are looked at too, not only their names.
        patience: with the server.

    Raises:
        ValueError: a value out of its range, or two that do not go together.
    """

    splits: tuple[str, ...] = tuple(TARS)
    tars: frozenset[int] | None = None
    jobs: int = DEFAULT_JOBS
    keep_tars: bool = False
    disk_budget_bytes: int | None = None
    base_url: str = BASE_URL
    recheck: bool = False
    patience: Patience = dataclasses.field(default_factory=Patience)

    def __post_init__(self) -> None:
        unknown = [split for split in self.splits if split not in TARS]
        if unknown or not self.splits or len(set(self.splits)) != len(self.splits):
            raise ValueError(
                f"splits must be some of {', '.join(TARS)}, each once; "
                f"got {', '.join(self.splits) or 'none'}"
            )
        published_tars(self.splits, self.tars)  # refuses numbers that a split does not have
        if not 1 <= self.jobs <= 64:
            raise ValueError(f"jobs must be from 1 to 64, got {self.jobs}")
        if self.disk_budget_bytes is not None and self.disk_budget_bytes <= 0:
            raise ValueError(f"the disk budget must be above 0, got {self.disk_budget_bytes}")
        if self.keep_tars and self.disk_budget_bytes is not None:
            raise ValueError(
                "the disk budget is for tars that are removed once they are extracted: "
                "it cannot go with keep_tars"
            )
        address = urllib.parse.urlsplit(self.base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ValueError(f"the base URL must begin with https:// or http://: {self.base_url!r}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `download`."""
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="the GLDv2 folder")
    parser.add_argument(
        *("--splits",), nargs="+", choices=tuple(TARS), default=list(TARS), metavar="SPLIT",
        help="train, index, test: their tars and CSVs (default: all)",
    )  # fmt: skip
    parser.add_argument(
        *("--tars",), metavar="N-M",
        help="only these tars of each split, such as 0-9 or 0,3,7-12 (default: all)",
    )  # fmt: skip
    parser.add_argument(
        *("--jobs",), type=int, default=DEFAULT_JOBS, metavar="N",
        help="files fetched at a time (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-tars", action="store_true", help="leave tars in their split's folder afterwards"
    )
    parser.add_argument(
        *("--disk-budget",), type=float, metavar="GB",
        help="the most that tars may take at a time, besides the images (default: no limit)",
    )  # fmt: skip
    parser.add_argument(
        *("--base-url",), default=BASE_URL, metavar="URL",
        help="a mirror with the published layout (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        *("--tries",), type=int, default=Patience.tries, metavar="N",
        help="in a row without anything new, before a file is given up (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        *("--timeout",), type=float, default=Patience.silence_s, metavar="S",
        help="seconds that a connection may give nothing (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument(
        *("--recheck",), action="store_true",
        help="look at the size of every extracted image, not only at its name",
    )  # fmt: skip
    parser.add_argument(
        "--dry-run", action="store_true", help="only say what would be fetched, and how much"
    )


def options_from(args: argparse.Namespace) -> DownloadOptions:
    """The options of a command line.

    Raises:
        UsageError: one out of its range, or two that do not go together.
    """
    try:
        if args.tries < 1:
            raise ValueError(f"--tries must be at least 1, got {args.tries}")
        if not 0 < args.timeout <= 3600:
            raise ValueError(f"--timeout must be above 0 and at most 3600, got {args.timeout:g}")
        budget = args.disk_budget
        if budget is not None and not 0 < budget < 10**6:
            raise ValueError(f"--disk-budget must be above 0 GB, got {budget:g}")
        return DownloadOptions(
            splits=tuple(args.splits),
            tars=None if args.tars is None else parse_numbers(args.tars),
            jobs=args.jobs,
            keep_tars=args.keep_tars,
            disk_budget_bytes=None if budget is None else int(budget * 10**9),
            base_url=args.base_url.rstrip("/"),
            recheck=args.recheck,
            patience=Patience(tries=args.tries, silence_s=args.timeout),
        )
    except ValueError as error:
        raise UsageError(str(error)) from None
