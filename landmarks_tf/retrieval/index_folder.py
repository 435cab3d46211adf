"""An index on disk: a folder that appears under its name only when complete.

    index/manifest.json    sizes and digests of all other files, parameters, recall when built
    index/ids.npy          the image id of each row, if there are ids
    index/scann/           what ScaNN wrote, with relative paths
    index/changes/         rows added and removed since (see `index_changes`), if any were

An exact index holds vectors.npy instead of scann/, a sharded one its parts, each an index.

Nothing in it is ever unpickled: ScaNN's own pickled ids are never written, and refused if found.
ScaNN ends the process when a file of its own is damaged, so damage is looked for first.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from landmarks_tf.retrieval.files import read_json, read_npy, sha256, write_json

FORMAT_VERSION = 1
# An index with changes: who does not know of them would answer with rows that were removed.
CHANGED_VERSION = 2
MANIFEST = "manifest.json"
IDS = "ids.npy"
SEARCHER = "scann"  # the folder that ScaNN writes and reads
CHANGES = "changes"
EXACT_VECTORS = "vectors.npy"  # the rows of an exact index
PART = "part-"  # and five digits: a folder for each part of a sharded index
KINDS = ("scann", "exact", "sharded")
VECTORS = f"{SEARCHER}/dataset.npy"  # ScaNN's own copy of the rows, in float32
_FIELDS = ("num_rows", "dim", "parameters", "recall", "fingerprint", "files")


class IndexFolderError(ValueError):
    """A folder that is not a whole, unchanged index."""


def write_manifest(folder: Path, **values) -> None:
    """Writes the completion mark over everything that lies in `folder`.

    Args:
        folder: the unfinished index.
        **values: num_rows, dim, parameters, recall, fingerprint, and what else is worth keeping.
    """
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    files = {path.relative_to(folder).as_posix(): _facts(path) for path in paths}
    write_json(folder / MANIFEST, {"format_version": FORMAT_VERSION, **values, "files": files})


def write_changed_manifest(folder: Path, manifest: dict, names: list[str], number: int) -> dict:
    """Replaces the manifest by one that names other files of changes; returns it.

    Args:
        folder: the index.
        manifest: the one that stands.
        names: files below `changes/`, written already.
        number: counts the changes since the index was built.
    """
    files = {name: v for name, v in manifest["files"].items() if not _is_change(name)}
    files |= {name: _facts(folder / name) for name in names}
    changed = {**manifest, "format_version": CHANGED_VERSION, "changes": number, "files": files}
    write_json(folder / MANIFEST, changed)
    return changed


def _facts(path: Path) -> dict:
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def _is_change(name: str) -> bool:
    return name.startswith(f"{CHANGES}/")


def read_manifest(folder: Path, *, fingerprint: str | None, digests: bool) -> dict:
    """The manifest of a whole index.

    Args:
        folder: the index.
        fingerprint: what must have made the embeddings; None accepts any.
        digests: compare the bytes of each file; without it names and sizes alone are compared.

    Raises:
        FileNotFoundError: if there is no finished index.
        IndexFolderError: if a file is missing, foreign, cut short or changed, or another model
            made the embeddings.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no index at {folder}: there is no such folder")
    manifest = read_json(folder / MANIFEST, what="index")
    if manifest.get("format_version") not in (FORMAT_VERSION, CHANGED_VERSION):
        raise IndexFolderError(
            f"{folder} has format version {manifest.get('format_version')!r}, this program reads "
            f"{FORMAT_VERSION} and {CHANGED_VERSION}: build the index again"
        )
    if missing := [name for name in _FIELDS if name not in manifest]:
        raise IndexFolderError(f"{folder / MANIFEST} lacks {', '.join(missing)}")
    if fingerprint is not None and manifest["fingerprint"] != fingerprint:
        raise IndexFolderError(
            f"{folder} was built from another model's embeddings: expected fingerprint "
            f"{fingerprint!r}, found {manifest['fingerprint']!r}; build the index again"
        )
    _check_files(folder, manifest["files"], digests)
    return manifest


def _check_files(folder: Path, files: dict, digests: bool) -> None:
    present = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    # ScaNN unpickles scann_docids.pkl if it lies there, so a file too many is not harmless.
    # What a killed change leaves is named by no manifest and read by nobody.
    left_over = {name for name in present if _is_change(name)} | {f".{MANIFEST}.tmp"}
    if foreign := present - set(files) - {MANIFEST} - left_over:
        raise IndexFolderError(f"{folder} holds files that are not part of it: {sorted(foreign)}")
    for name, expected in files.items():
        path = folder / name
        if name not in present:
            raise IndexFolderError(f"{folder} is incomplete: {name} is missing")
        if path.stat().st_size != expected["bytes"]:
            raise IndexFolderError(
                f"{path} has {path.stat().st_size} bytes, expected {expected['bytes']}: "
                "build the index again"
            )
        if digests and sha256(path) != expected["sha256"]:
            raise IndexFolderError(f"{path} was changed since it was built: build the index again")


def read_ids(folder: Path, manifest: dict) -> np.ndarray | None:
    """The (N,) image ids of an index, or None if it was built without."""
    if IDS not in manifest["files"]:
        return None
    ids = read_npy(folder / IDS, what="ids of the index")
    if ids.shape != (manifest["num_rows"],):
        raise IndexFolderError(
            f"{folder / IDS} holds {ids.shape} ids for {manifest['num_rows']} rows"
        )
    return ids


def kind_of(folder: Path) -> str:
    """ "scann", "exact" or "sharded": what a finished index is.

    Raises:
        FileNotFoundError: if there is no finished index.
        IndexFolderError: if it is of a kind that this program does not know.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"no index at {folder}: there is no such folder")
    kind = read_json(folder / MANIFEST, what="index").get("kind", KINDS[0])
    if kind not in KINDS:
        raise IndexFolderError(f"{folder} is an index of kind {kind!r}, known are {KINDS}")
    return kind


def fingerprint_of(folder: Path) -> str:
    """What made the embeddings of a finished index, as its builder was told.

    Raises:
        FileNotFoundError, IndexFolderError: as `kind_of`.
    """
    kind_of(folder)
    return read_json(folder / MANIFEST, what="index").get("fingerprint", "")


def refuse_foreign(folder: Path) -> None:
    """Raises if `folder` is there and is not an index, so that nothing else is ever replaced."""
    inside = (SEARCHER, EXACT_VECTORS, f"{PART}00000")
    is_index = (folder / MANIFEST).is_file() and any((folder / name).exists() for name in inside)
    if folder.exists() and not is_index and not (folder.is_dir() and not any(folder.iterdir())):
        raise IndexFolderError(f"{folder} is there and is no index; it is left alone: name another")


@contextmanager
def being_made(path: Path) -> Iterator[Path]:
    """A folder beside `path` to make an index in; it gets that name when the block ends well.

    An index that is there is replaced then; where the block fails it stays, and nothing else does.

    Raises:
        IndexFolderError: if `path` is there and is no index.
    """
    refuse_foreign(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.partial")
    shutil.rmtree(temporary, ignore_errors=True)  # of a process that was killed
    temporary.mkdir()
    try:
        yield temporary
        put_in_place(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def put_in_place(finished: Path, folder: Path) -> None:
    """Renames a finished index to its name; an older one goes once the new one stands."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    finished.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
