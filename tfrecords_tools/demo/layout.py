"""Writes a demo set: draws the pictures, then the CSV files, then the completion marker.

Nothing half-written can be taken for whole: every file appears under its name only when it is
complete, the CSV files come after the last picture, and `demo.json` comes last. Until then the
folder holds `demo.partial.json`, from which a second run knows that it may continue.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tfrecords_tools.demo.files import TEMPORARY_SUFFIX, write_whole
from tfrecords_tools.demo.plan import CORRUPT_KINDS, GENERIC, SPLITS, Census, Settings, take_census
from tfrecords_tools.demo.pool import draw_all
from tfrecords_tools.demo.tables import all_tables

MARKER = "demo.json"
PARTIAL_MARKER = "demo.partial.json"
# Raised whenever the same settings would give other bytes.
CONTENT_VERSION = 1


class DemoFolderError(ValueError):
    """The output folder holds something that must not be overwritten."""


@dataclass(frozen=True)
class Summary:
    """What `write_demo` did.

    Attributes:
        folder: root of the set.
        counts: numbers of the set as in demo.json ('train', 'index', 'test', ...).
        drawn: pictures drawn in this run (0 when the set was already whole).
    """

    folder: Path
    counts: dict[str, int]
    drawn: int


def write_demo(
    out: str | os.PathLike[str],
    *,
    landmarks: int = 32,
    seed: int = 0,
    workers: int | None = None,
    progress: bool = True,
    **sizes: int | float,
) -> Summary:
    """Renders the demo set of made-up landmarks into a GLDv2-shaped folder.

    Args:
        out: folder to write; created if it does not exist. A folder that holds an interrupted
            set of the same settings is continued, a whole one is left alone.
        landmarks: number of landmarks, at least 6.
        seed: the same seed and sizes give the same bytes, whatever the number of workers.
        workers: processes that draw; default: one per available core, at most 8. With 1 the
            calling process draws.
        progress: show a progress bar on stderr.
        **sizes: images_per_landmark, index_per_landmark, queries_per_landmark,
            no_landmark_share; see `Settings`.

    Returns:
        A `Summary`.

    Raises:
        ValueError: a setting out of range.
        DemoFolderError: `out` holds something else, or a set of other settings.
        OSError: the folder cannot be written (permission, disk full, ...).
    """
    settings = Settings(landmarks=landmarks, seed=seed, **sizes)
    if workers is None:
        workers = min(8, len(os.sched_getaffinity(0)))
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be a whole number of at least 1, received {workers!r}.")
    root = Path(out)
    census = take_census(settings)
    try:
        if _is_whole(root, census):
            return Summary(root, _counts(census), drawn=0)
        drawn = _write(root, census, workers, progress)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(
            error.errno,
            f"The demo set could not be written ({error.strerror}); what is done is kept, and "
            "the same command continues",
            error.filename,
        ) from error
    return Summary(root, _counts(census), drawn)


def _write(root: Path, census: Census, workers: int, progress: bool) -> int:
    """Writes what is missing of a set; returns the number of pictures drawn."""
    settings = census.settings
    _claim(root, settings)
    _remove_leftovers(root)
    missing = [p for p in census.pictures if not (root / p.path).is_file()]
    draw_all(root, settings, missing, workers=workers, progress=progress)
    for name, content in all_tables(census).items():
        write_whole(root / name, content)
    marker = root / PARTIAL_MARKER
    total_bytes = _total_bytes(root, census)
    drawn = len(missing)
    if _read_marker(marker).get("image_bytes", total_bytes) != total_bytes:
        # A set that was whole once and has been tampered with: nothing says where.
        draw_all(root, settings, list(census.pictures), workers=workers, progress=progress)
        total_bytes = _total_bytes(root, census)
        drawn = len(census.pictures)
    write_whole(marker, _marker(census, total_bytes))
    marker.replace(root / MARKER)
    return drawn


def _parameters(settings: Settings) -> dict:
    return {"content_version": CONTENT_VERSION, **settings.as_dict()}


def _marker(census: Census, total_bytes: int) -> bytes:
    body = {
        "what": "made-up landmarks, rendered; layout and CSV files as in GLDv2",
        "parameters": _parameters(census.settings),
        "counts": _counts(census),
        "image_bytes": total_bytes,
        "unreadable": {
            split: {p.id: p.kind for p in census.by_split[split] if p.kind in CORRUPT_KINDS}
            for split in SPLITS
        },
        "note": "unreadable index images are in no ground-truth list of the retrieval solution",
    }
    return (json.dumps(body, indent=2, sort_keys=True) + "\n").encode()


def _counts(census: Census) -> dict[str, int]:
    counts = {split: len(census.by_split[split]) for split in SPLITS}
    clean = Counter(p.landmark_id for p in census.by_split["train"] if p.clean)
    counts["train_clean"] = sum(clean.values())
    counts["classes_clean"] = len(clean)
    counts["classes_train"] = len(census.train_ids) + len(census.extra_ids)
    counts["classes_index"] = len(census.index_ids)
    counts["smallest_class"] = min(clean.values())
    counts["largest_class"] = max(clean.values())
    counts["test_with_landmark"] = sum(p.scene != GENERIC for p in census.by_split["test"])
    kinds = Counter(p.kind for p in census.pictures if p.kind)
    counts["unreadable"] = sum(kinds[kind] for kind in CORRUPT_KINDS)
    return counts


def _total_bytes(root: Path, census: Census) -> int:
    return sum((root / p.path).stat().st_size for p in census.pictures)


def _is_whole(root: Path, census: Census) -> bool:
    """True if `root` is a finished set of these settings with all its files."""
    marker = root / MARKER
    if not marker.is_file():
        return False
    found = _read_marker(marker)
    _require_same(root, found, census.settings)
    try:
        same = _total_bytes(root, census) == found.get("image_bytes")
    except FileNotFoundError:
        same = False
    if same and all((root / name).is_file() for name in all_tables(census)):
        return True
    # Files were lost or changed since: from here on the set counts as unfinished.
    marker.replace(root / PARTIAL_MARKER)
    return False


def _read_marker(path: Path) -> dict:
    try:
        found = json.loads(path.read_bytes())
        if not isinstance(found, dict) or not isinstance(found.get("parameters"), dict):
            raise ValueError("no 'parameters' in it")
    except ValueError as error:
        raise DemoFolderError(
            f"{path} is not the marker of a demo set ({error}). Choose another --out, or remove "
            "the folder."
        ) from error
    return found


def _require_same(root: Path, found: dict, settings: Settings) -> None:
    expected, received = _parameters(settings), found["parameters"]
    names = sorted(expected.keys() | received.keys())
    other = [
        f"{name} {received.get(name)!r} (asked for: {expected.get(name)!r})"
        for name in names
        if received.get(name) != expected.get(name)
    ]
    if other:
        raise DemoFolderError(
            f"{root} holds a demo set of other settings: {', '.join(other)}. Choose another "
            "--out, ask for the same settings, or remove the folder."
        )


def _claim(root: Path, settings: Settings) -> None:
    """Makes sure that `root` is ours to write, and marks it as unfinished."""
    if root.exists() and not root.is_dir():
        raise DemoFolderError(f"{root} is a file. Choose a new folder for --out.")
    root.mkdir(parents=True, exist_ok=True)
    marker = root / PARTIAL_MARKER
    if marker.is_file():
        _require_same(root, _read_marker(marker), settings)
        return
    present = sorted(
        path.name for path in root.iterdir() if not path.name.endswith(TEMPORARY_SUFFIX)
    )
    if present:
        listed = ", ".join(present[:3]) + (", ..." if len(present) > 3 else "")
        raise DemoFolderError(
            f"{root} is not empty and holds no demo set (found: {listed}). Choose an empty or "
            "new folder for --out."
        )
    body = json.dumps({"parameters": _parameters(settings)}, indent=2, sort_keys=True) + "\n"
    write_whole(marker, body.encode())


def _remove_leftovers(root: Path) -> None:
    """Temporary files of a killed run, and CSV files that a damaged set still had."""
    for path in root.rglob(f".*{TEMPORARY_SUFFIX}"):
        path.unlink(missing_ok=True)
    for path in root.glob("*.csv"):
        path.unlink()
